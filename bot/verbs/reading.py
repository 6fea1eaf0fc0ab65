"""Verbs that only read the backlog: list, find, mine, show."""

from collections.abc import Sequence
from typing import Any

import click

from backlog.cadence import read_span
from backlog.experiment import Wanted
from backlog.issue import Issue
from bot.flows.read_backlog import ALL, Page, Shown, find_past, list_experiments, resolve_person, show_experiment
from bot.verbs.answer import Answer, table_of
from bot.verbs.experiments import STAGES, pass_request, text_argument
from bot.verbs.grammar import Request, exp
from reports.card import DETAILS, next_acts

LINES = 20  # of a timeline, the latest; --json has them all


@exp.command("list", reads=True)
@click.argument("stage", type=STAGES, required=False)
@click.option("--goal", default="", help="Only of this goal.")
@click.option("--owner", default="", help="Only of this person: @name.")
@click.option("--older-than", default="", help="Only those running for longer: 10d.")
@click.option("--by", type=click.Choice(["key", "priority"]), default="key", help="The order.")
@click.option("--limit", type=click.IntRange(1, 10_000), help="How many at once.")
@click.option("--page", type=click.IntRange(1, 10_000), default=1, help="Which part of them.")
@pass_request
def list_(
    request: Request,
    /,
    stage: str | None,
    goal: str,
    owner: str,
    older_than: str,
    by: str,
    limit: int | None,
    page: int,
) -> Answer:
    """Experiments, the unfinished first: /exp list running --goal churn --older-than 10d"""
    wanted = Wanted(
        stage=stage or "",
        goal=goal,
        owner=resolve_person(request.services, owner) if owner else "",
        older_than=read_span(older_than).days if older_than else None,
    )
    limit = min(limit, request.rows) if limit and request.rows else limit or request.rows
    found = list_experiments(request.services, wanted, limit=limit, page=page, by_priority=by == "priority")
    return _listed(found, priority=by == "priority", page=page)


@exp.command("find", reads=True)
@text_argument("words")
@pass_request
def find(request: Request, /, words: tuple[str, ...]) -> Answer:
    """Search titles, hypotheses, learnings and notes: /exp find focal loss"""
    shown = find_past(request.services, " ".join(words))
    if not shown:
        return Answer(f'Nobody has written of "{" ".join(words)}" yet.', data=[])
    rows = [(s.experiment.key, s.experiment.stage, s.experiment.title, s.experiment.learning) for s in shown]
    return Answer(
        f"{len(shown)} found", table=table_of(("key", "stage", "title", "learning"), rows), data=_all_data(shown)
    )


@exp.command("mine", reads=True)
@pass_request
def mine(request: Request, /) -> Answer:
    """Your own experiments that are not concluded."""
    wanted = Wanted(owner=request.caller.id, unfinished=True)
    return _listed(list_experiments(request.services, wanted, limit=request.rows))


def _listed(found: Page, *, priority: bool = False, page: int = 1) -> Answer:
    shown = found.shown
    if not shown:
        empty = f"There are {found.total}, none on page {page}." if found.total else "No experiments here yet."
        return Answer(empty, more=('/exp new "Char-level tokens raise recall"',), data=[])
    rows = [_row(s, priority) for s in shown]
    headings = (*(("priority",) if priority else ()), "key", "stage", "title", "goal", "owner", "age")
    count = f"{found.total} experiment{'' if found.total == 1 else 's'}"
    part = f", {len(shown)} shown: --page {page + 1} for more" if len(shown) < found.total else ""
    return Answer(count + part, table=table_of(headings, rows), data=_all_data(shown))


def _row(shown: Shown, priority: bool) -> tuple[object, ...]:
    e = shown.experiment
    score = (f"{shown.priority.score:g}" if shown.priority.score is not None else "",) if priority else ()
    return (*score, e.key, e.stage, e.title, e.goal, shown.owner, _age(shown))


