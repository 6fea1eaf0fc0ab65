"""One week of the backlog as a snapshot: takes everything known, judges it, and fixes it for the report.

Renders nothing and reads nothing; what a surface says of the snapshot is the report's business.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from backlog.aging import HISTORY_NEEDED, own_history
from backlog.cadence import Every
from backlog.drift import change_points
from backlog.experiment import Decision, Entry, Experiment, Outcome, Stage
from backlog.goal import Goal
from backlog.health import DECIDE_WITHIN, QUIET, experiment_health, goal_health
from backlog.metric import PROD, Better, Metric, RunValue
from backlog.outlook import goal_outlook
from backlog.parity import goal_parity
from backlog.progress import best_by_week, hit_interval, standing
from backlog.register import MANUAL, Answer, Registered, with_answers
from backlog.reliability import Reliability
from backlog.risk import Situation, find_risks, in_order
from backlog.snapshot import (
    Change,
    Comparison,
    DecisionNeeded,
    ExperimentLine,
    Flow,
    GoalLine,
    Health,
    HealthCall,
    Learned,
    Move,
    Period,
    Risk,
    RunDot,
    Snapshot,
    SourceLine,
    Step,
    Track,
)

WEEK = timedelta(days=7)
WEEKS_SHOWN = 10
LATE = timedelta(hours=1)  # a report later than this says so


@dataclass(frozen=True, slots=True)
class Occasion:
    """Which report this is: name, audience, the time it was due, and how it is scheduled."""

    report: str
    audience: str
    due_at: datetime
    zone: str
    schedule: str = ""
    public_url: str = ""
    every: Every = Every.WEEK
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about the backlog. `entries` are the week's timeline lines with their experiment's key;
    `read_at` is by metric id; `updated_at` is the last human act by goal; `people` maps user ids to names. `moves` is
    the history of each goal's numbers, `observed_at` when an experiment first met production data, `story` the whole
    timeline of the occasion's subject; `register` are the risks there have been, `settled` those that resolved in the
    period, `calls` what people last said of a goal's health, `own` how the team's own forecasts did."""

    situation: Situation
    entries: Sequence[tuple[str, Entry]]
    read_at: Mapping[int, datetime]
    updated_at: Mapping[str, datetime]
    sources: Sequence[SourceLine]
    people: Mapping[str, str]
    previous: Snapshot | None = None
    moves: Mapping[str, Sequence[Move]] = field(default_factory=dict)
    observed_at: Mapping[str, datetime] = field(default_factory=dict)
    story: Sequence[Entry] = ()
    register: Sequence[Registered] = ()
    settled: Sequence[Registered] = ()
    calls: Mapping[str, HealthCall] = field(default_factory=dict)
    own: Reliability | None = None


@dataclass(frozen=True, slots=True)
class _View:
    """What every line of one snapshot looks at; `risks_of` is by subject, `own_runs` by metric id and experiment's
    key."""

    known: Known
    period: Period
    subject: str
    risks: Sequence[Risk]
    risks_of: Mapping[str, Sequence[Risk]]
    own_runs: Mapping[tuple[int, str], list[RunValue]]

    @property
    def situation(self) -> Situation:
        return self.known.situation

    def runs_of(self, e: Experiment, metric: Metric) -> list[RunValue]:
        return self.own_runs.get((metric.id, e.key), [])


