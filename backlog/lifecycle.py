"""What may happen to an experiment.

Every act is a pure function that returns the timeline's next Entry or raises a BacklogError; what must hold between
the stages is in `gates.py`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from backlog.aging import Ages, nudge_due, too_young
from backlog.errors import BacklogError, GateClosed, Incomplete
from backlog.experiment import (
    TITLE_MAX,
    Decision,
    Entry,
    Experiment,
    Kind,
    Outcome,
    ReasonCode,
    Stage,
    clean_title,
    replay,
)  # fmt: skip
from backlog.gates import Evidence, check_gates
from backlog.issue import Issue
from backlog.policy import Rules

UNDO_WITHIN = timedelta(minutes=15)
OFFERED_FROM = 85  # percentile of the own ages from which deciding is offered, never done
BOT = "scrumbut"  # who acts when only time has passed
SHORT = 60  # characters of an old or new value that a timeline's line shows
BACK: Mapping[str, Any] = {"parked_reason": "", "parked_since": None, "parked_until": ""}


def create(
    title: str,
    who: str,
    now: datetime,
    *,
    kind: Kind = Kind.IMPROVEMENT,
    goal: str = "",
    appetite: str = "",
    owner: str = "",
    parent: str = "",
) -> Entry:
    """The first entry of a timeline: an idea owned by whoever had it, unless somebody else is named."""
    changes: dict[str, Any] = {
        "title": clean_title(title),
        "kind": kind,
        "goal": goal,
        "appetite": appetite,
        "owner": owner or who,
        "stage_since": now,
    }
    return Entry(now, who, "created", clean_title(title), changes | ({"parent": parent} if parent else {}))


def adopt(issue: Issue, who: str, now: datetime, *, kind: Kind, goal: str, owner: str) -> Entry:
    """The first entry of an experiment that an issue becomes: its title is the summary where that can be one, and
    labels and priority come along. An owner nobody knows here stays open."""
    try:
        title = clean_title(issue.summary[:TITLE_MAX])
    except BacklogError:
        title = issue.key
    created = create(title, who, now, kind=kind, goal=goal)
    shared = {"owner": owner, "labels": tuple(sorted(issue.labels)), "jira_priority": issue.priority}
    return replace(created, changes={**created.changes, **shared})


def untimebox(issue: Issue, who: str, now: datetime) -> Entry:
    """That somebody wants sprint and due date cleared. Raises BacklogError where there is neither."""
    if not issue.timeboxed:
        raise BacklogError(f"{issue.key} is in no sprint and has no due date.", f"/exp sync diff {issue.key}")
    return Entry(now, who, "untimeboxed", f"{issue.key}, {issue.timeboxed}")


ASKED_AGAIN = ("hypothesis", "min_effect", "serves")  # what an iteration keeps and a pivot asks anew
MEASURED_ALIKE = ("metric", "eval_set", "min_runs")
ITERATION = re.compile(r"(.*), iteration (\d+)")


def follow_up(parent: Experiment, who: str, now: datetime, title: str = "", decision: Decision | None = None) -> Entry:
    """The creation of what follows from an experiment: the same goal, kind, owner and metric; an iteration asks the
    same question again, a pivot another one."""
    begun = create(
        title or _next_title(parent, decision),
        who,
        now,
        kind=parent.kind,
        goal=parent.goal,
        owner=parent.owner,
        parent=parent.key,
    )
    kept = (*MEASURED_ALIKE, *(ASKED_AGAIN if decision is Decision.ITERATE else ()))
    return replace(begun, changes={**begun.changes, **{name: getattr(parent, name) for name in kept}})


def _next_title(parent: Experiment, decision: Decision | None) -> str:
    if decision is not Decision.ITERATE:
        return _fitting(f"After {parent.key}: ", parent.learning or parent.title)
    match = ITERATION.fullmatch(parent.title)
    title, count = (match[1], int(match[2])) if match else (parent.title, 1)
    return f"{title[: TITLE_MAX - 20]}, iteration {count + 1}"


def _fitting(prefix: str, text: str) -> str:
    line = prefix + " ".join(text.split())
    return line if len(line) <= TITLE_MAX else line[: TITLE_MAX - 1] + "…"


def follow(experiment: Experiment, parent: str, ancestors: Sequence[str], who: str, now: datetime) -> Entry:
    """Say that it follows from another one; `ancestors` are the keys that one follows from itself."""
    if experiment.key in (parent, *ancestors):
        raise BacklogError(f"{experiment.key} cannot follow from itself.", f"/exp show {parent}")
    return Entry(now, who, "follows", parent, {"parent": parent})


def frame(experiment: Experiment, who: str, now: datetime, fields: Mapping[str, Any]) -> Entry:
    """Set what frames the experiment; an idea with an owner becomes *framed*. Refused once it is decided."""
    _refuse_decided(experiment)
    if not fields:
        raise Incomplete(
            f"Nothing to frame {experiment.key} with.",
            f'/exp frame {experiment.key} --hypothesis "…" --metric recall --min-effect 0.01 --decision "…"',
        )
    changes = dict(fields)
    if experiment.stage is Stage.IDEA:
        check_gates(experiment, Stage.FRAMED, Evidence())
        changes |= {"stage": Stage.FRAMED, "stage_since": now}
    return Entry(now, who, "framed", _differences(experiment, fields), changes)


def _differences(experiment: Experiment, fields: Mapping[str, Any]) -> str:
    """The names of what is new, and old → new for what had a value: a question that moves is seen to move."""

    def difference(name: str) -> str:
        old = getattr(experiment, name)
        return name if old in (None, "", fields[name]) else f"{name} {_short(old)} → {_short(fields[name])}"

    return ", ".join(difference(name) for name in sorted(fields))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= SHORT else f"“{text[: SHORT - 1]}…”"


def edit(experiment: Experiment, who: str, now: datetime, fields: Mapping[str, Any]) -> Entry:
    """Change title, owner, appetite or the scores of its priority at any stage."""
    if not fields:
        raise Incomplete("Nothing to change.", f'/exp edit {experiment.key} --title "…" --owner @ana --appetite L')
    changes = {**fields, **({"title": clean_title(fields["title"])} if "title" in fields else {})}
    return Entry(now, who, "edited", _differences(experiment, changes), changes)


def reassign(experiment: Experiment, owner: str, who: str, now: datetime, text: str = "") -> Entry:
    """Give it to another owner; `text` tells it by names."""
    return Entry(now, who, "reassigned", text, {"owner": owner})


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
    counted; a parked experiment comes back. `over` is the reason for starting above a WIP limit, `reason` the one
    that stands for parity where the observation ends without it."""
    _refuse_decided(experiment)
    if to.finished:
        raise BacklogError(
            f"{experiment.key} becomes {to} by a decision, not by a move.",
            f'/exp decide {experiment.key} adopt|iterate|pivot|stop "why"',
        )
    stays = to is experiment.stage
    unobserved = reason if to is Stage.DECIDING and experiment.stage.rank <= to.rank else ""
    if stays and not (experiment.parked_since or unobserved):
        raise BacklogError(f"{experiment.key} is already {to}.", f"/exp show {experiment.key}")
    changes: dict[str, Any] = {} if stays else {"stage": to, "stage_since": now}
    if experiment.parked_since:
        changes |= BACK
    if to.rank < experiment.stage.rank:
        return Entry(now, who, "went back", reason, changes | {"went_back": experiment.went_back + 1})
    if unobserved:
        changes["parity_reason"] = unobserved
    check_gates(replace(experiment, parity_reason=unobserved or experiment.parity_reason), to, evidence)
    if to.in_progress and (experiment.parked_since or not experiment.stage.in_progress):
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


