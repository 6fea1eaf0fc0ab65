"""Verbs on what others read: the policy, report preview, report post."""

import json

import click

from backlog.errors import BacklogError
from bot.flows.past_report import backfill_reports, rerun_report
from bot.flows.rate_report import rate_report, report_stats
from bot.flows.report_plans import find_plan
from bot.flows.review_report import approve_report, find_upcoming, skip_report, write_line
from bot.flows.services import require_role
from bot.flows.show_report import draft
from bot.flows.write_report import SUMMARY, find_stored, render, write_report
from bot.verbs.answer import Answer, table_of
from bot.verbs.experiments import pass_request, text_argument
from bot.verbs.grammar import Request, exp
from reports.feedback import VERDICTS
from reports.filters import mrkdwn

of_report = click.option("--report", "name", default="weekly", help="Which report.")
for_audience = click.option("--audience", default="", help="For whom.")
by_id = click.option("--id", "id_", default="", help="The report's id, in the place of both.")


@exp.command("policy", reads=True)
@pass_request
def policy(request: Request, /) -> Answer:
    """What we dropped of Scrum, why, and what stands in its place."""
    rules = request.services.rules
    days = ", ".join(f"{name} {count} d" for name, count in rules.appetite_days.items())
    facts = (
        ("WIP limits", f"{rules.wip_person} a person, {rules.wip_goal} a goal"),
        ("appetites", days),
        ("extensions", f"{rules.extensions} by any member, more by a decider"),
        ("a block is a risk", f"after {rules.blocked_days} d, or from the day it was to end"),
    )
    rows = [(item.but, item.because, item.instead) for item in rules.policy]
    if not rows:
        return Answer("No policy is written yet.", facts, more=("Write it as [[policy]] in config.toml.",), data=[])
    return Answer("We do Scrum, but", facts, table_of(("no", "because", "instead"), rows), data=rows)


@exp.group(
    "report",
    offers=(
        ("Preview", "report preview"),
        ("Write the bottom line", "report line --form"),
        ("Post now", "report post --form"),
        ("A past one", "report show"),
        ("Archive", "report archive"),
        ("What readers thought", "report stats"),
    ),
)
def report() -> None:
    """Reports: what others read, on a fixed rhythm"""


@report.command("preview", slow=True, reads=True)
@click.argument("name", default="weekly")
@for_audience
@click.option("--subject", default="", help="The experiment of a card, such as EXP-12.")
@pass_request
def preview(request: Request, /, name: str, audience: str, subject: str) -> Answer:
    """Show the report as it would be posted now; only to you."""
    snapshot, plan = draft(request.services, name, audience, subject)
    message = json.loads(render(snapshot, plan, "slack").body)
    text = render(snapshot, plan, "text").body
    return Answer(message["text"], more=tuple(text.splitlines()), message=message, data={"id": snapshot.id})


@report.command("post", slow=True)
@click.argument("name", default="weekly")
@for_audience
@pass_request
def post(request: Request, /, name: str, audience: str) -> Answer:
    """Post the report of this period now; a period is posted once."""
    require_role(request.services, request.caller, "post a report")
    plan = find_plan(request.services, name, audience)
    done = write_report(request.services, plan, request.services.now(), by_hand=True)
    report = done.report
    if done.sent:
        text = f"The report for {report.period} goes to {', '.join(done.sent)}."
    elif not plan.channel:
        text = f"The report for {report.period} is written, but goes nowhere: set [slack] channel in config.toml."
    else:
        text = f"The report for {report.period} was written on {report.made_at:%d %b %H:%M} UTC already."
    more = (f"A template failed: {report.note}",) if report.note else ()
    return Answer(text, more=more, data={"id": report.id, "new": done.fresh, "sent": done.sent})


@report.command("line")
@text_argument("text", required=False)
@of_report
@for_audience
@by_id
@pass_request
def line(request: Request, /, text: tuple[str, ...], name: str, audience: str, id_: str) -> Answer:
    """Write the next report's bottom line: /exp report line "Two of three goals are met; nothing to decide." """
    upcoming = find_upcoming(request.services, name, audience, id_)
    said = write_line(request.services, request.caller, upcoming, " ".join(text))
    text_ = f"{upcoming.id} will say: {said}" if said else f"{upcoming.id} will say what the rule says."
    return Answer(text_, data={"id": upcoming.id, "line": said})


