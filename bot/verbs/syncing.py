"""Verbs on Jira's side: sync, and below it status, diff, retry, pull, mapping, untimebox."""

import click

from backlog.experiment import Kind
from backlog.merge import Side, Verdict, in_words
from bot.flows.adopt_issues import adopt_issues
from bot.flows.answer_screen import answer_screen
from bot.flows.read_mapping import read_mapping
from bot.flows.read_sync import Difference, show_difference, show_sync
from bot.flows.services import require_role
from bot.flows.sync_backlog import Synced, retry_issue, sync_backlog
from bot.flows.untimebox_issue import untimebox_issue
from bot.verbs.answer import Answer, table_of
from bot.verbs.experiments import KINDS, pass_request
from bot.verbs.grammar import Deferred, Request, exp

MEANS = {Side.BOTH: "in line", Side.OURS: "ours is sent", Side.THEIRS: "Jira's is taken"}


@exp.group("sync", invoke_without_command=True)
@click.option("--full", is_flag=True, help="Read everything in scope, not only what changed.")
@click.pass_context
def sync(ctx: click.Context, full: bool) -> Answer | None:
    """Jira: read it now, or status, diff, retry, pull, mapping, untimebox."""
    if ctx.invoked_subcommand:
        return None
    request = ctx.find_object(Request)
    assert request is not None
    if request.may_defer:
        raise Deferred
    require_role(request.services, request.caller, "read Jira now")
    return synced(sync_backlog(request.services, full))


def synced(done: Synced) -> Answer:
    """What a pull brought."""
    return Answer(f"Read {done.issues} issues from Jira.", data={"issues": done.issues, "pages": done.pages})


@sync.command("status", reads=True)
@pass_request
def status(request: Request, /) -> Answer:
    """When Jira was read, what waits to be written, and what needs a person."""
    shown = show_sync(request.services)
    read = f"{shown.read_at:%d %b %H:%M} UTC" if shown.read_at else "never"
    facts = (
        ("read", read),
        ("error", shown.error),
        ("linked issues", str(shown.linked)),
        ("waiting to be written", str(shown.waiting)),
        ("requests since the start", str(shown.requests)),
        ("limits", ", ".join(f"{name} {value}" for name, value in shown.limits.items())),
    )
    rows = [(stuck.key, stuck.kind, stuck.error) for stuck in shown.stuck]
    return Answer(
        f"{len(rows)} needs a person" if rows else "Jira and the backlog are in line, or on their way.",
        tuple((name, value) for name, value in facts if value),
        table_of(("issue", "what", "why"), rows) if rows else None,
        more=tuple(f"/exp sync retry {key}" for key in dict.fromkeys(key for key, _, _ in rows)),
        data={"read_at": shown.read_at, "waiting": shown.waiting, "stuck": rows, "requests": shown.requests},
    )


@sync.command("diff", slow=True, reads=True)
@click.argument("key")
@pass_request
def diff(request: Request, /, key: str) -> Answer:
    """Both sides and what they last agreed on, field by field: /exp sync diff ML-345"""
    shown = show_difference(request.services, key)
    rows = [_row(verdict) for verdict in shown.verdicts]
    rows.append(_status(shown))
    return Answer(
        f"{shown.experiment.key} and {shown.issue.key}",
        table=table_of(("field", "here", "Jira", "last agreed", "so"), rows),
        data=[dict(zip(("field", "ours", "theirs", "base", "verdict"), row, strict=True)) for row in rows],
    )


def _row(verdict: Verdict) -> tuple[str, ...]:
    base = verdict.base
    agreed = "never" if base is None else in_words(base.ours)
    if base is not None and base.ours != base.theirs:
        agreed = f"{agreed} and {in_words(base.theirs)}"
    so = MEANS[verdict.stands]
    if verdict.stands is Side.BOTH and verdict.ours != verdict.theirs:
        so = "left as they are"
    return verdict.field, in_words(verdict.ours), in_words(verdict.theirs), agreed, so


def _status(shown: Difference) -> tuple[str, ...]:
    verdict = shown.status
    so = "left as they are"
    if verdict.push:
        so = f'goes to "{verdict.push.status}"'
    elif verdict.move_to:
        so = f"{verdict.move_to} is tried"
    return "status", shown.experiment.stage, in_words(shown.issue.status), shown.agreed_status, so


