"""Verbs on when reports go out: schedule, and schedule next, list, remove, pause, resume."""

import re
from datetime import datetime
from typing import Any

import click

from backlog.cadence import read_cadence, told
from backlog.errors import BacklogError
from bot.flows import manage_schedules as flow
from bot.flows.manage_schedules import Shown
from bot.flows.read_backlog import resolve_person
from bot.verbs.answer import Answer, table_of
from bot.verbs.experiments import pass_request
from bot.verbs.grammar import Request, Verbs, exp
from store.schedules import ALL_POSTS, ALL_REPORTS

CHANNEL_ID = re.compile(r"#([CG][A-Z0-9]{2,})")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
NAMED = {"all": ALL_POSTS, "reports": ALL_REPORTS, "posts": ALL_POSTS}
SAID = {ALL_POSTS: "All that the bot posts by itself", ALL_REPORTS: "Every scheduled report"}


class _Schedule(Verbs):
    """What is no verb of its own is a report to be scheduled."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str, click.Command, list[str]]:
        word = args[0].lower()
        return super().resolve_command(ctx, args if word in self.commands else ["add", *args])


@exp.group(
    "schedule",
    cls=_Schedule,
    offers=(
        ("Schedule a report", "schedule add"),
        ("What is scheduled", "schedule list"),
        ("What goes out next", "schedule next"),
        ("Pause", "schedule pause --form"),
        ("Resume", "schedule resume"),
        ("Remove one", "schedule remove"),
    ),
)
def schedule() -> None:
    """When reports go out: /exp schedule weekly mon 09:00 Europe/Berlin #ml-managers"""


@schedule.command("add")
@click.argument("report")
@click.argument("when", nargs=-1, required=True, metavar="WHEN… [#CHANNEL|@PERSON]")
@click.option("--audience", default="manager", help="For whom; part of the report's id.")
@click.option("--email", "emails", multiple=True, help="An address that gets it by mail; may be given again.")
@click.option("--reviewer", default="", help="Who sees it before it goes out: @ana")
@click.option("--preview", "preview_hours", type=click.IntRange(1, 72), default=4, help="How many hours before.")
@pass_request
def add(request: Request, /, report: str, when: tuple[str, ...], reviewer: str, **given: Any) -> Answer:
    """Send a report on a rhythm: /exp schedule weekly mon 09:00 Europe/Berlin #ml-managers"""
    places = [word for word in when if word[0] in "#@"]
    if len(places) > 1:
        raise BacklogError("A schedule has one place.", "Give each its own line: /exp schedule weekly mon 09:00 #ml")
    cadence = read_cadence(" ".join(word for word in when if word not in places))
    given["channel"] = _place(request, places[0]) if places else ""
    given["reviewer"] = resolve_person(request.services, reviewer) if reviewer else ""
    shown = flow.add_schedule(request.services, request.caller, report.lower(), cadence=cadence, **given)
    plan = shown.plan
    first = f"{plan.name} for {plan.audience} goes {_to(shown)} {plan.schedule.words}."
    review = f"{given['preview_hours']} h before, {reviewer} may edit its bottom line or skip it." if reviewer else ""
    return Answer(
        first,
        more=tuple(line for line in (f"Next: {told(shown.next_times)} {plan.schedule.zone}.", review) if line),
        data=_data(shown),
    )


def _place(request: Request, word: str) -> str:
    """A channel as Slack takes it, or the id of a person."""
    if word.startswith("@"):
        return resolve_person(request.services, word)
    match = CHANNEL_ID.fullmatch(word)
    return match[1] if match else word


def _to(shown: Shown) -> str:
    places = [shown.plan.channel, *shown.plan.emails]
    return "to " + ", ".join(place for place in places if place)