def period_of(due_at: datetime, zone: str, every: Every = Every.WEEK) -> Period:
    """The local day, ISO week or month that held most of the like span before `due_at`: on Monday morning the week
    before, on Friday afternoon the current one. Keyed by local date, so changing clocks never shifts it:
    `2026-11-23`, `2026-W47`, `2026-10`."""
    midnight = due_at.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    local = due_at.astimezone(ZoneInfo(zone))
    if every is Every.DAY:
        day = midnight if local.hour >= 12 else midnight - timedelta(days=1)
        return Period(f"{day:%Y-%m-%d}", day, day + timedelta(days=1), zone)
    if every is Every.MONTH:
        first = (midnight - timedelta(days=15)).replace(day=1)
        return Period(f"{first:%Y-%m}", first, (first + timedelta(days=31)).replace(day=1), zone)
    middle = local - timedelta(days=3, hours=12)
    monday = (middle - timedelta(days=middle.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
    year, week, _ = monday.isocalendar()
    return Period(f"{year}-W{week:02d}", monday, monday + WEEK, zone)


def report_id(report: str, audience: str, period: Period, subject: str = "") -> str:
    """A report's identity, `weekly-manager-2026-W47`: one report, one audience, one period, of a card one subject."""
    return "-".join(part for part in (report, subject, audience, period.key) if part)


def take_snapshot(occasion: Occasion, known: Known) -> Snapshot:
    """The week's snapshot; the same arguments give an equal one."""
    s = known.situation
    period = period_of(occasion.due_at, occasion.zone, occasion.every)
    before = known.previous.risks if known.previous else ()
    standing = with_answers(find_risks(s, before), known.register, s.now)
    risks = in_order(risk for risk in standing if risk.answer != Answer.MUTED)
    view = _View(known, period, occasion.subject, risks, _by_subject(risks), _by_experiment(s.runs))
    changed = {key for key, entry in known.entries if period.start <= entry.at < period.end}
    return Snapshot(
        report=occasion.report,
        audience=occasion.audience,
        id=report_id(occasion.report, occasion.audience, period, occasion.subject),
        period=period,
        made_at=s.now,
        late=s.now - occasion.due_at > LATE,
        schedule=occasion.schedule,
        public_url=occasion.public_url,
        goals=tuple(_goal_line(goal, view) for goal in s.goals),
        experiments=tuple(_experiment_line(e, view, e.key in changed) for e in s.experiments),
        decisions=tuple(_decisions(s)),
        learned=tuple(_learned(view)),
        changes=tuple(_changes(known, period)),
        risks=tuple(risks),
        flow=_flow(known, period),
        sources=tuple(known.sources),
        policy=s.rules.policy,
        people=dict(known.people),
        resolved=_resolved([*before, *(entry.risk for entry in known.settled)], standing),
        subject=occasion.subject,
        hit_interval=_hits(s.experiments),
    )


def _by_subject(risks: Iterable[Risk]) -> dict[str, list[Risk]]:
    found: dict[str, list[Risk]] = {}
    for risk in risks:
        found.setdefault(risk.subject, []).append(risk)
    return found


def _by_experiment(runs: Mapping[int, Sequence[RunValue]]) -> dict[tuple[int, str], list[RunValue]]:
    own: dict[tuple[int, str], list[RunValue]] = {}
    for metric_id, values in runs.items():
        for run in values:
            if run.experiment:
                own.setdefault((metric_id, run.experiment), []).append(run)
    return own


def _resolved(before: Sequence[Risk], risks: Sequence[Risk]) -> tuple[Risk, ...]:
    """Those of before that are gone, each once."""
    there = {_identity(risk) for risk in risks}
    gone = {_identity(risk): risk for risk in before}
    return tuple(risk for key, risk in gone.items() if key not in there)


def _identity(risk: Risk) -> tuple[str, str, int]:
    return risk.rule, risk.subject, risk.number if risk.rule == MANUAL else 0


def _hits(experiments: Sequence[Experiment]) -> tuple[float, float] | None:
    finished = [e for e in experiments if e.stage.finished]
    return hit_interval(sum(e.outcome is Outcome.GOOD for e in finished), len(finished))


def _goal_line(goal: Goal, view: _View) -> GoalLine:
    known, s = view.known, view.situation
    own = [e for e in s.experiments if e.goal == goal.key]
    subjects = {goal.key, *(e.key for e in own)}
    metrics = [m for m in s.metrics if m.goal == goal.key and m.name == goal.metric]
    tracks = tuple(_goal_track(m, view) for m in metrics)
    better = goal.better or next((m.better for m in metrics), None)
    parity = goal_parity(metrics, s.runs)
    health, evidence = goal_health(
        own,
        [risk for risk in view.risks if risk.subject in subjects],
        parity,
        any(track.best is not None for track in tracks),
        known.updated_at.get(goal.key),
        s.now,
    )
    before = known.previous and next((g.health for g in known.previous.goals if g.key == goal.key), None)
    return GoalLine(
        key=goal.key,
        statement=goal.statement,
        anti_goals=goal.anti_goals,
        metric=goal.metric,
        unit=next((m.unit for m in metrics), ""),
        better=better,
        baseline=goal.baseline,
        target=goal.target,
        met=_met(tracks, goal.target, better),
        health=health,
        health_before=before or None,
        evidence=evidence,
        tracks=tracks,
        parity=Comparison(parity.gap, parity.tolerance, parity.holds, parity.why) if parity else None,
        moves=tuple(known.moves.get(goal.key, ())),
        finished=sum(e.stage.finished for e in own),
        good=sum(e.stage.finished and e.outcome is Outcome.GOOD for e in own),
        call=_call(known, goal.key),
        outlook=_outlook(goal, own, view),
    )


def _outlook(goal: Goal, own: Sequence[Experiment], view: _View) -> tuple[str, ...]:
    """What may come of a goal that is worked on, or why nothing is said of it."""
    if not any(e.stage.in_progress for e in own):
        return ()
    told = goal_outlook(view.situation, goal, view.known.own)
    return (*((told.why,) if told.why else ()), *told.lines)


def _call(known: Known, goal: str) -> HealthCall | None:
    """What a person last said of the goal's health, by name, while it is fresh enough to count as an update."""
    call = known.calls.get(goal)
    if call is None or known.situation.now - call.at > QUIET:
        return None
    return replace(call, who=known.people.get(call.who, call.who))


def _goal_track(metric: Metric, view: _View) -> Track:
    s, first_shown = view.situation, view.period.end - WEEKS_SHOWN * WEEK
    runs = s.runs.get(metric.id, ())
    others = _between(s.left_out.get(metric.id, ()), first_shown, s.now)
    compared_on = metric.eval_set or next((run.eval_set for run in runs if run.eval_set), "")
    return replace(
        _track(metric, runs, view, dots=False),
        left_out=len(others),
        other_sets=tuple(sorted({run.eval_set for run in others})),
        compared_on=compared_on,
        changes=tuple(at for at in _changes_of(metric, s) if first_shown <= at < s.now),
    )


def _changes_of(metric: Metric, s: Situation) -> list[datetime]:
    """When its mean changed: of single readings where they are watched, else over its runs."""
    finished = sorted((run.at, run.value) for run in s.runs.get(metric.id, ()) if not run.failed)
    points = s.watched.get(metric.id) or finished
    return [points[place][0] for place in change_points([value for _, value in points])]


def _track(metric: Metric, runs: Sequence[RunValue], view: _View, *, dots: bool) -> Track:
    known, period = view.known, view.period
    done = [run for run in runs if run.at < known.situation.now]
    now_standing = standing(done, metric.better)
    week = _between(done, period.start, period.end)
    week_before = _between(done, period.start - WEEK, period.start)
    first_shown = period.end - WEEKS_SHOWN * WEEK
    return Track(
        environment=metric.environment,
        source=metric.source,
        best=now_standing.best if now_standing else None,
        best_at=now_standing.best_at if now_standing else None,
        best_before=metric.better.best(run.value for run in done if run.at < period.start),
        runs=len(done),
        failed=sum(run.failed for run in done),
        runs_week=len(week),
        failed_week=sum(run.failed for run in week),
        runs_week_before=len(week_before),
        failed_week_before=sum(run.failed for run in week_before),
        by_week=best_by_week(done, metric.better, period.end, WEEKS_SHOWN),
        dots=tuple(_dot(run, period) for run in done if dots and run.at >= first_shown),
        read_at=known.read_at.get(metric.id),
        eval_set=metric.eval_set,
    )


def _between(runs: Iterable[RunValue], start: datetime, end: datetime) -> list[RunValue]:
    return [run for run in runs if start <= run.at < end]


def _dot(run: RunValue, period: Period) -> RunDot:
    value = None if run.failed else run.value
    return RunDot(run.at, value, run.failed, period.start <= run.at < period.end)


def _met(tracks: Sequence[Track], target: float | None, better: Better | None) -> bool:
    """Whether the target is reached: in production where that is measured, else where it is."""
    counted = [track for track in tracks if track.environment == PROD] or tracks
    best = (better or Better.UP).best(track.best for track in counted if track.best is not None)
    if best is None or target is None or better is None:
        return False
    return best == target or better.beats(best, target)


def _experiment_line(e: Experiment, view: _View, changed: bool) -> ExperimentLine:
    known, s = view.known, view.situation
    goal = next((g for g in s.goals if g.key == e.goal), None)
    metrics = [m for m in s.metrics if m.goal == e.goal and m.name == (e.metric or (goal.metric if goal else ""))]
    # Old runs of experiments that nobody touches would make every report dearer than the one before.
    told = metrics if changed or e.stage.in_progress or e.key == view.subject else ()
    tracks = tuple(_track(m, view.runs_of(e, m), view, dots=True) for m in told)
    better = next((m.better for m in metrics), None)
    target = goal.target if goal and goal.metric == e.metric else None
    issue = s.issue(e)
    return ExperimentLine(
        key=e.key,
        title=e.title,
        goal=e.goal,
        kind=e.kind,
        stage=e.stage,
        owner=e.owner,
        issue_key=issue.key if issue else e.issue_key,
        issue_url=issue.url if issue else e.issue_url,
        hypothesis=e.hypothesis,
        metric=e.metric,
        unit=next((m.unit for m in metrics), ""),
        better=better,
        target=target,
        min_effect=e.min_effect,
        appetite=e.appetite,
        appetite_days=s.rules.appetite_days.get(e.appetite),
        age_days=e.age_days(s.now),
        bet_days=e.bet_days(s.now),
        blocked_reason=e.blocked_reason,
        outcome=e.outcome,
        learning=e.learning,
        decision=e.decision,
        decision_reason=e.decision_reason,
        next_key=e.next_key,
        went_back=e.went_back,
        health=experiment_health(e, view.risks_of.get(e.key, ()), sum(t.runs - t.failed for t in tracks), s.now),
        goal_met=_met(tracks, target, better),
        changed_week=changed,
        tracks=tracks,
        baseline=goal.baseline if goal and goal.metric == e.metric else None,
        eval_set=e.eval_set,
        serves=e.serves,
        reason_code=str(e.reason_code or ""),
        evidence=e.decision_evidence,
        decided_by=e.decided_by,
        decided_at=e.decided_at,
        followers=tuple(other.key for other in s.experiments if other.parent == e.key) if e.key == view.subject else (),
        story=tuple(_steps(known.story)) if e.key == view.subject else (),
    )


def _steps(entries: Sequence[Entry]) -> Iterable[Step]:
    for entry in entries:
        sentence = {**SENTENCES, "noted": "note: {text}", "checkpoint": "checkpoint: {text}"}.get(entry.act)
        if sentence:
            what = sentence.format(stage=entry.changes.get("stage", ""), text=entry.text)
            yield Step(entry.at, what, entry.who)


def _decisions(s: Situation) -> Iterable[DecisionNeeded]:
    for e in s.active:
        issue = s.issue(e)
        if e.stage is Stage.DECIDING:
            if e.outcome:
                found = f'Decide what to do about "{e.title}". The outcome is {e.outcome}: {e.learning}'
                yield _needed(e, found, ("adopt", "iterate", "pivot", "stop"), s.now)
            else:
                asked = f'Say what "{e.title}" found, and decide.'
                yield _needed(e, asked, ("name the outcome", f"bet again (/exp extend {e.key})"), s.now)
        elif issue and issue.done:
            asked = f'{issue.key} is "{issue.status}" in Jira. Name the outcome of "{e.title}" and decide.'
            yield _needed(e, asked, ("name the outcome", f"reopen {issue.key}"), s.now)


def _needed(e: Experiment, question: str, options: tuple[str, ...], now: datetime) -> DecisionNeeded:
    default = "it stays open and is asked again next week"
    since = e.stage_since if e.stage is Stage.DECIDING else None
    health = Health.OFF_TRACK if since and now - since > DECIDE_WITHIN else Health.AT_RISK
    return DecisionNeeded(e.key, e.title, question, options, e.owner, default, health, since)


def _learned(view: _View) -> Iterable[Learned]:
    s, period = view.situation, view.period
    for e in s.experiments:
        if not (e.decision and e.outcome and e.decided_at and period.start <= e.decided_at < period.end):
            continue
        runs = sum(len(view.runs_of(e, m)) for m in s.metrics if m.goal == e.goal and m.name == e.metric)
        yield Learned(e.key, e.title, e.goal, e.outcome, e.learning, e.decision, _so_what(e), runs)


def _so_what(e: Experiment) -> str:
    if e.decision is Decision.ADOPT:
        return f"adopted and watched in production: {e.decision_reason}"
    if e.outcome is Outcome.BAD:
        return f"a cost avoided: {e.decision_reason}"
    if e.next_key:
        return f"{e.next_key} follows from it: {e.decision_reason}"
    return f"{e.decision}: {e.decision_reason}"


SENTENCES = {
    "created": "new on the backlog",
    "started": "started",
    "went back": "went back to {stage}",
    "moved": "moved to {stage}",
    "blocked": "blocked: {text}",
    "unblocked": "unblocked",
    "outcome": "outcome {text}",
    "decided": "concluded, {text}",
    "parked": "parked: {text}",
    "extended": "extended, {text}",
    "appetite spent": "appetite spent, {text}: waits for a decision",
    "came back": "came back, {text}",
    "follows": "follows from {text}",
}
GOAL_SENTENCES = {"created": "new goal", "deployed": "{text} went to production"}
NUMBERS = ("baseline", "target")  # of a goal: what moves stays visible


def _changes(known: Known, period: Period) -> Iterable[Change]:
    titles = {e.key: e.title for e in known.situation.experiments}
    titles |= {f"goal:{goal.key}": goal.statement for goal in known.situation.goals}
    for key, entry in known.entries:
        if not period.start <= entry.at < period.end:
            continue
        for what in _told(key, entry):
            yield Change(entry.at, key.removeprefix("goal:"), titles.get(key, key), what, entry.who)


def _told(key: str, entry: Entry) -> Iterable[str]:
    of_goal = key.startswith("goal:")
    sentence = (GOAL_SENTENCES if of_goal else SENTENCES).get(entry.act)
    if sentence:
        yield sentence.format(stage=entry.changes.get("stage", ""), text=entry.text)
    if of_goal and entry.act in ("edited", "undone"):
        before, after = entry.changes.get("before", {}), entry.changes.get("after", {})
        why = f": {entry.text}" if entry.text else ""
        for name in NUMBERS:
            if name in after:
                yield f"{name} moved {_plain(before.get(name))} → {_plain(after[name])}{why}"


def _plain(value: float | None) -> str:
    return "nothing" if value is None else f"{value:g}"


def _flow(known: Known, period: Period) -> Flow:
    s = known.situation
    running = [e for e in s.experiments if e.stage.in_progress]
    finished = [e for e in s.experiments if e.stage.finished]
    ages = sorted(((e.key, e.age_days(s.now) or 0) for e in running), key=lambda pair: (-pair[1], pair[0]))
    to_dev, to_prod = _iteration(finished, known.observed_at)
    return Flow(
        wip=len(running),
        wip_limit=s.rules.wip_goal * max(1, len(s.goals)),
        oldest=tuple(ages[:3]),
        finished_week=sum(bool(e.decided_at and period.start <= e.decided_at < period.end) for e in finished),
        finished_ever=len(finished),
        good_ever=sum(e.outcome is Outcome.GOOD for e in finished),
        history_needed=HISTORY_NEEDED,
        history=own_history(s.experiments),
        ideas=sum(e.stage in (Stage.IDEA, Stage.FRAMED) for e in s.experiments),
        ready=sum(e.stage is Stage.READY for e in s.experiments),
        by_week=_answers_by_week(finished, period.end),
        days_to_dev=to_dev,
        days_to_prod=to_prod,
    )


def _answers_by_week(finished: Sequence[Experiment], end: datetime) -> tuple[int, ...]:
    ages = [(end - e.decided_at) // WEEK for e in finished if e.decided_at and e.decided_at < end]
    return tuple(ages.count(back) for back in reversed(range(WEEKS_SHOWN)))


def _iteration(
    finished: Sequence[Experiment], observed_at: Mapping[str, datetime]
) -> tuple[int | None, int | None]:  # fmt: skip
    """Median days from running to production data, which is when dev has answered, and from there to the decision."""
    ways = [
        (e.running_since, observed_at[e.key], e.decided_at)
        for e in finished
        if e.running_since and e.decided_at and e.key in observed_at
    ]
    if not ways:
        return None, None
    return (
        round(median((observed - began).days for began, observed, _ in ways)),
        round(median((decided - observed).days for _, observed, decided in ways)),
    )