def block(experiment: Experiment, who: str, now: datetime, reason: str, until: date | None = None) -> Entry:
    """Mark as blocked, since now; a second block changes the reason and keeps the date. On the day `until` the bot
    asks whether it still is."""
    _refuse_decided(experiment)
    if not reason.strip():
        raise BacklogError("A block needs its reason.", f'/exp block {experiment.key} "labels late"')
    changes = {
        "blocked_reason": reason.strip(),
        "blocked_since": experiment.blocked_since or now,
        "blocked_until": until.isoformat() if until else "",
    }
    return Entry(now, who, "blocked", reason.strip(), changes)


def unblock(experiment: Experiment, who: str, now: datetime) -> Entry:
    """Lift the block. Raises BacklogError where there is none."""
    if not experiment.blocked_reason:
        raise BacklogError(f"{experiment.key} is not blocked.", f"/exp show {experiment.key}")
    return Entry(now, who, "unblocked", "", {"blocked_reason": "", "blocked_since": None, "blocked_until": ""})


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
    """Bet one more appetite: counted, with a reason, and on new evidence, which is a run since the last bet where the
    kind is measured."""
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
    runs = f" ({runs_since_bet} run{'' if runs_since_bet == 1 else 's'} since the last bet)" if runs_since_bet else ""
    return Entry(now, who, "extended", f"bet {experiment.extensions + 2}: {reason.strip()}{runs}", changes)