@schedule.command("next", reads=True)
@pass_request
def next_(request: Request, /) -> Answer:
    """The next three times of each scheduled report."""
    shown, _ = flow.list_schedules(request.services)
    facts = [(s.plan.key, s.paused or f"{told(s.next_times)} {s.plan.schedule.zone}") for s in shown]
    return Answer("What goes out next", tuple(facts), data=[_data(s) for s in shown])


@schedule.command("list", reads=True)
@pass_request
def list_(request: Request, /) -> Answer:
    """Every schedule: what, for whom, when, where to."""
    shown, pauses = flow.list_schedules(request.services)
    rows = [
        (s.plan.key, s.plan.name, s.plan.audience, s.plan.schedule.words, _to(s), s.paused or "goes out") for s in shown
    ]
    headings = ("schedule", "report", "audience", "when", "where", "state")
    off = (SAID[ALL_POSTS] + " is off. /exp schedule resume all",) if ALL_POSTS in pauses else ()
    left = flow.left_out_addresses(request.services)
    return Answer(
        f"{len(rows)} scheduled", table=table_of(headings, rows), more=(*off, *left), data=[_data(s) for s in shown]
    )


@schedule.command("remove")
@click.argument("key")
@pass_request
def remove(request: Request, /, key: str) -> Answer:
    """Take a schedule away: /exp schedule remove 3"""
    plan = flow.drop_schedule(request.services, request.caller, key)
    text = f"{plan.name} for {plan.audience} no longer goes to {plan.channel or ', '.join(plan.emails)}."
    return Answer(text, data={"schedule": plan.key})


@schedule.command("pause")
@click.argument("words", nargs=-1)
@pass_request
def pause(request: Request, /, words: tuple[str, ...]) -> Answer:
    """Hold reports back: /exp schedule pause until 2026-12-28, pause 3; pause all turns the bot's own posts off."""
    lower = [word.lower() for word in words]
    until = lower[lower.index("until") + 1 :] if "until" in lower else []
    what = lower[: lower.index("until")] if "until" in lower else lower
    if len(what) > 1 or len(until) > 1 or ("until" in lower and not until):
        raise BacklogError(
            f'"{" ".join(words)[:60]}" is not clear.', "/exp schedule pause weekly-manager until 2026-12-28"
        )
    name = NAMED.get(what[0], what[0]) if what else ALL_REPORTS
    paused = flow.pause_reports(request.services, request.caller, name, _day(until[0]) if until else "")
    end = f"until {until[0]}" if until else "until it is resumed"
    resume = f"/exp schedule resume {what[0] if what else 'reports'}"
    subject = SAID.get(paused, f"Schedule {paused}")
    return Answer(f"{subject} is paused {end}.", more=(resume,), data={"paused": paused, "until": until[:1]})


def _day(text: str) -> str:
    try:
        if DAY.fullmatch(text):
            return datetime.strptime(text, "%Y-%m-%d").date().isoformat()
    except ValueError:
        pass
    raise BacklogError(f'"{text[:60]}" is no day.', "Write it as 2026-12-28.")


@schedule.command("resume")
@click.argument("what", required=False)
@pass_request
def resume(request: Request, /, what: str | None) -> Answer:
    """Let reports go out again: /exp schedule resume, resume all, resume 3"""
    word = (what or "").lower()
    ended = flow.resume_reports(request.services, request.caller, NAMED.get(word, word))
    if not ended:
        return Answer("Nothing was paused.", data=[])
    subjects = [SAID.get(name, f"Schedule {name}") for name in ended]
    return Answer(f"{', '.join(subjects)} goes on. What was due meanwhile is not sent.", data=ended)


def _data(shown: Shown) -> dict[str, Any]:
    plan = shown.plan
    return {
        "schedule": plan.key,
        "report": plan.name,
        "audience": plan.audience,
        "cadence": str(plan.schedule),
        "channel": plan.channel or None,
        "emails": list(plan.emails),
        "reviewer": plan.reviewer or None,
        "next": [at.isoformat() for at in shown.next_times],
        "paused": shown.paused or None,
    }