@exp.command("show", reads=True)
@click.argument("key")
@pass_request
def show(request: Request, /, key: str) -> Answer:
    """One experiment with all that is known."""
    # Only who reads --json gets all lines, and only a terminal has it.
    shown = show_experiment(request.services, key, LINES if request.rows else ALL)
    e = shown.experiment
    lines = [f"{entry.at:%d %b %H:%M} {who}: {entry.act} {entry.text}".rstrip() for who, entry in shown.timeline]
    said = [f"{comment.at:%d %b %H:%M} {comment.author} in Jira: {comment.text}" for comment in shown.comments]
    earlier = [f"… and {shown.entries - LINES} earlier lines"] if shown.entries > LINES else []
    return Answer(
        f"{e.key} {e.title}",
        facts=tuple(_facts(shown)),
        more=(*earlier, *lines[-LINES:], *said),
        offers=tuple(offer for offer in next_acts(e) if offer[0] != DETAILS),
        data=_data(shown) | _details(shown) | {"timeline": lines, "comments": said},
    )


def _facts(shown: Shown) -> list[tuple[str, str]]:
    e = shown.experiment
    issue = shown.issue
    facts = {
        "stage": f"{e.stage}{f', went back {e.went_back} times' if e.went_back else ''}",
        "blocked": f"{e.blocked_reason}{f', until {e.blocked_until}' if e.blocked_until else ''}",
        "parked": f"{e.parked_reason}{f', until {e.parked_until}' if e.parked_until else ''}",
        "hill": e.hill,
        "follows from": e.parent,
        "goal": e.goal,
        "kind": e.kind,
        "owner": shown.owner,
        "issue": _issue(issue) if issue else e.issue_key,
        "hypothesis": e.hypothesis,
        "metric": f"{e.metric} on {e.eval_set or 'no named evaluation set'}" if e.metric else "",
        "progress": "; ".join(shown.progress),
        "smallest effect": "" if e.min_effect is None else f"{e.min_effect:g}",
        "decision it serves": e.serves,
        "age": shown.age,
        "priority": shown.priority.arithmetic,
        "appetite": f"{e.appetite}{f', extended {e.extensions} times' if e.extensions else ''}",
        "outcome": f"{e.outcome}{f', {e.reason_code}' if e.reason_code else ''}: {e.learning}" if e.outcome else "",
        "decision": f"{e.decision}: {e.decision_reason}" if e.decision else "",
        "evidence": e.decision_evidence,
        "followed by": ", ".join(dict.fromkeys(key for key in (e.next_key, *shown.followers) if key)),
        "to move on": "; ".join(f"{lack} ({remedy})" for lack, remedy in shown.missing),
    }
    return [(name, str(value)) for name, value in facts.items() if value]


def _issue(issue: Issue) -> str:
    gone = f", unreachable since {issue.unreachable_since:%d %b}" if issue.unreachable_since else ""
    return f'{issue.key} "{issue.status}"{gone}'


def _age(shown: Shown) -> str:
    return "" if shown.age_days is None else f"{shown.age_days} d"


def _data(shown: Shown) -> dict[str, Any]:
    e = shown.experiment
    return {
        "key": e.key,
        "title": e.title,
        "stage": e.stage,
        "goal": e.goal,
        "owner": shown.owner,
        "kind": e.kind,
        "issue": e.issue_key or None,
        "outcome": e.outcome,
        "decision": e.decision,
        "age_days": shown.age_days,
    }


def _details(shown: Shown) -> dict[str, Any]:
    e = shown.experiment
    return {
        "hypothesis": e.hypothesis,
        "metric": e.metric,
        "eval_set": e.eval_set,
        "min_effect": e.min_effect,
        "serves": e.serves,
        "appetite": e.appetite,
        "extensions": e.extensions,
        "went_back": e.went_back,
        "blocked": e.blocked_reason or None,
        "parked": e.parked_reason or None,
        "hill": e.hill or None,
        "parent": e.parent or None,
        "followers": list(shown.followers),
        "priority": shown.priority.score,
        "learning": e.learning or None,
        "reason_code": e.reason_code,
        "decision_reason": e.decision_reason or None,
        "decision_evidence": e.decision_evidence or None,
        "missing": [lack for lack, _ in shown.missing],
    }


def _all_data(shown: Sequence[Shown]) -> list[dict[str, Any]]:
    return [_data(s) for s in shown]