def pass_time(experiment: Experiment, now: datetime, rules: Rules, ages: Ages | None = None) -> Entry | None:
    """What the passing of time alone does; None while nothing is due. One entry at a time: ask again after it.

    Half-way through the appetite it asks for a look; when the appetite is spent the experiment goes to *deciding*,
    never killed and never silently extended. One older than the team's own percentiles is named, once for each. A
    parked one comes back on its day, and its appetite rests till then; a blocked one is asked about on its day.
    """
    today = now.date().isoformat()
    if experiment.parked_since:
        due = bool(experiment.parked_until) and today >= experiment.parked_until
        return Entry(now, BOT, "came back", f"parked: {experiment.parked_reason}", BACK) if due else None
    if experiment.blocked_until and today >= experiment.blocked_until:
        asked = f"{experiment.blocked_reason}. Is it still? /exp unblock {experiment.key}"
        return Entry(now, BOT, "still blocked?", asked, {"blocked_until": ""})
    return _spend(experiment, now, rules, ages or Ages()) or _grow_old(experiment, now, ages or Ages())


def _spend(experiment: Experiment, now: datetime, rules: Rules, ages: Ages) -> Entry | None:
    days, appetite = experiment.bet_days(now), rules.appetite_days.get(experiment.appetite)
    if experiment.stage not in (Stage.RUNNING, Stage.OBSERVING) or days is None or appetite is None:
        return None
    if days >= appetite:
        changes = {"stage": Stage.DECIDING, "stage_since": now}
        return Entry(now, BOT, "appetite spent", f"{days} of {appetite} days", changes)
    if 2 * days >= appetite and experiment.checkpoint_at is None:
        why = "" if ages.history else f"; {too_young(ages)}"
        return Entry(now, BOT, "half-way", f"{days} of {appetite} days{why}", {"checkpoint_at": now})
    return None


def _grow_old(experiment: Experiment, now: datetime, ages: Ages) -> Entry | None:
    age = experiment.age_days(now)
    due = nudge_due(age, experiment.nudged, ages) if experiment.stage.in_progress and age is not None else None
    if due is None:
        return None
    reached, sentence = due
    offer = f". Is it answered? /exp move {experiment.key} deciding" if experiment.stage is not Stage.DECIDING else ""
    return Entry(now, BOT, "aged", sentence + (offer if reached >= OFFERED_FROM else ""), {"nudged": reached})


def undo(
    experiment: Experiment, timeline: Sequence[Entry], who: str, now: datetime, evidence: Evidence | None = None
) -> Entry:
    """Take back one's own last act within 15 minutes; the timeline keeps both. What it told others stays told.

    Where that leads forward again (one had gone back), the gates between hold as for any move.
    """
    last = timeline[-1]
    if last.who != who:
        raise BacklogError(f"The last act on {experiment.key} is not yours.", f"/exp show {experiment.key}")
    if last.act in ("created", "undone"):
        raise BacklogError(
            f'"{last.act}" cannot be undone: nothing is ever deleted.', f'/exp park {experiment.key} "a mistake"'
        )
    if last.act.startswith("run "):  # it changed what the run belongs to, not the experiment
        raise BacklogError(f'"{last.act}" is not undone but taken back.', f"/exp unlink {experiment.key} {last.text}")
    if now - last.at > UNDO_WITHIN:
        raise BacklogError(
            f"The last act on {experiment.key} is older than 15 minutes.", f"/exp show {experiment.key}, then mend it."
        )
    before = replay(experiment.number, timeline[:-1])
    if before.stage.rank > experiment.stage.rank:
        check_gates(experiment, before.stage, evidence or Evidence())
    return Entry(now, who, "undone", last.act, {name: getattr(before, name) for name in last.changes})


