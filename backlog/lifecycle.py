"""What may happen to an experiment, and the gates that must hold.

Every act is a pure function that returns the timeline's next Entry or raises a BacklogError. A new gate is one
function and one entry in GATES.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from backlog.errors import BacklogError, GateClosed
from backlog.experiment import (
    Decision,
    Entry,
    Experiment,
    Kind,
    Outcome,
    Stage,
    clean_title,
    replay,
)  # fmt: skip
from backlog.goal import DATA_MARKS, Answer3, Goal
from backlog.issue import Issue
from backlog.metric import DEV, Metric
from backlog.parity import Parity
from backlog.policy import Rules


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the gates may ask about, gathered before the act.

    `dev_runs` counts the experiment's finished runs on development data with its evaluation set, `runs_since_bet`
    its runs anywhere since the current bet began; `wip_person` and `wip_goal` count the *other* experiments in
    progress; `open_kinds` are the kinds with an unfinished experiment on the goal.
    """

    goal: Goal | None = None
    metrics: tuple[Metric, ...] = ()
    dev_runs: int = 0
    runs_since_bet: int = 0
    parity: Parity = field(default_factory=lambda: Parity(None, None, None, "no readings yet"))
    baseline_experiment: str = ""
    prod_beats_baseline: bool = False
    open_kinds: frozenset[Kind] = frozenset()
    jira_configured: bool = False
    wip_person: int = 0
    wip_goal: int = 0

    def metric(self, experiment: Experiment) -> Metric | None:
        """The experiment's primary metric in dev, else in any environment; None where the goal has none."""
        named = [metric for metric in self.metrics if metric.name == experiment.metric]
        return next((metric for metric in named if metric.environment == DEV), next(iter(named), None))


UNDO_WITHIN = timedelta(minutes=15)
BOT = "scrumbut"  # who acts when only time has passed

Lack = tuple[str, str]  # what is missing, and the command that supplies it
Gate = Callable[[Experiment, Evidence], Lack | None]


def _owner(experiment: Experiment, evidence: Evidence) -> Lack | None:
    return None if experiment.owner else ("an owner", f"/exp edit {experiment.key} --owner @name")


def _goal(experiment: Experiment, evidence: Evidence) -> Lack | None:
    return None if evidence.goal else ("a goal", f"/exp frame {experiment.key} --goal GOAL")


def _hypothesis(experiment: Experiment, evidence: Evidence) -> Lack | None:
    if experiment.hypothesis:
        return None
    form = "we believe … will result in … we will know when …"
    return ("a hypothesis", f'/exp frame {experiment.key} --hypothesis "{form}"')


def _serves(experiment: Experiment, evidence: Evidence) -> Lack | None:
    if experiment.serves:
        return None
    return ("the decision it serves", f'/exp frame {experiment.key} --decision "replace the model?"')


def _metric(experiment: Experiment, evidence: Evidence) -> Lack | None:
    if not experiment.kind.measured or evidence.metric(experiment):
        return None
    if not experiment.metric:
        return ("a primary metric", f"/exp frame {experiment.key} --metric recall")
    add = f"/exp metric add {experiment.metric} --goal {experiment.goal or 'GOAL'} --source SOURCE --key KEY"
    return (f'the metric "{experiment.metric}" with its source', add)


def _eval_set(experiment: Experiment, evidence: Evidence) -> Lack | None:
    metric = evidence.metric(experiment)
    if not experiment.kind.measured or experiment.eval_set or (metric and metric.eval_set):
        return None
    return ("the evaluation set", f"/exp frame {experiment.key} --eval-set holdout-v3")


def _min_effect(experiment: Experiment, evidence: Evidence) -> Lack | None:
    if not experiment.kind.measured or experiment.min_effect is not None:
        return None
    return ("the smallest effect worth acting on", f"/exp frame {experiment.key} --min-effect 0.01")


def _baseline(experiment: Experiment, evidence: Evidence) -> Lack | None:
    known = evidence.goal is not None and evidence.goal.baseline is not None
    if not experiment.kind.measured or experiment.kind is Kind.BASELINE or known or evidence.baseline_experiment:
        return None
    goal = experiment.goal or "GOAL"
    return ("a baseline value, or an experiment of kind baseline", f"/exp goal edit {goal} --baseline 0.71")