@report.command("approve")
@click.argument("name", default="weekly")
@for_audience
@by_id
@pass_request
def approve(request: Request, /, name: str, audience: str, id_: str) -> Answer:
    """Let the next report go out as planned."""
    upcoming = find_upcoming(request.services, name, audience, id_)
    approve_report(request.services, request.caller, upcoming)
    return Answer(f"{upcoming.id} goes out {upcoming.when}.", data={"id": upcoming.id, "due": upcoming.due_at})


@report.command("skip")
@click.argument("name", default="weekly")
@for_audience
@by_id
@pass_request
def skip(request: Request, /, name: str, audience: str, id_: str) -> Answer:
    """Do not send the next report: it is written for the archive only."""
    upcoming = find_upcoming(request.services, name, audience, id_)
    skip_report(request.services, request.caller, upcoming)
    undo = f"/exp report approve {upcoming.plan.name} --audience {upcoming.plan.audience}"
    return Answer(f"{upcoming.id} will be written, and not sent.", more=(f"Changed your mind: {undo}",), data=None)


@report.command("show", reads=True)
@click.argument("period")
@of_report
@for_audience
@pass_request
def show(request: Request, /, period: str, name: str, audience: str) -> Answer:
    """A report of the past as it was sent, byte for byte: /exp report show 2026-W47"""
    found = find_stored(request.services, period, name, audience)
    text = tuple(found.text.splitlines())
    return Answer(found.id, more=text, message=json.loads(found.slack), data={"id": found.id, "text": found.text})


@report.command("archive", reads=True)
@pass_request
def archive(request: Request, /) -> Answer:
    """A link to all reports there are, for you and whoever you give it to."""
    url = request.services.public_url + request.services.links.to("/reports/", request.services.now())
    said = f"The archive opens for {request.services.links.span.days} days with this link."
    block = {"type": "section", "text": {"type": "mrkdwn", "text": f"{said} <{mrkdwn(url)}|Open it>"}}
    return Answer(said, more=(url,), message={"text": said, "blocks": [block]}, data={"url": url})


@report.command("rate")
@click.argument("verdict", type=click.Choice([*VERDICTS], case_sensitive=False))
@click.option("--id", "id_", required=True, help="The report's id.")
@click.option("--section", default=SUMMARY, help="Which part of it.")
@pass_request
def rate(request: Request, /, verdict: str, id_: str, section: str) -> Answer:
    """Say whether a report was of use: useful, not-useful or unclear."""
    rate_report(request.services, request.caller, id_, section, verdict)
    return Answer(f"Counted, thank you: {VERDICTS[verdict].lower()}.", data={"id": id_, "verdict": verdict})


@report.command("stats", reads=True)
@click.argument("name", default="")
@pass_request
def stats(request: Request, /, name: str) -> Answer:
    """What readers thought of each section of the reports."""
    counts = report_stats(request.services, name)
    rows = [(section, *(said.get(verdict, 0) for verdict in VERDICTS)) for section, said in counts.items()]
    if not rows:
        return Answer("Nobody has clicked under a report yet.", data={})
    headings = ("section", *(label.lower() for label in VERDICTS.values()))
    return Answer("What readers thought, by section", table=table_of(headings, rows), data=counts)


@report.command("rerun", slow=True, reads=True)
@click.argument("period")
@of_report
@for_audience
@click.option("--dry-run", is_flag=True, help="Only show the difference; there is no other way.")
@pass_request
def rerun(request: Request, /, period: str, name: str, audience: str, dry_run: bool) -> Answer:
    """What today's code would say of a past week: /exp report rerun 2026-W47 --dry-run"""
    if not dry_run:
        raise BacklogError("A report does not change.", f"See what would differ: /exp report rerun {period} --dry-run")
    stored, lines = rerun_report(request.services, period, name, audience)
    text = f"Today's code says of {stored.id}" if lines else f"Today's code says the same of {stored.id}."
    return Answer(text, more=tuple(lines), data={"id": stored.id, "difference": lines})


@report.command("backfill", slow=True)
@click.argument("first")
@click.argument("last")
@of_report
@for_audience
@pass_request
def backfill(request: Request, /, first: str, last: str, name: str, audience: str) -> Answer:
    """Write reports of past weeks that have none, for the archive only: /exp report backfill 2026-W40 2026-W47"""
    written = backfill_reports(request.services, request.caller, name, audience, first, last, request.progress)
    ids = [found.id for found in written]
    text = f"{len(ids)} written for the archive, none sent." if ids else "Each of them is there already."
    return Answer(text, more=tuple(ids), data=ids)
