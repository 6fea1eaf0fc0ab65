"""Verbs on what one hears of: subscribe, unsubscribe, snooze, settings."""

import click

from backlog.cadence import read_span
from backlog.errors import BacklogError
from backlog.experiment import EXPERIMENT_KEY, ISSUE_KEY
from backlog.subscription import GOAL, Subscription, read_digest, read_events
from bot.flows import subscribe as flow
from bot.verbs.answer import Answer, table_of
from bot.verbs.experiments import pass_request
from bot.verbs.grammar import Request, Verb, exp

DIGEST = "--digest"
FOLLOW = ("Follow something", "subscribe --form")
ENDS_SHOWN = 10  # buttons to end one of those that are followed


class Subscribe(Verb):
    """Reads `--digest daily 09:00 Europe/Berlin` as people type it, without quotes."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The words after --digest, up to the next option, are its one value."""
        if DIGEST in args:
            start = args.index(DIGEST) + 1
            end = next((i for i in range(start, len(args)) if args[i].startswith("--")), len(args))
            args = [*args[:start], " ".join(args[start:end]), *args[end:]]
        return super().parse_args(ctx, args)


@exp.command("subscribe", cls=Subscribe)
@click.argument("what", nargs=-1, metavar="[goal:GOAL|KEY|everything] [KIND…]")
@click.option(DIGEST, help="Together at a time: daily 09:00 Europe/Berlin, or weekly mon 09:00.")
@click.option("--channel", default="", help="Tell this channel instead of you: #ml-managers.")
@pass_request
def subscribe(request: Request, /, what: tuple[str, ...], digest: str | None, channel: str) -> Answer:
    """Follow something, or see what you follow: /exp subscribe goal:churn decisions outcomes"""
    if not what and digest is None:
        return _mine(request)
    scopes = [word for word in what if _is_scope(word)]
    if len(scopes) > 1:
        raise BacklogError(f"{scopes[0]} and {scopes[1]} are two things to follow.", f"/exp subscribe {scopes[0]}")
    wanted = Subscription(
        id=0,
        person=request.caller.id,
        created_at=request.services.now(),
        channel=channel,
        events=read_events([word for word in what if word not in scopes]),
        digest=read_digest(digest) if digest is not None else None,
    )
    scope = scopes[0] if scopes else flow.EVERYTHING
    done = flow.subscribe(request.services, request.caller, wanted, _folded(scope))
    who = f"{done.channel} hears" if done.channel else "You hear"
    return Answer(
        f"{who} of {done.scope}: {_kinds(done)}, {_rhythm(done)}.",
        more=(f"Hear no more: /exp unsubscribe {done.id}",),
        data=_data(done),
    )


def _is_scope(word: str) -> bool:
    folded = word.lower()
    known = folded in (flow.EVERYTHING, "all") or folded.startswith(GOAL)
    return known or bool(EXPERIMENT_KEY.fullmatch(word) or ISSUE_KEY.fullmatch(word))


def _folded(scope: str) -> str:
    folded = scope.lower()
    return flow.EVERYTHING if folded == "all" else folded


def _mine(request: Request) -> Answer:
    found = flow.subscriptions_of(request.services, request.caller.id)
    if not found:
        hint = "/exp subscribe goal:churn decisions outcomes"
        return Answer("You follow nothing yet.", more=(hint,), offers=(FOLLOW,), data=[])
    rows = [(one.id, one.scope, _kinds(one), _rhythm(one), one.channel or "you") for one in found]
    table = table_of(("number", "what", "kinds", "when", "who hears"), rows)
    ends = tuple((f"End {one.id}: {one.scope}", f"unsubscribe {one.id}") for one in found[:ENDS_SHOWN])
    return Answer(f"{len(found)} followed", table=table, offers=(FOLLOW, *ends), data=[_data(one) for one in found])


def _kinds(subscription: Subscription) -> str:
    return ", ".join(sorted(subscription.events)) or "every kind"


def _rhythm(subscription: Subscription) -> str:
    return str(subscription.digest) if subscription.digest else "at once"


def _data(subscription: Subscription) -> dict[str, object]:
    return {
        "id": subscription.id,
        "scope": subscription.scope,
        "events": sorted(subscription.events),
        "digest": str(subscription.digest) if subscription.digest else None,
        "channel": subscription.channel or None,
    }


@exp.command("unsubscribe")
@click.argument("which", metavar="NUMBER|goal:GOAL|KEY|everything|all")
@pass_request
def unsubscribe(request: Request, /, which: str) -> Answer:
    """Hear no more of something: /exp unsubscribe goal:churn"""
    ended = flow.unsubscribe(request.services, request.caller, which)
    return Answer(f"No more of {', '.join(one.scope for one in ended)}.", data=[_data(one) for one in ended])


@exp.command("snooze")
@click.argument("key")
@click.argument("span", default="1d")
@pass_request
def snooze(request: Request, /, key: str, span: str) -> Answer:
    """Put off the reminders of what waits for you: /exp snooze EXP-12 3d"""
    done = flow.snooze(request.services, request.caller, key, read_span(span))
    return Answer(f"You hear of {done} again in {span}, if it still waits.", data={"key": done})


@exp.group("settings", invoke_without_command=True)
@click.pass_context
def settings(ctx: click.Context) -> Answer | None:
    """Yours and this channel's: quiet, goal."""
    if ctx.invoked_subcommand:
        return None
    request = ctx.find_object(Request)
    assert request is not None
    own = flow.preferences_of(request.services, request.caller.id)
    default = flow.default_goal(request.services, request.channel)
    follows = len(flow.subscriptions_of(request.services, request.caller.id))
    facts = (
        ("your quiet hours", own.get("quiet", "none")),
        ("you follow", f"{follows}: /exp subscribe" if follows else "nothing: /exp subscribe"),
        *((("this channel's goal", default or "none"),) if request.channel else ()),
    )
    remedies = ("/exp settings quiet 20:00-08:00 Europe/Berlin", "/exp settings goal churn")
    offers = (("Change", "settings quiet"), ("What you follow", "subscribe"))
    data = {"quiet": own.get("quiet"), "goal": default or None}
    return Answer("Settings", facts, more=remedies, offers=offers, data=data)


@settings.command("quiet")
@click.argument("hours", nargs=-1, required=True, metavar="FROM-UNTIL ZONE|off")
@pass_request
def quiet(request: Request, /, hours: tuple[str, ...]) -> Answer:
    """When you hear nothing: /exp settings quiet 20:00-08:00 Europe/Berlin, or off"""
    kept = flow.set_quiet_hours(request.services, request.caller, " ".join(hours))
    return Answer(
        f"You hear nothing from {kept}." if kept else "You have no quiet hours.", data={"quiet": kept or None}
    )


@settings.command("goal")
@click.argument("goal", metavar="GOAL|off")
@click.option("--channel", default="", help="Which channel; else the one you type in.")
@pass_request
def goal(request: Request, /, goal: str, channel: str) -> Answer:
    """The goal of this channel's new experiments: /exp settings goal churn, or off"""
    where = channel.lstrip("#") or request.channel
    if not where:
        raise BacklogError("Which channel?", f'/exp settings goal {goal} --channel "#ml"')
    kept = flow.set_default_goal(request.services, request.caller, where, goal)
    said = f"New experiments here serve {kept}." if kept else "New experiments here serve no goal by themselves."
    return Answer(said, data={"goal": kept or None})
