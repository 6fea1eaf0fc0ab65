"""What a report says: one function per report, from a snapshot to the context its templates render.

All sentences are made here, so that every surface says the same. A new report is one function and its templates.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from backlog.aging import History, expectation
from backlog.experiment import Stage
from backlog.snapshot import ExperimentLine, GoalLine, Health, Risk, Snapshot, SourceLine, Track
from reports.filters import (
    MET_SHAPE,
    MET_WORD,
    SHAPES,
    capital,
    change,
    cut,
    moment,
    number,
    plural,
    printable,
    week,
)
from reports.words import explain

BOTTOM_LINE_MAX = 280  # characters
DECISIONS_MAX = RISKS_MAX = BETS_MAX = 3
EXPERIMENTS_MAX = 25
TONES = {Health.ON_TRACK: "on", Health.AT_RISK: "risk", Health.OFF_TRACK: "off", Health.UNKNOWN: "unknown"}
ARROWS = {True: "↑", False: "↓"}
ORDER = [Health.OFF_TRACK, Health.AT_RISK, Health.UNKNOWN, Health.ON_TRACK]


def weekly(snapshot: Snapshot) -> dict[str, Any]:
    """The context of the weekly report: plain texts, numbers and lists."""
    name = _namer(snapshot)
    titles = {e.key: e.title for e in snapshot.experiments} | {g.key: capital(g.statement) for g in snapshot.goals}
    running = [e for e in snapshot.experiments if e.stage.in_progress]
    verdict = snapshot.bottom_line or bottom_line(snapshot)
    context: dict[str, Any] = {
        "id": snapshot.id,
        "week": week(snapshot.period),
        "late": snapshot.late,
        "made_at": moment(snapshot.made_at),
        "url": f"{snapshot.public_url}/reports/{snapshot.id}" if snapshot.public_url else "",
        "schedule": snapshot.schedule,
        "verdict": verdict,
        "verdict_by": name(snapshot.bottom_line_by) if snapshot.bottom_line else "auto",
        "deck": [cut(line, 300) for line in map(_goal_sentence, snapshot.goals[:3])],
        "figures": _figures(snapshot, running),
        "goals": [_goal(goal) for goal in snapshot.goals],
        "decisions": [
            {
                **_status(needed.health, False),
                "key": needed.subject,
                "title": needed.question,
                "owner": name(needed.owner),
                "options": list(needed.options),
                "default": needed.default,
            }
            for needed in snapshot.decisions[:DECISIONS_MAX]
        ],
        "decisions_more": max(0, len(snapshot.decisions) - DECISIONS_MAX),
        "learned": [
            f"{item.title} ({item.key}): {item.outcome} after {plural(item.runs, 'run')}. {_sentence(item.learning)} "
            f"So what: {_sentence(item.so_what)}"
            for item in snapshot.learned
        ],
        "changes": _changes(snapshot),
        "experiments": [_experiment(e, name) for e in _shown(snapshot)],
        "experiments_more": _counted(snapshot),
        "risks": [_risk(risk, titles.get(risk.subject, ""), name) for risk in snapshot.risks[:RISKS_MAX]],
        "risks_more": max(0, len(snapshot.risks) - RISKS_MAX),
        "flow": _flow(snapshot),
        "bets": _bets(snapshot),
        "backlog": _backlog(snapshot),
        "notes": _notes(snapshot),
        "sources": [_source(source) for source in snapshot.sources],
        "policy": [f"{p.but}, but {p.because}; instead: {p.instead}" for p in snapshot.policy],
        "empty": not (snapshot.changes or snapshot.learned or any(t.runs_week for t in _tracks(snapshot))),
        "chart": _chart(snapshot),
    }
    return {
        **context,
        "words": explain(snapshot, context),
        "decision_lines": [*map(_decision_line, context["decisions"]), *_more(context["decisions_more"], "decision")],
        "risk_lines": [*map(_risk_line, context["risks"]), *_more(context["risks_more"], "risk")],
    }


def _decision_line(needed: dict[str, Any]) -> str:
    options = " or ".join(needed["options"])
    asked = f"{_sentence(needed['title'])} Options: {options}. {needed['key']}, {needed['owner'] or 'no owner'}."
    return f"{asked} Otherwise {needed['default']}."


def _risk_line(risk: dict[str, str]) -> str:
    who = f"{risk['subject']}, {risk['owner'] or 'no owner'}, {risk['trend']}"
    return (
        f"{risk['sentence']} {_sentence(risk['evidence'])} Do: {risk['action']} ({who}, look again {risk['review']})."
    )


def _more(count: int, noun: str) -> list[str]:
    return [f"{plural(count, 'more ' + noun)} on the page."] if count else []


def bottom_line(snapshot: Snapshot) -> str:
    """The verdict, by rule: goals by health with their arrow against last week, then what waits."""
    if not snapshot.goals:
        return "No goal is stated yet, so nothing can be judged."
    total = len(snapshot.goals)
    counts = Counter("met" if goal.met else str(goal.health) for goal in snapshot.goals)
    order = ["met", *map(str, ORDER)]
    parts = [f"{_of(counts[word], total)} {word}" for word in order if counts[word]]
    waiting = len(snapshot.decisions)
    asks = f"{plural(waiting, 'decision')} {'waits' if waiting == 1 else 'wait'}" if waiting else "no decision waits"
    line = f"{', '.join(parts)}; {asks}."
    return cut(line[0].upper() + line[1:], BOTTOM_LINE_MAX)


def _of(count: int, total: int) -> str:
    if total == 1:
        return "the goal is"
    return f"all {total} goals" if count == total else f"{count} of {total} goals"


def _goal_sentence(goal: GoalLine) -> str:
    known = [track for track in goal.tracks if track.best is not None]
    stands = ", ".join(f"{number(t.best, goal.unit)} in {t.environment}" for t in known) or "not measured yet"
    numbers = (
        f"{goal.metric}: {stands}; from {number(goal.baseline)}, goal {number(goal.target)}" if goal.metric else ""
    )
    bracket = f" ({numbers})" if numbers else ""
    arrow = _arrow(goal)
    word = MET_WORD if goal.met else str(goal.health)
    return f"{capital(printable(goal.statement))}: {word}{arrow}{bracket}. {_sentence(goal.evidence)}"


def _arrow(goal: GoalLine) -> str:
    if goal.health_before is None or goal.health_before is goal.health:
        return ""
    if Health.UNKNOWN in (goal.health, goal.health_before):
        return f", was {goal.health_before}"  # neither better nor worse: before or now we do not know
    return f" {ARROWS[ORDER.index(goal.health) > ORDER.index(goal.health_before)]} from {goal.health_before}"


def _figures(snapshot: Snapshot, running: Sequence[ExperimentLine]) -> list[dict[str, str]]:
    tracks = list(_tracks(snapshot))
    improved = [e for e in running if any(_improved(track) for track in e.tracks)]
    runs, before = sum(t.runs_week for t in tracks), sum(t.runs_week_before for t in tracks)
    failed, failed_before = sum(t.failed_week for t in tracks), sum(t.failed_week_before for t in tracks)
    waiting = len(snapshot.decisions)
    return [
        {"label": "Runs this week", "value": str(runs), "before": f"{before} the week before"},
        {
            "label": "Experiments improved",
            "value": f"{len(improved)} of {len(running)}",
            "before": "of those in progress",
        },
        {"label": "Failed runs", "value": str(failed), "before": f"{failed_before} the week before"},
        {
            "label": "Waiting for a decision",
            "value": str(waiting),
            "before": "see below" if waiting else "none this week",
        },
    ]


def _tracks(snapshot: Snapshot) -> Iterable[Track]:
    return (track for goal in snapshot.goals for track in goal.tracks)


def _improved(track: Track) -> bool:
    return track.best is not None and track.runs_week > 0 and track.best != track.best_before


def _goal(goal: GoalLine) -> dict[str, Any]:
    parity = goal.parity
    if parity is None:
        compared = ""
    elif parity.gap is None:
        compared = parity.why
    else:
        held = {True: "holds", False: "does not hold", None: parity.why}[parity.holds]
        compared = f"gap {number(parity.gap)}, tolerance {number(parity.tolerance)}: parity {held}"
    return {
        **_status(goal.health, goal.met),
        "key": goal.key,
        "sentence": _goal_sentence(goal),
        "statement": capital(printable(goal.statement)),
        "not": "; ".join(goal.anti_goals),
        "metric": goal.metric,
        "baseline": number(goal.baseline, goal.unit),
        "target": number(goal.target, goal.unit),
        "tracks": [
            {
                "environment": t.environment,
                "best": number(t.best, goal.unit),
                "runs": t.runs,
                "failed": t.failed,
                "read": moment(t.read_at),
                "source": t.source,
            }
            for t in goal.tracks
        ],
        "parity": compared,
        "evidence": goal.evidence,
    }


def _experiment(e: ExperimentLine, name: Any) -> dict[str, Any]:
    track = e.tracks[0] if e.tracks else None
    prod = next((t for t in e.tracks if t.environment == "prod"), None)
    return {
        **_status(e.health, e.goal_met),
        "key": e.key,
        "title": e.title,
        "stage": str(e.stage),
        "owner": name(e.owner),
        "issue_key": e.issue_key,
        "issue_url": e.issue_url if e.issue_url.startswith(("https://", "http://")) else "",
        "best": number(track.best, e.unit) if track and track.best is not None else "",
        "prod": number(prod.best, e.unit) if prod and prod is not track and prod.best is not None else "",
        "target": number(e.target, e.unit) if e.target is not None else "",
        "change": change(track.best_before, track.best) if track else "",
        "runs": sum(t.runs for t in e.tracks),
        "age": f"{e.age_days} d" if e.age_days is not None else "",
        "line": e,
    }


def _changes(snapshot: Snapshot) -> list[str]:
    """One line an experiment, in the order in which they first changed; what an outcome said is told under learned."""
    told: dict[str, list[str]] = {}
    titles = {item.subject: item.title for item in snapshot.changes}
    learned = {item.key for item in snapshot.learned}
    for item in snapshot.changes:
        if not (item.subject in learned and item.what.startswith("outcome ")):
            told.setdefault(item.subject, []).append(item.what)
    return [f"{titles[key]} ({key}): {'; '.join(dict.fromkeys(whats))}" for key, whats in told.items()]


def _shown(snapshot: Snapshot) -> list[ExperimentLine]:
    """Those that need a decision, then changed, then at risk, then the rest in progress; finished ones only in the
    week they ended."""
    asked = {needed.subject for needed in snapshot.decisions}
    risky = {risk.subject for risk in snapshot.risks}
    wanted = [e for e in snapshot.experiments if e.stage.in_progress or e.changed_week]
    wanted.sort(key=lambda e: (e.key not in asked, not e.changed_week, e.key not in risky, e.stage.rank))
    return wanted[:EXPERIMENTS_MAX]


def _counted(snapshot: Snapshot) -> str:
    shown = {e.key for e in _shown(snapshot)}
    rest = Counter(e.stage for e in snapshot.experiments if e.key not in shown)
    return ", ".join(f"{stage} {rest[stage]}" for stage in Stage if rest[stage])


def _risk(risk: Risk, title: str, name: Any) -> dict[str, str]:
    return {
        "subject": risk.subject,
        "sentence": f"{printable(title)}: {risk.cause}, so {risk.effect}.",
        "evidence": risk.evidence,
        "owner": name(risk.owner),
        "action": risk.action,
        "review": f"{risk.review_on.day} {risk.review_on:%B}",
        "trend": risk.trend,
    }


def _flow(snapshot: Snapshot) -> list[str]:
    flow = snapshot.flow
    oldest = ", ".join(f"{key} {days} d{_slow(days, flow.history)}" for key, days in flow.oldest)
    lines = [f"{flow.wip} in progress, limit {flow.wip_limit}.", f"Answers this week: {flow.finished_week}."]
    if oldest:
        lines.append(f"Oldest: {oldest}.")
    if flow.finished_ever:
        lines.append(f"Hit rate: {flow.good_ever} good of {flow.finished_ever} finished.")
    if flow.history:
        lines.append(expectation(flow.history))
        lines.append(f"Half took at most {plural(flow.history.p50, 'day')}, 95 % at most {flow.history.p95}.")
    else:
        have = f"{flow.finished_ever} of {flow.history_needed} finished experiments"
        lines.append(f"Too little history for ages and forecasts ({have}); the appetite serves instead.")
    return lines


def _slow(days: int, history: History | None) -> str:
    """How an age compares with the team's own history; nothing while it is young or the history short."""
    if history is None or days <= history.p50:
        return ""
    share = 95 if days > history.p95 else 85 if days > history.p85 else 50
    return f" (older than {share} % of those finished)"