def record_outcome(
    experiment: Experiment,
    outcome: Outcome,
    learning: str,
    who: str,
    now: datetime,
    next_key: str = "",
    code: ReasonCode | None = None,
) -> Entry:
    """Say what was found, with a reason code where one fits. An *interesting* outcome must name the experiment that
    follows from it."""
    _refuse_not_started(experiment)
    if not learning.strip():
        raise BacklogError(
            "An outcome needs the sentence worth keeping.",
            f'/exp outcome {experiment.key} {outcome} "recall up only for new users"',
        )
    if outcome is Outcome.INTERESTING and not next_key:
        raise BacklogError(
            "An interesting outcome changes what we do next, so it names what follows.",
            f'/exp outcome {experiment.key} interesting "…" --next EXP-19, or --next "Its title" for a new one',
        )
    changes: dict[str, Any] = {
        "outcome": outcome,
        "reason_code": code,
        "learning": learning.strip(),
        "outcome_by": who,
    }
    if next_key:
        changes["next_key"] = next_key
    found = f"{outcome}, {code}" if code else outcome
    return Entry(now, who, "outcome", f"{found}: {learning.strip()}", changes)


def decide(
    experiment: Experiment,
    decision: Decision,
    reason: str,
    who: str,
    now: datetime,
    evidence: Evidence,
    *,
    found: str = "",
    next_key: str = "",
) -> Entry:
    """Say what we do about it. *adopt* makes it monitored; *park* and *extend* are what their verbs are; every other
    decision concludes. All gates on the way hold, and what is adopted has passed those of *running* and *observing*
    even where its appetite took it past them. `found` is the evidence in words, `next_key` what follows."""
    if experiment.decision:
        raise BacklogError(
            f"{experiment.key} was already decided: {experiment.decision}, by {experiment.decided_by}.",
            f"/exp show {experiment.key}. What you meant to say fits into a note: /exp note {experiment.key} …",
        )
    if decision is Decision.PARK:
        return park(experiment, who, now, reason)
    if decision is Decision.EXTEND:
        return extend(experiment, who, now, reason, evidence.runs_since_bet)
    if not reason.strip():
        raise BacklogError(
            "A decision needs its reason.", f'/exp decide {experiment.key} {decision} "gain 0.2 pt, needs 1.0"'
        )
    check_gates(experiment, Stage.CONCLUDED, evidence)
    if decision is Decision.ADOPT and experiment.stage is Stage.DECIDING:
        check_gates(replace(experiment, stage=Stage.RUNNING), Stage.DECIDING, evidence)
    changes: dict[str, Any] = {
        "stage": Stage.MONITORED if decision is Decision.ADOPT else Stage.CONCLUDED,
        "stage_since": now,
        "decision": decision,
        "decision_reason": reason.strip(),
        "decision_evidence": found,
        "decided_by": who,
        "decided_at": now,
    }
    if next_key:
        changes["next_key"] = next_key
    return Entry(now, who, "decided", f"{decision}: {reason.strip()}", changes)


def link_issue(experiment: Experiment, issue: Issue, who: str, now: datetime, *, instead: bool = False) -> Entry:
    """Tie the experiment to its twin in Jira by the immutable id. Linking the same issue again changes nothing;
    another one takes its place only `instead` of it."""
    if experiment.issue_id and experiment.issue_id != issue.id and not instead:
        raise BacklogError(
            f"{experiment.key} is already linked to {experiment.issue_key}.",
            f"/exp link {experiment.key} {issue.key} --instead",
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