def _data(experiment: Experiment, evidence: Evidence) -> Lack | None:
    goal = evidence.goal
    open_marks = [name for name in DATA_MARKS if not goal or goal.mark(name).answer is not Answer3.YES]
    if not open_marks:
        return None
    options = " ".join(f"--{name} yes" for name in open_marks)
    return (f"data confirmed ({', '.join(open_marks)})", f"/exp goal ready {experiment.goal or 'GOAL'} {options}")


def _pipeline(experiment: Experiment, evidence: Evidence) -> Lack | None:
    goal = evidence.goal
    if not experiment.kind.measured or (goal and goal.mark("pipeline").answer is Answer3.YES):
        return None
    goal_key = experiment.goal or "GOAL"
    return ("the evaluation pipeline run on the baseline", f"/exp goal ready {goal_key} --pipeline yes")


def _appetite(experiment: Experiment, evidence: Evidence) -> Lack | None:
    return None if experiment.appetite else ("an appetite", f"/exp frame {experiment.key} --appetite M")


def _issue(experiment: Experiment, evidence: Evidence) -> Lack | None:
    if experiment.issue_id or not evidence.jira_configured:
        return None
    return ("a linked Jira issue", f"/exp link {experiment.key} ML-345")


def _research_last(experiment: Experiment, evidence: Evidence) -> Lack | None:
    if experiment.kind is not Kind.RESEARCH or evidence.prod_beats_baseline:
        return None
    return (
        "a model that beats the baseline in production, before research",
        f"conclude an improvement first, or /exp frame {experiment.key} --kind improvement",
    )


def _dev_evidence(experiment: Experiment, evidence: Evidence) -> Lack | None:
    if not experiment.kind.measured or evidence.dev_runs >= experiment.min_runs:
        return None
    return (
        f"evidence on development data: {evidence.dev_runs} of {experiment.min_runs} runs",
        f"tag runs with scrumbut.experiment={experiment.key}, then /exp sync",
    )


def _parity(experiment: Experiment, evidence: Evidence) -> Lack | None:
    ungated = not experiment.kind.measured or experiment.kind is Kind.BASELINE
    if ungated or experiment.parity_reason or evidence.parity.holds:
        return None
    found = evidence.parity.why or f"gap {evidence.parity.gap:.4g}, tolerance {evidence.parity.tolerance:.4g}"
    remedy = f'wait for production readings, or /exp move {experiment.key} deciding --reason "labels are late"'
    return (f"parity between dev and prod ({found})", remedy)


def _outcome(experiment: Experiment, evidence: Evidence) -> Lack | None:
    if experiment.outcome and experiment.learning:
        return None
    return ("an outcome and a learning", f'/exp outcome {experiment.key} good|bad|interesting "what we learned"')


# What must hold to *leave* a stage, in the order in which a person would supply it.
GATES: Mapping[Stage, tuple[Gate, ...]] = {
    Stage.IDEA: (_owner,),
    Stage.FRAMED: (_goal, _hypothesis, _metric, _eval_set, _baseline, _serves, _min_effect),
    Stage.READY: (_data, _pipeline, _appetite, _issue, _research_last),
    Stage.RUNNING: (_dev_evidence,),
    Stage.OBSERVING: (_parity,),
    Stage.DECIDING: (_outcome,),
}


def check_gates(experiment: Experiment, to: Stage, evidence: Evidence) -> None:
    """Raise GateClosed unless every hard gate between the experiment's stage and `to` holds; skipping a stage
    skips none of its gates."""
    passed = [stage for stage in Stage if experiment.stage.rank <= stage.rank < to.rank]
    found = (gate(experiment, evidence) for stage in passed for gate in GATES.get(stage, ()))
    missing = tuple(lack for lack in found if lack)
    if missing:
        raise GateClosed(f"{experiment.key} cannot go from {experiment.stage} to {to} yet. Missing:", missing)


def warnings(experiment: Experiment, to: Stage, evidence: Evidence) -> list[str]:
    """What a person should know before the move, none of it blocking."""
    if to is not Stage.RUNNING:
        return []
    kinds = list(Kind)
    earlier = [kind for kind in kinds[: kinds.index(experiment.kind)] if kind in evidence.open_kinds]
    return [f'An experiment of kind "{kind}" on this goal has not concluded yet.' for kind in earlier]


