"""Verbs on Jira's side: sync, sync status, diff, retry."""

import click

from backlog.merge import Side, Verdict, in_words
from bot.flows.read_sync import Difference, show_difference, show_sync
from bot.flows.services import require_role
from bot.flows.sync_backlog import retry_issue, sync_backlog
from bot.verbs.answer import Answer, table_of
from bot.verbs.experiments import pass_request
from bot.verbs.grammar import Deferred, Request, exp

MEANS = {Side.BOTH: "in line", Side.OURS: "ours is sent", Side.THEIRS: "Jira's is taken"}


@exp.group("sync", invoke_without_command=True)
@click.option("--full", is_flag=True, help="Read everything in scope, not only what changed.")
@click.pass_context
def sync(ctx: click.Context, full: bool) -> Answer | None:
    """Jira: read it now, or status, diff, retry."""
    if ctx.invoked_subcommand:
        return None
    request = ctx.find_object(Request)
    assert request is not None
    if request.may_defer:
        raise Deferred
    require_role(request.services, request.caller, "read Jira now")
    done = sync_backlog(request.services, full)
    text = f"Read {done.issues} issues from Jira."
    return Answer(text, data={"issues": done.issues, "pages": done.pages})


@sync.command("status")
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


@sync.command("diff", slow=True)
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