def _bets(snapshot: Snapshot) -> list[str]:
    going = [e for e in snapshot.experiments if e.stage in (Stage.READY, Stage.RUNNING, Stage.OBSERVING)]
    going.sort(key=lambda e: (e.stage is not Stage.READY, e.age_days or 0))
    return [f"{cut(e.hypothesis or e.title, 200)} ({e.key}, {_appetite(e)})" for e in going[:BETS_MAX]]


def _appetite(e: ExperimentLine) -> str:
    if e.appetite_days is None:
        return "no appetite set"
    if e.age_days is None:
        return f"appetite {plural(e.appetite_days, 'day')}"
    left = e.appetite_days - e.age_days
    return f"{plural(left, 'day')} of appetite left" if left > 0 else "its appetite is spent"


def _backlog(snapshot: Snapshot) -> list[dict[str, Any]]:
    columns = (
        ("In progress", [e for e in snapshot.experiments if e.stage.in_progress]),
        ("Next up", [e for e in snapshot.experiments if e.stage is Stage.READY]),
        ("Ideas", [e for e in snapshot.experiments if e.stage in (Stage.IDEA, Stage.FRAMED)]),
    )
    return [
        {
            "heading": heading,
            "items": [(e.title, e.key, str(e.stage)) for e in found[:5]],
            "more": max(0, len(found) - 5),
        }
        for heading, found in columns
        if found
    ]