def create(
    title: str, who: str, now: datetime, *, kind: Kind = Kind.IMPROVEMENT, goal: str = "", appetite: str = ""
) -> Entry:
    """The first entry of a timeline: an idea owned by whoever had it."""
    changes = {
        "title": clean_title(title),
        "kind": kind,
        "goal": goal,
        "appetite": appetite,
        "owner": who,
        "stage_since": now,
    }
    return Entry(now, who, "created", clean_title(title), changes)


def frame(experiment: Experiment, who: str, now: datetime, fields: Mapping[str, Any]) -> Entry:
    """Set what frames the experiment; an idea with an owner becomes *framed*. Refused once it is decided."""
    _refuse_decided(experiment)
    if not fields:
        raise BacklogError(
            f"Nothing to frame {experiment.key} with.",
            f'/exp frame {experiment.key} --hypothesis "…" --metric recall --min-effect 0.01 --decision "…"',
        )
    changes = dict(fields)
    if experiment.stage is Stage.IDEA:
        check_gates(experiment, Stage.FRAMED, Evidence())
        changes |= {"stage": Stage.FRAMED, "stage_since": now}
    return Entry(now, who, "framed", ", ".join(sorted(fields)), changes)


def edit(experiment: Experiment, who: str, now: datetime, fields: Mapping[str, Any]) -> Entry:
    """Change title, owner or appetite at any stage."""
    if not fields:
        raise BacklogError("Nothing to change.", f'/exp edit {experiment.key} --title "…" --owner @ana --appetite L')
    changes = {**fields, **({"title": clean_title(fields["title"])} if "title" in fields else {})}
    return Entry(now, who, "edited", ", ".join(sorted(fields)), changes)


def move(
    experiment: Experiment,
    to: Stage,
    who: str,
    now: datetime,
    evidence: Evidence,
    rules: Rules,
    *,
    over: str = "",
    reason: str = "",
) -> Entry:
    """Enter another stage. Forward every gate between holds or GateClosed is raised; going back is allowed and
    counted. `over` is the reason for starting above a WIP limit, `reason` the one that stands for parity."""
    _refuse_decided(experiment)
    if to is experiment.stage:
        raise BacklogError(f"{experiment.key} is already {to}.", f"/exp show {experiment.key}")
    if to.finished:
        raise BacklogError(
            f"{experiment.key} becomes {to} by a decision, not by a move.",
            f'/exp decide {experiment.key} adopt|iterate|pivot|stop "why"',
        )
    changes: dict[str, Any] = {"stage": to, "stage_since": now}
    if experiment.parked_since:
        changes |= {"parked_reason": "", "parked_since": None, "parked_until": ""}
    if to.rank < experiment.stage.rank:
        return Entry(now, who, "went back", reason, changes | {"went_back": experiment.went_back + 1})
    if reason:
        changes["parity_reason"] = reason
    reasoned = replace(experiment, parity_reason=reason or experiment.parity_reason)
    check_gates(reasoned, to, evidence)
    if to.in_progress and not experiment.stage.in_progress:
        _check_wip(experiment, evidence, rules, over)
    if to.in_progress and experiment.running_since is None:
        changes |= {"running_since": now, "bet_since": now}
    text = "; ".join(part for part in (f"over the WIP limit: {over}" if over else "", reason) if part)
    return Entry(now, who, "started" if to is Stage.RUNNING else "moved", text, changes)


def _check_wip(experiment: Experiment, evidence: Evidence, rules: Rules, over: str) -> None:
    full = []
    if evidence.wip_person >= rules.wip_person:
        full.append(f"its owner has {evidence.wip_person} of {rules.wip_person} in progress")
    if evidence.wip_goal >= rules.wip_goal:
        full.append(f"the goal has {evidence.wip_goal} of {rules.wip_goal} in progress")
    if full and not over:
        raise BacklogError(
            f"No free slot for {experiment.key}: {' and '.join(full)}.",
            f'Finish one first, or say why now: /exp start {experiment.key} --over "prod incident"',
        )


def note(experiment: Experiment, who: str, now: datetime, text: str) -> Entry:
    """Keep a sentence. Raises BacklogError where there is none."""
    if not text.strip():
        raise BacklogError("That note is empty.", f"/exp note {experiment.key} leakage in fold 3, fixed")
    return Entry(now, who, "noted", text.strip())