@sync.command("retry")
@click.argument("key")
@pass_request
def retry(request: Request, /, key: str) -> Answer:
    """Try again what failed on one issue: /exp sync retry ML-345"""
    issue = retry_issue(request.services, request.caller, key)
    return Answer(f"{issue} is tried again.", data={"issue": issue})


@sync.command("screen")
@click.argument("key")
@click.argument("answers", nargs=-1, metavar="[FIELD=ANSWER]...")
@pass_request
def screen(request: Request, /, key: str, answers: tuple[str, ...]) -> Answer:
    """Answer what Jira's screen asks for: /exp sync screen ML-345 "Resolution=Won't Do\""""
    given = dict(_answer(text) for text in answers)
    done = answer_screen(request.services, request.caller, key, given)
    return Answer(f"{done.issue_key} is tried again with that.", data={"key": done.key, "issue": done.issue_key})


def _answer(text: str) -> tuple[str, str]:
    name, equals, said = text.partition("=")
    if not equals:
        raise click.BadParameter(f'"{text[:40]}" is no answer: write FIELD=ANSWER, in quotes where it has spaces.')
    return name.strip(), said.strip()


@sync.command("pull", slow=True)
@click.option("--jql", default="", help="Which issues; without it, those of [jira] jql.")
@click.option("--goal", default="", help="The goal they serve; without it, that of their epic.")
@click.option("--kind", type=KINDS, default=Kind.IMPROVEMENT.value, help="What they are for.")
@click.option("--dry-run", is_flag=True, help="Only show what would become of each.")
@pass_request
def pull(request: Request, /, jql: str, goal: str, kind: str, dry_run: bool) -> Answer:
    """Make experiments of issues: /exp sync pull --jql "labels = experiment" --dry-run"""
    done = adopt_issues(request.services, request.caller, jql, kind=Kind(kind), goal=goal, dry_run=dry_run)
    fresh = [one for one in done if one.fresh]
    rows = [
        (one.issue.key, one.issue.status, one.issue.summary[:60], f"{'new ' if one.fresh else ''}{one.key}", one.goal)
        for one in done
    ]
    would = "would be" if dry_run else "are"
    return Answer(
        f"{len(fresh)} of {len(done)} issues {would} new on the backlog, the others were there.",
        table=table_of(("issue", "status", "summary", "experiment", "goal"), rows) if rows else None,
        more=("Nothing was changed; without --dry-run it is done.",) if dry_run else (),
        data=[{"issue": one.issue.key, "key": one.key, "new": one.fresh, "goal": one.goal} for one in done],
    )


@sync.command("mapping", slow=True, reads=True)
@pass_request
def mapping(request: Request, /) -> Answer:
    """What [jira.stages], [jira.users] and [jira.fields] mean for the issues that are there."""
    shown = read_mapping(request.services)
    rows = [
        (line.status, line.resolution, line.issues, line.linked, ", ".join(line.stages) or "left alone")
        for line in shown.statuses
    ]
    unpaired = ", ".join(f"{name} ({count} issues)" for name, count in shown.unpaired.items())
    facts = (
        ("people paired", str(shown.paired)),
        ("assignees left alone", unpaired),
        *(("field", f"{name} is {id_}") for name, id_ in shown.fields.items()),
        *((f"would {what}", f"{count} linked issues") for what, count in shown.would.items()),
        *((f"{where} asks for", ", ".join(names)) for where, names in shown.screens.items()),
    )
    return Answer(
        "The mapping, and what it does to the issues as last read",
        tuple((name, value) for name, value in facts if value),
        table_of(("status", "resolution", "issues", "linked", "stages"), rows) if rows else None,
        data={"statuses": rows, "unpaired": shown.unpaired, "would": shown.would, "screens": shown.screens},
    )


@sync.command("untimebox")
@click.argument("key")
@pass_request
def untimebox(request: Request, /, key: str) -> Answer:
    """Clear an issue's sprint and due date in Jira: /exp sync untimebox ML-345"""
    done = untimebox_issue(request.services, request.caller, key)
    text = f"{done.issue_key} is taken out of its sprint, and its due date is cleared."
    return Answer(text, data={"key": done.key, "issue": done.issue_key})