def _notes(snapshot: Snapshot) -> list[str]:
    notes = [f"{s.name} could not be read: {s.error}" for s in snapshot.sources if s.error]
    notes += [f"{s.name} was never read." for s in snapshot.sources if not s.error and s.read_at is None]
    for goal in snapshot.goals:
        failed = sum(track.failed for track in goal.tracks)
        if failed:
            notes.append(f"{goal.metric} of {goal.key}: {plural(failed, 'failed run')} left out of every best.")
        if goal.parity and goal.parity.gap is None:
            notes.append(f"{goal.metric} of {goal.key}: dev and prod {goal.parity.why}.")
    return notes


def _source(source: SourceLine) -> str:
    return f"{source.name} read {moment(source.read_at)}"


def _chart(snapshot: Snapshot) -> dict[str, Any] | None:
    """The first goal's best so far by week, for a native chart; None while there is nothing to draw."""
    for goal in snapshot.goals:
        series = [
            {"name": t.environment, "values": list(t.by_week)}
            for t in goal.tracks
            if any(v is not None for v in t.by_week)
        ]
        if series:
            weeks = max(len(s["values"]) for s in series)
            labels = [f"w-{weeks - 1 - index}" if index < weeks - 1 else "now" for index in range(weeks)]
            return {"title": f"{goal.metric}, best so far", "labels": labels, "series": series}
    return None


def _status(health: Health | None, met: bool) -> dict[str, str]:
    """Shape, word and tone; never a colour alone."""
    if met:
        return {"shape": MET_SHAPE, "word": MET_WORD, "tone": "met"}
    if health is None:
        return {"shape": "", "word": "", "tone": "unknown"}
    return {"shape": SHAPES[health], "word": str(health), "tone": TONES[health]}


def _namer(snapshot: Snapshot) -> Any:
    return lambda user: snapshot.people.get(user, user)


def _sentence(text: str) -> str:
    line = capital(printable(text))
    return line if line.endswith((".", "!", "?", "…")) else f"{line}."