def block(experiment: Experiment, who: str, now: datetime, reason: str) -> Entry:
    """Mark as blocked, since now; a second block changes the reason and keeps the date."""
    _refuse_decided(experiment)
    if not reason.strip():
        raise BacklogError("A block needs its reason.", f'/exp block {experiment.key} "labels late"')
    changes = {"blocked_reason": reason.strip(), "blocked_since": experiment.blocked_since or now}
    return Entry(now, who, "blocked", reason.strip(), changes)


def unblock(experiment: Experiment, who: str, now: datetime) -> Entry:
    """Lift the block. Raises BacklogError where there is none."""
    if not experiment.blocked_reason:
        raise BacklogError(f"{experiment.key} is not blocked.", f"/exp show {experiment.key}")
    return Entry(now, who, "unblocked", "", {"blocked_reason": "", "blocked_since": None})


def park(experiment: Experiment, who: str, now: datetime, reason: str, until: date | None = None) -> Entry:
    """Put aside, until a date or until somebody moves it; it takes no slot meanwhile."""
    _refuse_decided(experiment)
    if not reason.strip():
        raise BacklogError("Parking needs its reason.", f'/exp park {experiment.key} "after the migration"')
    changes = {
        "parked_reason": reason.strip(),
        "parked_since": experiment.parked_since or now,
        "parked_until": until.isoformat() if until else "",
    }
    return Entry(now, who, "parked", reason.strip(), changes)


def set_hill(experiment: Experiment, who: str, now: datetime, position: str) -> Entry:
    """Say whether it is still being figured out (uphill) or only carried out (downhill)."""
    _refuse_decided(experiment)
    return Entry(now, who, "hill", position, {"hill": position})


def checkpoint(experiment: Experiment, who: str, now: datetime, text: str) -> Entry:
    """Record the look that an appetite asks for."""
    _refuse_not_started(experiment)
    if not text.strip():
        raise BacklogError(
            "A checkpoint says what was seen.", f'/exp checkpoint {experiment.key} "gain holds on two seeds, one to go"'
        )
    return Entry(now, who, "checkpoint", text.strip(), {"checkpoint_at": now})


def extend(experiment: Experiment, who: str, now: datetime, reason: str, runs_since_bet: int) -> Entry:
    """Bet one more appetite: counted, with a reason, and on new evidence where the kind is measured."""
    _refuse_not_started(experiment)
    if not reason.strip():
        raise BacklogError("A new bet needs its reason.", f'/exp extend {experiment.key} "production labels arrive"')
    if experiment.kind.measured and not runs_since_bet:
        raise GateClosed(
            f"{experiment.key} cannot be extended yet. Missing:",
            (("a run since the last bet", f"tag runs with scrumbut.experiment={experiment.key}, then /exp sync"),),
        )
    changes: dict[str, Any] = {
        "extensions": experiment.extensions + 1,
        "bet_since": now,
        "checkpoint_at": None,
    }
    if experiment.stage is Stage.DECIDING:
        changes |= {"stage": Stage.RUNNING, "stage_since": now}
    return Entry(now, who, "extended", f"bet {experiment.extensions + 2}: {reason.strip()}", changes)


def pass_time(experiment: Experiment, now: datetime, rules: Rules) -> Entry | None:
    """What the passing of time alone does; None while nothing is due.

    Half-way through the appetite it asks for a look; when the appetite is spent the experiment goes to *deciding*,
    never killed and never silently extended. A parked one comes back on its day, and its appetite rests till then.
    """
    if experiment.parked_since:
        due = bool(experiment.parked_until) and now.date().isoformat() >= experiment.parked_until
        back = {"parked_reason": "", "parked_since": None, "parked_until": ""}
        return Entry(now, BOT, "came back", f"parked: {experiment.parked_reason}", back) if due else None
    days, appetite = experiment.bet_days(now), rules.appetite_days.get(experiment.appetite)
    if experiment.stage not in (Stage.RUNNING, Stage.OBSERVING) or days is None or appetite is None:
        return None
    if days >= appetite:
        changes = {"stage": Stage.DECIDING, "stage_since": now}
        return Entry(now, BOT, "appetite spent", f"{days} of {appetite} days", changes)
    if 2 * days >= appetite and experiment.checkpoint_at is None:
        return Entry(now, BOT, "half-way", f"{days} of {appetite} days", {"checkpoint_at": now})
    return None


