"""Verbs on experiments: from the idea to the decision."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import click

from backlog.errors import BacklogError, Incomplete
from backlog.experiment import Experiment, Kind, Stage
from backlog.likeness import is_near
from backlog.policy import APPETITE_DAYS
from backlog.priority import SCORES, priority_of
from bot.flows import change_experiment as flow
from bot.flows.change_experiment import Changed
from bot.flows.link_issue import create_issue, link_issue
from bot.flows.link_run import is_run, link_to_run, unlink_from_run
from bot.flows.manage_goals import undo_goal
from bot.flows.read_backlog import Shown, find_past, last_act_of, people_by_id, resolve_person
from bot.flows.subscribe import default_goal
from bot.verbs.answer import Answer
from bot.verbs.grammar import Deferred, Request, exp, join_words, option_words
from reports.card import next_acts

F = TypeVar("F", bound=Callable[..., Any])
pass_request = click.make_pass_decorator(Request)
KINDS = click.Choice([kind.value for kind in Kind], case_sensitive=False)
STAGES = click.Choice([stage.value for stage in Stage], case_sensitive=False)
SCORE = click.IntRange(1, 5)
DAY = click.DateTime(["%Y-%m-%d"])
GOAL = "goal:"  # before a goal's key, where a subject may be a goal or an experiment
FIELDS = {
    "min_effect": "smallest effect", "eval_set": "evaluation set", "serves": "decision it serves",
    "min_runs": "runs that count as evidence",
}  # fmt: skip
OFFERED = 2  # next acts under what was done
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
@click.option("--jira", "project", default="", help="Make an issue for it in this Jira project.")
@click.option("--follows", "parent", default="", help="The experiment it follows from.")
@click.option("--note", default="", help="A first note that goes with it.")
@click.option("--anyway", is_flag=True, help="Create it although something like it is there.")
@click.option("--dry-run", is_flag=True, help="Only show the nearest past ones; nothing is created.")
@pass_request
def new(request: Request, /, title: tuple[str, ...], anyway: bool, dry_run: bool, **fields: Any) -> Answer:
    """Put an idea on the backlog: /exp new "Char-level tokens raise recall" """
    past = find_past(request.services, " ".join(title), every_word=False, limit=SIMILAR)
    similar = [f"Like it: {s.experiment.key} {s.experiment.title}{_found(s)}" for s in past]
    line = join_words(["new", *option_words(new.params, {**fields, "anyway": "yes"}), "--", *title])
    fields["goal"] = fields["goal"] or default_goal(request.services, request.channel)
    given = {**fields, "kind": Kind(fields["kind"]), "appetite": fields["appetite"] or "", "dry_run": dry_run}
    asks = request.may_ask and not (anyway or dry_run or fields["parent"])
    near = next((s.experiment.key for s in past if asks and is_near(" ".join(title), s.experiment)), "")
    try:
        done = flow.create_experiment(request.services, request.caller, " ".join(title), near=near, **given)
    except flow.NearPast as first:
        offers = (("Create it anyway", line), (f"Show {first.key}", f"show {first.key}"))
        return Answer(first.what, more=(*similar, first.remedy), offers=offers, problem="unsure")
    key = done.experiment.key
    if dry_run:
        nearest = similar or ["Nothing like it was tried before."]
        return Answer(f"Nothing is created. It would be {key}: {done.experiment.title}", more=(*nearest,), data=None)
    follow = f'/exp frame {key} --hypothesis "we believe … will result in … we will know when …"'
    return said(done, f"{key} is on the backlog: {done.experiment.title}", *similar, f"Next: {follow}")


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
    names = ", ".join(FIELDS.get(name, name) for name in sorted(given))
    return said(done, f"{done.experiment.key} is {done.experiment.stage}: {names} set.")


@exp.command("edit")
@click.argument("key")
@click.option("--title", help="A new title.")
@click.option("--owner", help="Who owns it: @name.")
@click.option("--appetite", type=APPETITES, help="How long we bet before looking again.")
@click.option("--label", "labels", multiple=True, help="A label, shared with Jira; replaces those there were.")
@click.option("--jira-priority", help="Jira's own priority, such as High.")
@click.option("--learning", "learning_value", type=SCORE, help="How much we would learn, 1 to 5.")
@click.option("--impact", type=SCORE, help="How much it would move the goal, 1 to 5.")
@click.option("--confidence", type=SCORE, help="How sure we are of that, 1 to 5.")
@click.option("--effort", type=SCORE, help="How much work it is, 1 to 5.")
@pass_request
def edit(request: Request, /, key: str, owner: str | None, **fields: Any) -> Answer:
    """Change title, owner, appetite, or the scores of its priority."""
    given = {name: _word(name, value) for name, value in fields.items() if value not in (None, ())}
    if owner:
        given["owner"] = resolve_person(request.services, owner)
    done = flow.edit_experiment(request.services, request.caller, key, given)
    changed = ", ".join(name.replace("_", " ") for name in sorted(given))
    priority = priority_of(done.experiment, request.services.rules.weights).arithmetic
    scored = [f"Priority: {priority}"] if {*given} & {*SCORES} else []
    return said(done, f"{done.experiment.key}: {changed} changed.", *scored)


@exp.command("move")
@click.argument("key")
@click.argument("stage", type=STAGES)
@click.option("--over", default="", help="Why it starts above the WIP limit.")
@click.option("--reason", default="", help="Why parity cannot be shown (delayed labels, proxy), or why it goes back.")
@pass_request
def move(request: Request, /, key: str, stage: str, over: str, reason: str) -> Answer:
    """Enter another stage; every gate on the way must hold, going back is counted."""
    done = flow.move_experiment(request.services, request.caller, key, Stage(stage), over=over, reason=reason)
    return said(done, f"{done.experiment.key} is {done.experiment.stage}.")


@exp.command("start")
@click.argument("key")
@click.option("--over", default="", help="Why it starts above the WIP limit.")
@pass_request
def start(request: Request, /, key: str, over: str) -> Answer:
    """Commit to an experiment: its age counts from now."""
    done = flow.move_experiment(request.services, request.caller, key, Stage.RUNNING, over=over)
    return said(done, f"{done.experiment.key} is running.")


@exp.command("block")
@click.argument("key")
@text_argument("reason")
@click.option("--until", type=DAY, help="The day to ask again: 2027-03-01.")
@pass_request
def block(request: Request, /, key: str, reason: tuple[str, ...], until: datetime | None) -> Answer:
    """Say what it waits for."""
    day = until.date() if until else None
    done = flow.block_experiment(request.services, request.caller, key, " ".join(reason), day)
    return said(done, f"{done.experiment.key} is blocked: {done.experiment.blocked_reason}")


@exp.command("unblock")
@click.argument("key")
@pass_request
def unblock(request: Request, /, key: str) -> Answer:
    """Lift the block."""
    done = flow.unblock_experiment(request.services, request.caller, key)
    return said(done, f"{done.experiment.key} is no longer blocked.")


@exp.command("park")
@click.argument("key")
@text_argument("reason")
@click.option("--until", type=DAY, help="The day to look again: 2027-03-01.")
@pass_request
def park(request: Request, /, key: str, reason: tuple[str, ...], until: datetime | None) -> Answer:
    """Put it aside; moving it brings it back."""
    day = until.date() if until else None
    done = flow.park_experiment(request.services, request.caller, key, " ".join(reason), day)
    return said(done, f"{done.experiment.key} is parked{f' until {day}' if day else ''}.")


@exp.command("hill")
@click.argument("key")
@click.argument("position", type=click.Choice(["uphill", "downhill"], case_sensitive=False))
@pass_request
def hill(request: Request, /, key: str, position: str) -> Answer:
    """Say whether it is still figured out (uphill) or only carried out (downhill)."""
    done = flow.set_hill(request.services, request.caller, key, position)
    return said(done, f"{done.experiment.key} is {position}.")


@exp.command("checkpoint")
@click.argument("key")
@text_argument("text")
@pass_request
def checkpoint(request: Request, /, key: str, text: tuple[str, ...]) -> Answer:
    """Record the look that the appetite asks for."""
    done = flow.checkpoint_experiment(request.services, request.caller, key, " ".join(text))
    return said(done, f"Checkpoint kept on {done.experiment.key}.")


@exp.command("undo")
@click.argument("key", required=False)
@pass_request
def undo(request: Request, /, key: str | None) -> Answer:
    """Take back your own last act, within 15 minutes; with a key, your last act there."""
    key = key or last_act_of(request.services, request.caller)
    if key.startswith(GOAL):
        goal = undo_goal(request.services, request.caller, key.removeprefix(GOAL))
        return Answer(f"Your last change of the goal {goal.key} is undone.", data={"key": goal.key})
    done = flow.undo_last(request.services, request.caller, key)
    return said(done, f'"{done.entry.text}" on {done.experiment.key} is undone; it is {done.experiment.stage}.')


@exp.command("reassign")
@click.argument("old", metavar="@OLD")
@click.argument("new", metavar="@NEW")
@pass_request
def reassign(request: Request, /, old: str, new: str) -> Answer:
    """Give everything unfinished of one person to another."""
    ids = [resolve_person(request.services, person) for person in (old, new)]
    given = flow.reassign_all(request.services, request.caller, *ids)
    names = people_by_id(request.services)
    was, now = (names.get(person, person) for person in ids)
    if not given:
        return Answer(f"{was} has nothing unfinished.", data=[])
    keys = [experiment.key for experiment in given]
    return Answer(f"{len(keys)} from {was} to {now}: {', '.join(keys)}", data=keys)


@exp.command("note")
@click.argument("key")
@text_argument("text")
@pass_request
def note(request: Request, /, key: str, text: tuple[str, ...]) -> Answer:
    """Keep a sentence; also a Jira comment that names its author."""
    done = flow.note_experiment(request.services, request.caller, key, " ".join(text))
    return said(done, f"Noted on {done.experiment.key}.")


@exp.command("link")
@click.argument("key")
@click.argument("issue_key", metavar="ISSUE|RUN", default="")
@click.option("--create", "project", default="", help="Make a new issue for it in this project.")
@click.option("--instead", is_flag=True, help="Take this issue in place of the one it has.")
@pass_request
def link(request: Request, /, key: str, issue_key: str, project: str, instead: bool) -> Answer:
    """Tie an experiment to its Jira issue: /exp link EXP-12 ML-345, a new one: --create ML, or a run:
    /exp link EXP-12 mlflow:run/9f3c"""
    if project:
        experiment = create_issue(request.services, request.caller, key, project)
        return Answer(f"{experiment.key} gets an issue in {project.upper()}.", data={"key": experiment.key})
    if not issue_key:
        raise Incomplete("Which issue?", f"/exp link {key} ML-345, or /exp link {key} --create ML")
    if is_run(issue_key):
        linked = link_to_run(request.services, request.caller, key, issue_key)
        return said(linked, f"The run {linked.entry.text} belongs to {linked.experiment.key}.")
    if request.may_defer:
        raise Deferred
    done = link_issue(request.services, request.caller, key, issue_key, instead)
    return said(done, f"{done.experiment.key} is linked to {done.experiment.issue_key}.")


@exp.command("unlink")
@click.argument("key")
@click.argument("run", default="")
@pass_request
def unlink(request: Request, /, key: str, run: str) -> Answer:
    """Cut the tie to Jira, or to a run: /exp unlink EXP-12 mlflow:run/9f3c; nothing is deleted there."""
    if run:
        taken = unlink_from_run(request.services, request.caller, key, run)
        return said(taken, f"The run {taken.entry.text} belongs to what its tags say.")
    done = flow.unlink_issue(request.services, request.caller, key)
    return said(done, f"{done.experiment.key} is not linked any more.")


def _word(name: str, value: Any) -> Any:
    if name == "kind":
        return Kind(value)
    if isinstance(value, str) and not value.strip():
        raise BacklogError(f"--{name.replace('_', '-')} is empty.", "Give it a value in quotes.")
    return value


def said(done: Changed, text: str, *more: str) -> Answer:
    """What was done, with the next sensible acts at hand."""
    experiment: Experiment = done.experiment
    data = {"key": experiment.key, "stage": experiment.stage}
    offers = [(f"{label} {experiment.key}", line) for label, line in next_acts(experiment)]
    return Answer(text, more=(*done.warnings, *more), offers=tuple(offers[:OFFERED]), data=data)
