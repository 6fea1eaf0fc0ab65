"""Verbs on experiments: from the idea to the decision."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import click

from backlog.cadence import read_span
from backlog.errors import BacklogError
from backlog.experiment import Decision, Experiment, Kind, Outcome, Stage
from backlog.policy import APPETITE_DAYS
from bot.flows import change_experiment as flow
from bot.flows.change_experiment import Changed
from bot.flows.link_issue import link_issue
from bot.flows.read_backlog import Shown, find_past, list_experiments, resolve_person, show_experiment
from bot.verbs.answer import Answer, table_of
from bot.verbs.grammar import Request, exp

F = TypeVar("F", bound=Callable[..., Any])
pass_request = click.make_pass_decorator(Request)
KINDS = click.Choice([kind.value for kind in Kind], case_sensitive=False)
STAGES = click.Choice([stage.value for stage in Stage], case_sensitive=False)
SIMILAR = 3  # past experiments that `new` shows
APPETITES = click.Choice(list(APPETITE_DAYS), case_sensitive=False)


def text_argument(name: str, required: bool = True) -> Callable[[F], F]:
    """A sentence at the end of a line, with or without quotes."""
    return click.argument(name, nargs=-1, required=required, metavar=name.upper() + "…")


@exp.command("new")
@text_argument("title")
@click.option("--goal", default="", help="The goal it serves.")
@click.option("--kind", type=KINDS, default=Kind.IMPROVEMENT.value, help="What it is for.")
@click.option("--appetite", type=APPETITES, help="How long we bet before looking again.")
@pass_request
def new(request: Request, /, title: tuple[str, ...], goal: str, kind: str, appetite: str | None) -> Answer:
    """Put an idea on the backlog: /exp new "Char-level tokens raise recall" """
    past = find_past(request.services, " ".join(title), every_word=False, limit=SIMILAR)
    done = flow.create_experiment(
        request.services, request.caller, " ".join(title), kind=Kind(kind), goal=goal, appetite=appetite or ""
    )
    key = done.experiment.key
    similar = [f"Like it: {s.experiment.key} {s.experiment.title}{_found(s)}" for s in past]
    follow = f'/exp frame {key} --hypothesis "we believe … will result in … we will know when …"'
    return _said(done, f"{key} is on the backlog: {done.experiment.title}", *similar, f"Next: {follow}")


def _found(shown: Shown) -> str:
    e = shown.experiment
    return f" ({e.outcome}: {e.learning})" if e.outcome else f" ({e.stage})"


@exp.command("frame")
@click.argument("key")
@click.option("--goal", help="The goal it serves.")
@click.option("--hypothesis", help="We believe … will result in … we will know when …")
@click.option("--metric", help="The primary metric's name.")
@click.option("--eval-set", help="The evaluation set's name and version.")
@click.option("--min-effect", type=float, help="The smallest effect worth acting on, in the metric's unit.")
@click.option("--decision", "serves", help="The decision it serves.")
@click.option("--runs", "min_runs", type=click.IntRange(1, 1000), help="Runs on dev data that count as evidence.")
@click.option("--kind", type=KINDS, help="What it is for.")
@click.option("--appetite", type=APPETITES, help="How long we bet before looking again.")
@pass_request
def frame(request: Request, /, key: str, **fields: Any) -> Answer:
    """Say what an experiment asks and how its answer will be known."""
    given = {name: _word(name, value) for name, value in fields.items() if value is not None}
    done = flow.frame_experiment(request.services, request.caller, key, given)
    return _said(done, f"{done.experiment.key} is {done.experiment.stage}: {done.entry.text} set.")


@exp.command("edit")
@click.argument("key")
@click.option("--title", help="A new title.")
@click.option("--owner", help="Who owns it: @name.")
@click.option("--appetite", type=APPETITES, help="How long we bet before looking again.")
@pass_request
def edit(request: Request, /, key: str, title: str | None, owner: str | None, appetite: str | None) -> Answer:
    """Change title, owner or appetite."""
    fields = {"title": title, "appetite": appetite, "owner": owner and resolve_person(request.services, owner)}
    done = flow.edit_experiment(
        request.services, request.caller, key, {name: value for name, value in fields.items() if value}
    )
    return _said(done, f"{done.experiment.key}: {done.entry.text} changed.")


@exp.command("move")
@click.argument("key")
@click.argument("stage", type=STAGES)
@click.option("--over", default="", help="Why it starts above the WIP limit.")
@click.option("--reason", default="", help="Why parity cannot be shown (delayed labels, proxy), or why it goes back.")
@pass_request
def move(request: Request, /, key: str, stage: str, over: str, reason: str) -> Answer:
    """Enter another stage; every gate on the way must hold, going back is counted."""
    done = flow.move_experiment(request.services, request.caller, key, Stage(stage), over=over, reason=reason)
    return _said(done, f"{done.experiment.key} is {done.experiment.stage}.")


@exp.command("start")
@click.argument("key")
@click.option("--over", default="", help="Why it starts above the WIP limit.")
@pass_request
def start(request: Request, /, key: str, over: str) -> Answer:
    """Commit to an experiment: its age counts from now."""
    done = flow.move_experiment(request.services, request.caller, key, Stage.RUNNING, over=over)
    return _said(done, f"{done.experiment.key} is running.")


@exp.command("block")
@click.argument("key")
@text_argument("reason")
@pass_request
def block(request: Request, /, key: str, reason: tuple[str, ...]) -> Answer:
    """Say what it waits for."""
    done = flow.block_experiment(request.services, request.caller, key, " ".join(reason))
    return _said(done, f"{done.experiment.key} is blocked: {done.experiment.blocked_reason}")


@exp.command("unblock")
@click.argument("key")
@pass_request
def unblock(request: Request, /, key: str) -> Answer:
    """Lift the block."""
    done = flow.unblock_experiment(request.services, request.caller, key)
    return _said(done, f"{done.experiment.key} is no longer blocked.")


@exp.command("park")
@click.argument("key")
@text_argument("reason")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="The day to look again: 2027-03-01.")
@pass_request
def park(request: Request, /, key: str, reason: tuple[str, ...], until: datetime | None) -> Answer:
    """Put it aside; moving it brings it back."""
    day = until.date() if until else None
    done = flow.park_experiment(request.services, request.caller, key, " ".join(reason), day)
    return _said(done, f"{done.experiment.key} is parked{f' until {day}' if day else ''}.")


@exp.command("hill")
@click.argument("key")
@click.argument("position", type=click.Choice(["uphill", "downhill"], case_sensitive=False))
@pass_request
def hill(request: Request, /, key: str, position: str) -> Answer:
    """Say whether it is still figured out (uphill) or only carried out (downhill)."""
    done = flow.set_hill(request.services, request.caller, key, position)
    return _said(done, f"{done.experiment.key} is {position}.")


@exp.command("checkpoint")
@click.argument("key")
@text_argument("text")
@pass_request
def checkpoint(request: Request, /, key: str, text: tuple[str, ...]) -> Answer:
    """Record the look that the appetite asks for."""
    done = flow.checkpoint_experiment(request.services, request.caller, key, " ".join(text))
    return _said(done, f"Checkpoint kept on {done.experiment.key}.")


@exp.command("extend")
@click.argument("key")
@text_argument("reason")
@pass_request
def extend(request: Request, /, key: str, reason: tuple[str, ...]) -> Answer:
    """Bet one more appetite; counted, and only on new runs."""
    done = flow.extend_experiment(request.services, request.caller, key, " ".join(reason))
    return _said(done, f"{done.experiment.key} is extended, {done.entry.text}")


@exp.command("undo")
@click.argument("key")
@pass_request
def undo(request: Request, /, key: str) -> Answer:
    """Take back your own last act on it, within 15 minutes."""
    done = flow.undo_last(request.services, request.caller, key)
    return _said(done, f'"{done.entry.text}" on {done.experiment.key} is undone; it is {done.experiment.stage}.')


@exp.command("note")
@click.argument("key")
@text_argument("text")
@pass_request
def note(request: Request, /, key: str, text: tuple[str, ...]) -> Answer:
    """Keep a sentence; also a Jira comment that names its author."""
    done = flow.note_experiment(request.services, request.caller, key, " ".join(text))
    return _said(done, f"Noted on {done.experiment.key}.")


@exp.command("outcome")
@click.argument("key")
@click.argument("outcome", type=click.Choice([outcome.value for outcome in Outcome], case_sensitive=False))
@text_argument("learning")
@click.option("--next", "next_key", default="", help="The experiment that follows from it.")
@pass_request
def outcome(request: Request, /, key: str, outcome: str, learning: tuple[str, ...], next_key: str) -> Answer:
    """Say what we found and the sentence worth keeping."""
    done = flow.record_outcome(request.services, request.caller, key, Outcome(outcome), " ".join(learning), next_key)
    ask = f'/exp decide {done.experiment.key} {"|".join(Decision)} "why"'
    return _said(done, f"{done.experiment.key} has the outcome {outcome}.", f"Next: {ask}")


@exp.command("decide")
@click.argument("key")
@click.argument("decision", type=click.Choice([decision.value for decision in Decision], case_sensitive=False))
@text_argument("reason")
@pass_request
def decide(request: Request, /, key: str, decision: str, reason: tuple[str, ...]) -> Answer:
    """Conclude: say what we do about it, and why."""
    done = flow.decide_experiment(request.services, request.caller, key, Decision(decision), " ".join(reason))
    return _said(done, f"{done.experiment.key} is {done.experiment.stage}: {decision}.")


@exp.command("link", slow=True)
@click.argument("key")
@click.argument("issue_key", metavar="ISSUE")
@pass_request
def link(request: Request, /, key: str, issue_key: str) -> Answer:
    """Tie an experiment to its Jira issue: /exp link EXP-12 ML-345"""
    done = link_issue(request.services, request.caller, key, issue_key)
    return _said(done, f"{done.experiment.key} is linked to {done.experiment.issue_key}.")


@exp.command("unlink")
@click.argument("key")
@pass_request
def unlink(request: Request, /, key: str) -> Answer:
    """Cut the tie to Jira; nothing is deleted there."""
    done = flow.unlink_issue(request.services, request.caller, key)
    return _said(done, f"{done.experiment.key} is not linked any more.")


@exp.command("list")
@click.argument("stage", type=STAGES, required=False)
@click.option("--goal", default="", help="Only of this goal.")
@click.option("--owner", default="", help="Only of this person: @name.")
@click.option("--older-than", default="", help="Only those running for longer: 10d.")
@pass_request
def list_(request: Request, /, stage: str | None, goal: str, owner: str, older_than: str) -> Answer:
    """Experiments, by stage."""
    owner_id = resolve_person(request.services, owner) if owner else ""
    days = read_span(older_than).days if older_than else -1
    shown = list_experiments(request.services, stage=stage or "", goal=goal.lower(), owner=owner_id)
    return _listed([s for s in shown if days < 0 or (s.age_days or 0) > days])


@exp.command("find")
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


@exp.command("mine")
@pass_request
def mine(request: Request, /) -> Answer:
    """Your own experiments that are not concluded."""
    shown = list_experiments(request.services, stage="", goal="", owner=request.caller.id)
    return _listed([s for s in shown if not s.experiment.stage.finished])


def _listed(shown: Sequence[Shown]) -> Answer:
    if not shown:
        return Answer("No experiments here yet.", more=('/exp new "Char-level tokens raise recall"',), data=[])
    rows = [
        (s.experiment.key, s.experiment.stage, s.experiment.title, s.experiment.goal, s.owner, _age(s)) for s in shown
    ]
    headings = ("key", "stage", "title", "goal", "owner", "age")
    count = f"{len(shown)} experiment{'' if len(shown) == 1 else 's'}"
    return Answer(count, table=table_of(headings, rows), data=_all_data(shown))


@exp.command("show")
@click.argument("key")
@pass_request
def show(request: Request, /, key: str) -> Answer:
    """One experiment with all that is known."""
    shown = show_experiment(request.services, key)
    e = shown.experiment
    lines = [f"{entry.at:%d %b %H:%M} {who}: {entry.act} {entry.text}".rstrip() for who, entry in shown.timeline]
    return Answer(
        f"{e.key} {e.title}",
        facts=tuple(_facts(shown)),
        more=tuple(lines),
        data=_data(shown) | {"timeline": lines},
    )


def _facts(shown: Shown) -> list[tuple[str, str]]:
    e = shown.experiment
    issue = shown.issue
    facts = {
        "stage": f"{e.stage}{f', went back {e.went_back} times' if e.went_back else ''}",
        "blocked": e.blocked_reason,
        "parked": f"{e.parked_reason}{f', until {e.parked_until}' if e.parked_until else ''}",
        "hill": e.hill,
        "goal": e.goal,
        "kind": e.kind,
        "owner": shown.owner,
        "issue": f'{issue.key} "{issue.status}"' if issue else e.issue_key,
        "hypothesis": e.hypothesis,
        "metric": f"{e.metric} on {e.eval_set or 'no named evaluation set'}" if e.metric else "",
        "progress": "; ".join(shown.progress),
        "smallest effect": "" if e.min_effect is None else f"{e.min_effect:g}",
        "decision it serves": e.serves,
        "age": _age(shown),
        "appetite": f"{e.appetite}{f', extended {e.extensions} times' if e.extensions else ''}",
        "outcome": f"{e.outcome}: {e.learning}" if e.outcome else "",
        "follow-up": e.next_key,
        "decision": f"{e.decision}: {e.decision_reason}" if e.decision else "",
        "to move on": "; ".join(f"{lack} ({remedy})" for lack, remedy in shown.missing),
    }
    return [(name, str(value)) for name, value in facts.items() if value]


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


def _all_data(shown: Sequence[Shown]) -> list[dict[str, Any]]:
    return [_data(s) for s in shown]


def _word(name: str, value: Any) -> Any:
    if name == "kind":
        return Kind(value)
    if isinstance(value, str) and not value.strip():
        raise BacklogError(f"--{name.replace('_', '-')} is empty.", "Give it a value in quotes.")
    return value


def _said(done: Changed, text: str, *more: str) -> Answer:
    experiment: Experiment = done.experiment
    return Answer(text, more=(*done.warnings, *more), data={"key": experiment.key, "stage": experiment.stage})