def undo(experiment: Experiment, timeline: Sequence[Entry], who: str, now: datetime) -> Entry:
    """Take back one's own last act within 15 minutes; the timeline keeps both. What it told others stays told."""
    last = timeline[-1]
    if last.who != who:
        raise BacklogError(f"The last act on {experiment.key} is not yours.", f"/exp show {experiment.key}")
    if last.act in ("created", "undone"):
        raise BacklogError(
            f'"{last.act}" cannot be undone: nothing is ever deleted.', f'/exp park {experiment.key} "a mistake"'
        )
    if now - last.at > UNDO_WITHIN:
        raise BacklogError(
            f"The last act on {experiment.key} is older than 15 minutes.", f"/exp show {experiment.key}, then mend it."
        )
    before = replay(experiment.number, timeline[:-1])
    return Entry(now, who, "undone", last.act, {name: getattr(before, name) for name in last.changes})


def record_outcome(
    experiment: Experiment, outcome: Outcome, learning: str, who: str, now: datetime, next_key: str = ""
) -> Entry:
    """Say what was found. An *interesting* outcome must name the experiment that follows from it."""
    _refuse_not_started(experiment)
    if not learning.strip():
        raise BacklogError(
            "An outcome needs the sentence worth keeping.",
            f'/exp outcome {experiment.key} {outcome} "recall up only for new users"',
        )
    if outcome is Outcome.INTERESTING and not next_key:
        raise BacklogError(
            "An interesting outcome changes what we do next, so it names what follows.",
            f'/exp new "…" first, then /exp outcome {experiment.key} interesting "…" --next EXP-19',
        )
    changes = {"outcome": outcome, "learning": learning.strip(), "next_key": next_key, "outcome_by": who}
    return Entry(now, who, "outcome", f"{outcome}: {learning.strip()}", changes)


def decide(
    experiment: Experiment, decision: Decision, reason: str, who: str, now: datetime, evidence: Evidence
) -> Entry:
    """Conclude: *adopt* makes it monitored, every other decision concluded. All gates on the way hold."""
    if experiment.decision:
        raise BacklogError(
            f"{experiment.key} was already decided: {experiment.decision}, by {experiment.decided_by}.",
            f"/exp show {experiment.key}",
        )
    if not reason.strip():
        raise BacklogError(
            "A decision needs its reason.", f'/exp decide {experiment.key} {decision} "gain 0.2 pt, needs 1.0"'
        )
    check_gates(experiment, Stage.CONCLUDED, evidence)
    changes = {
        "stage": Stage.MONITORED if decision is Decision.ADOPT else Stage.CONCLUDED,
        "stage_since": now,
        "decision": decision,
        "decision_reason": reason.strip(),
        "decided_by": who,
        "decided_at": now,
    }
    return Entry(now, who, "decided", f"{decision}: {reason.strip()}", changes)


def link_issue(experiment: Experiment, issue: Issue, who: str, now: datetime) -> Entry:
    """Tie the experiment to its twin in Jira by the immutable id. Linking the same issue again changes nothing;
    another one must be unlinked first."""
    if experiment.issue_id and experiment.issue_id != issue.id:
        raise BacklogError(
            f"{experiment.key} is already linked to {experiment.issue_key}.",
            f"/exp unlink {experiment.key} first.",
        )
    changes = {"issue_id": issue.id, "issue_key": issue.key, "issue_url": issue.url}
    return Entry(now, who, "linked", issue.key, changes)


def unlink_issue(experiment: Experiment, who: str, now: datetime) -> Entry:
    """Cut the tie to Jira; nothing is deleted there."""
    if not experiment.issue_id:
        raise BacklogError(f"{experiment.key} has no linked issue.", f"/exp link {experiment.key} ML-345")
    return Entry(now, who, "unlinked", experiment.issue_key, {"issue_id": "", "issue_key": "", "issue_url": ""})


def _refuse_not_started(experiment: Experiment) -> None:
    _refuse_decided(experiment)
    if not experiment.stage.in_progress:
        raise BacklogError(f"{experiment.key} is {experiment.stage}: it has not run.", f"/exp start {experiment.key}")


def _refuse_decided(experiment: Experiment) -> None:
    if experiment.stage.finished:
        raise BacklogError(
            f"{experiment.key} is {experiment.stage}: its question was answered ({experiment.decision}).",
            '/exp new "…" to follow up.',
        )
