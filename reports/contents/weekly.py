"""The weekly report: what a manager must know in a minute, and the team's variant with every number first."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import zip_longest

from backlog.aging import History, expectation
from backlog.experiment import Stage
from backlog.snapshot import DecisionNeeded, ExperimentLine, Flow, GoalLine, Snapshot, Track
from reports.contents import phrases
from reports.contents.channel import asked_pieces, channel, said_pieces
from reports.contents.context import (
    Bet,
    Changed,
    Chart,
    Column,
    Decision,
    Fact,
    Figure,
    GoalState,
    Outlook,
    Rest,
    Row,
    Weekly,
)
from reports.contents.phrases import PEOPLE, clipped, joined, link, namer, sentence, status, titled
from reports.filters import capital, change, cut, day, moment, number, plural

DECISIONS_MAX = RISKS_MAX = BETS_MAX = DECK_MAX = 3
TEAM_RISKS_MAX = 10
EXPERIMENTS_MAX = 25


def weekly(snapshot: Snapshot) -> Weekly:
    """The context of the weekly report."""
    name, team = namer(snapshot), phrases.is_for_team(snapshot)
    head = phrases.head(snapshot, "Weekly report", phrases.bottom_line(snapshot), _deck(snapshot, team))
    shown = shown_experiments(snapshot)
    decisions = [_decision(needed, snapshot, name) for needed in snapshot.decisions[:DECISIONS_MAX]]
    learned = phrases.findings(snapshot)
    titles = phrases.titles_of(snapshot)
    most = TEAM_RISKS_MAX if team else RISKS_MAX
    risks = [phrases.risk_line(risk, titles.get(risk.subject, ""), name) for risk in snapshot.risks[:most]]
    changes, flow, bets = _changes(snapshot), _flow(snapshot), _bets(snapshot, name)
    outlooks = _outlooks(snapshot)
    decisions_more, risks_more = len(snapshot.decisions) - len(decisions), len(snapshot.risks) - len(risks)
    context: Weekly = {
        **head,
        "channel": channel(
            head["verdict"],
            head["verdict_by"],
            asked_pieces(decisions),
            said_pieces(_goals_in_short(snapshot, team), learned),
        ),
        "figures": _figures(snapshot),
        "decisions": decisions,
        "decisions_more": decisions_more,
        "decision_lines": [*map(_decision_line, decisions), *phrases.more(decisions_more, "decision")],
        "learned": learned,
        "learned_lines": [phrases.finding_line(found) for found in learned],
        "goals": [_goal(goal, team) for goal in snapshot.goals],
        "changes": changes,
        "change_lines": [f"{item['title']} ({item['key']}): {'; '.join(item['what'])}" for item in changes],
        "experiments": [_row(e, snapshot, name) for e in shown],
        "experiments_more": _rest(snapshot, shown),
        "risks": risks,
        "risks_more": risks_more,
        "risk_lines": [*map(phrases.risk_in_one_line, risks), *phrases.more(risks_more, "risk")],
        "flow": flow,
        "flow_lines": [
            *(f"{fact['label']}: {fact['value']}. {fact['note']}".strip() for fact in flow),
            *(f"{told['title']}: {' '.join(told['lines'])}" for told in outlooks),
        ],
        "outlooks": outlooks,
        "bets": bets,
        "bet_lines": [f"{bet['title']} ({bet['key']}, {bet['note']})" for bet in bets],
        "backlog": _backlog(snapshot),
        "empty": is_empty(snapshot),
        "chart": _chart(snapshot),
        "pictures": {},
    }
    return {**context, "words": phrases.words_of(snapshot, context)}


def is_empty(snapshot: Snapshot) -> bool:
    """Whether nothing happened at all: the report then says so."""
    return not (snapshot.changes or snapshot.learned or any(t.runs_week for t in phrases.tracks_of(snapshot)))


def shown_experiments(snapshot: Snapshot) -> list[ExperimentLine]:
    """Those that need a decision, then changed, then at risk, then the rest in progress; finished ones only in the
    week they ended."""
    asked = {needed.subject for needed in snapshot.decisions}
    risky = {risk.subject for risk in snapshot.risks}
    wanted = [e for e in snapshot.experiments if e.stage.in_progress or (e.changed_week and e.stage.finished)]
    wanted.sort(key=lambda e: (e.key not in asked, not e.changed_week, e.key not in risky, e.stage.rank))
    return wanted[:EXPERIMENTS_MAX]


def _deck(snapshot: Snapshot, team: bool) -> list[str]:
    """At most three sentences: the goals, the worst first; with few of them what was learned too. Without any goal,
    what to do about that."""
    if not snapshot.goals:
        return ['State one: /exp goal add churn "keep active clients" --metric recall --baseline 0.71 --target 0.80']
    told = [told for _, told in _goals_in_short(snapshot, team)[:DECK_MAX]]
    told += [f"{capital(str(item.outcome))}: {clipped(item.learning)}".rstrip(".") + "." for item in snapshot.learned]
    return told[:DECK_MAX]


def _goals_in_short(snapshot: Snapshot, team: bool) -> list[tuple[str, str]]:
    """(shape, sentence) of each goal, the worst first; of several the numbers would hide the words."""
    goals = sorted(snapshot.goals, key=lambda g: (phrases.WORST_FIRST.index(g.health), g.met))
    numbers = team or len(goals) == 1
    return [(status(g.health, g.met)["shape"], phrases.goal_sentence(g, team, numbers=numbers)) for g in goals]


def _figures(snapshot: Snapshot) -> list[Figure]:
    tracks = list(phrases.tracks_of(snapshot))
    running = [e for e in snapshot.experiments if e.stage.in_progress]
    improved = sum(any(_improved(track) for track in e.tracks) for e in running)
    before = sum(any(_improved_before(track) for track in e.tracks) for e in running)
    waits = sorted(needed.since for needed in snapshot.decisions if needed.since)
    oldest = f"oldest since {day(waits[0])}" if waits else "see below"
    return [
        {
            "label": "Runs this week",
            "value": str(sum(t.runs_week for t in tracks)),
            "before": f"{sum(t.runs_week_before for t in tracks)} the week before",
        },
        {
            "label": "Experiments improved",
            "value": f"{improved} of {len(running)}",
            "before": f"{before} the week before",
        },
        {
            "label": "Failed runs",
            "value": str(sum(t.failed_week for t in tracks)),
            "before": f"{sum(t.failed_week_before for t in tracks)} the week before",
        },
        {
            "label": "Waiting for a decision",
            "value": str(len(snapshot.decisions)),
            "before": oldest if snapshot.decisions else "none this week",
        },
    ]


def _improved(track: Track) -> bool:
    return track.best is not None and track.runs_week > 0 and track.best != track.best_before


def _improved_before(track: Track) -> bool:
    ends = track.by_week
    return len(ends) > 2 and ends[-2] is not None and track.runs_week_before > 0 and ends[-2] != ends[-3]


def _decision(needed: DecisionNeeded, snapshot: Snapshot, name: PEOPLE) -> Decision:
    e = next((e for e in snapshot.experiments if e.key == needed.subject), None)
    return {
        **status(needed.health),
        "key": needed.subject,
        "url": link(snapshot, f"experiments/{needed.subject}"),
        "issue_key": e.issue_key if e else "",
        "issue_url": phrases.issue_link(e) if e else "",
        "title": clipped(needed.question),
        "evidence": _why_asked(needed, e),
        "owner": name(needed.owner),
        "options": list(needed.options),
        "default": needed.default,
    }


def _why_asked(needed: DecisionNeeded, e: ExperimentLine | None) -> str:
    """Since when it waits, and what its numbers say."""
    told = [f"Waits since {needed.since:%A} {day(needed.since)}."] if needed.since else []
    track = phrases.best_track(e) if e else None
    if e and track and track.best is not None:
        goal = f", goal {number(e.target, e.unit)}" if e.target is not None else ""
        where = {"dev": "development", "prod": "production"}.get(track.environment, track.environment)
        told.append(f"{plural(track.runs, 'run')} in {where}; {e.metric} {number(track.best, e.unit)} now{goal}.")
    return " ".join(told)


def _decision_line(needed: Decision) -> str:
    options = " or ".join(needed["options"])
    asked = f"{sentence(needed['title'])} Options: {options}. {needed['key']}, {needed['owner'] or 'no owner'}."
    return f"{asked} Otherwise {needed['default']}."


def _goal(goal: GoalLine, team: bool) -> GoalState:
    return {
        **status(goal.health, goal.met),
        "key": goal.key,
        "sentence": phrases.goal_sentence(goal, team),
        "statement": capital(titled(goal.statement)),
        "anti": "; ".join(goal.anti_goals),
        "metric": goal.metric,
        "baseline": number(goal.baseline, goal.unit),
        "target": number(goal.target, goal.unit),
        "way": phrases.way_in_words(goal),
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
        "parity": parity_in_words(goal),
        "evidence": sentence(goal.evidence),
    }


def parity_in_words(goal: GoalLine) -> str:
    """Dev against prod; empty where the metric is defined in only one of them."""
    parity = goal.parity
    if parity is None:
        return ""
    if parity.gap is None:
        return parity.why
    side = "worse in production" if parity.gap > 0 else "better in production" if parity.gap < 0 else "no difference"
    gap = f"{side}, gap {number(abs(parity.gap))}"
    if parity.holds is None:
        return f"{gap}, {parity.why}"
    held = "parity holds" if parity.holds else "parity does not hold"
    return f"{held} ({gap}, tolerance {number(parity.tolerance)})"


def _row(e: ExperimentLine, snapshot: Snapshot, name: PEOPLE) -> Row:
    track = phrases.best_track(e)
    prod = next((t for t in e.tracks if t.environment == "prod"), None)
    return {
        **status(e.health, e.goal_met),
        "key": e.key,
        "url": link(snapshot, f"experiments/{e.key}"),
        "title": titled(e.title),
        "stage": str(e.stage),
        "owner": name(e.owner),
        "issue_key": e.issue_key,
        "issue_url": phrases.issue_link(e),
        "best": number(track.best, e.unit) if track and track.best is not None else "",
        "prod": number(prod.best, e.unit) if prod and prod is not track and prod.best is not None else "",
        "target": number(e.target, e.unit) if e.target is not None else "",
        "change": change(track.best_before, track.best) if track else "",
        "runs": sum(t.runs for t in e.tracks),
        "age": f"{e.age_days} d" if e.age_days is not None and not e.stage.finished else "",
    }


def _rest(snapshot: Snapshot, shown: Sequence[ExperimentLine]) -> list[Rest]:
    keys = {e.key for e in shown}
    counts = Counter(e.stage for e in snapshot.experiments if e.key not in keys)
    return [
        {"stage": str(stage), "count": counts[stage], "url": link(snapshot, f"experiments/?stage={stage}")}
        for stage in Stage
        if counts[stage]
    ]


def _changes(snapshot: Snapshot) -> list[Changed]:
    """One entry an experiment, in the order in which they first changed; what an outcome said is told under learned."""
    told: dict[str, list[str]] = {}
    titles = {item.subject: item.title for item in snapshot.changes}
    learned = {item.key for item in snapshot.learned}
    for item in snapshot.changes:
        if not (item.subject in learned and item.what.startswith("outcome ")):
            told.setdefault(item.subject, []).append(cut(clipped(item.what), 200))
    return [
        {"key": key, "title": capital(titled(titles[key])), "what": list(dict.fromkeys(_arrived(whats)))}
        for key, whats in told.items()
    ]


def _arrived(whats: Sequence[str]) -> Iterable[str]:
    """Of moves one after the other the last: where an experiment only passed through is no difference."""
    for what, then in zip_longest(whats, whats[1:], fillvalue=""):
        if not (what.startswith("moved to") and then.startswith(("moved to", "started", "concluded"))):
            yield what


def _flow(snapshot: Snapshot) -> list[Fact]:
    flow = snapshot.flow
    return [
        _fact("In progress", f"{flow.wip} of {flow.wip_limit}", "the limit of all goals together"),
        _fact("Answers this week", str(flow.finished_week), _answers_before(flow)),
        *_hit_rate(snapshot),
        *_oldest(flow),
        *_iteration(flow),
        *_expected(flow),
    ]


def _fact(label: str, value: str, note: str) -> Fact:
    return {"label": label, "value": value, "note": sentence(note)}


def _answers_before(flow: Flow) -> str:
    if len(flow.by_week) < 2:
        return ""
    return f"{flow.by_week[-2]} the week before, {sum(flow.by_week)} in ten weeks"


def _hit_rate(snapshot: Snapshot) -> Iterable[Fact]:
    flow, interval = snapshot.flow, snapshot.hit_interval
    if flow.finished_ever:
        note = f"the true share lies between {interval[0]:.0%} and {interval[1]:.0%}" if interval else ""
        yield _fact("Hit rate", f"{flow.good_ever} good of {flow.finished_ever}", note.replace("%", " %"))


def _oldest(flow: Flow) -> Iterable[Fact]:
    if flow.oldest:
        first, *others = (f"{key} {days} d" for key, days in flow.oldest)
        then = f"then {', '.join(others)}; " if others else ""
        short = f"too little history of its own to compare ({flow.finished_ever} of {flow.history_needed} finished)"
        note = _slow(flow) if flow.history else f"the appetite serves; {short}"
        yield _fact("Oldest", first, then + note)


def _slow(flow: Flow) -> str:
    """How the oldest compare with the team's own history; nothing while they are young."""
    shares: dict[int, list[str]] = {}
    for key, days in flow.oldest:
        shares.setdefault(_older_than(days, flow.history), []).append(key)
    told = [
        f"{joined(keys)} {'is' if len(keys) == 1 else 'are'} older than {share} %"
        for share, keys in shares.items()
        if share
    ]
    return f"{joined(told)} of those finished" if told else "none older than half of those finished"


def _older_than(days: int, history: History | None) -> int:
    percentiles = ((95, history.p95), (85, history.p85), (50, history.p50)) if history else ()
    return next((share for share, limit in percentiles if days > limit), 0)


def _iteration(flow: Flow) -> Iterable[Fact]:
    if flow.days_to_dev is not None and flow.days_to_prod is not None:
        value = f"{flow.days_to_dev} d, then {flow.days_to_prod} d"
        yield _fact("Iteration time", value, "to the answer in development, then in production; medians")


def _expected(flow: Flow) -> Iterable[Fact]:
    if flow.history:
        note = f"half took at most {plural(flow.history.p50, 'day')}, 95 % at most {flow.history.p95}"
        yield _fact("Time to an answer", f"{flow.history.p85} d", f"{expectation(flow.history)} {capital(note)}")
    else:
        have = f"{flow.finished_ever} of {flow.history_needed} finished experiments"
        yield _fact("Forecast", "Not enough history", f"{have}; the appetite serves instead")


def _outlooks(snapshot: Snapshot) -> list[Outlook]:
    """What may come of each goal that is worked on: ranges with their sureness, the dates first."""
    return [
        {
            "key": goal.key,
            "title": capital(titled(goal.statement)),
            "lines": [sentence(line) for line in reversed(goal.outlook)],
        }
        for goal in snapshot.goals
        if goal.outlook
    ]


def _bets(snapshot: Snapshot, name: PEOPLE) -> list[Bet]:
    """What is tried next: the ready ones, then the youngest bets; one whose appetite is spent is a decision, no bet."""
    going = [
        e for e in snapshot.experiments
        if e.stage in (Stage.READY, Stage.RUNNING, Stage.OBSERVING) and not _is_spent(e)
    ]  # fmt: skip
    going.sort(key=lambda e: (e.stage is not Stage.READY, _bet_days(e) or 0))
    return [
        {
            "key": e.key,
            "url": link(snapshot, f"experiments/{e.key}"),
            "title": cut(clipped(e.hypothesis or e.title), 200),
            "note": ", ".join(part for part in (appetite_left(e), _next_look(e, snapshot), name(e.owner)) if part),
        }
        for e in going[:BETS_MAX]
    ]


def appetite_left(e: ExperimentLine) -> str:
    """What is left of the bet."""
    if e.appetite_days is None:
        return "no appetite set"
    days = _bet_days(e)
    if days is None:
        return f"appetite {plural(e.appetite_days, 'day')}"
    left = e.appetite_days - days
    return f"{left} of {plural(e.appetite_days, 'day')} of appetite left" if left > 0 else "its appetite is spent"


def _bet_days(e: ExperimentLine) -> int | None:
    return e.age_days if e.bet_days is None else e.bet_days


def _is_spent(e: ExperimentLine) -> bool:
    days = _bet_days(e)
    return e.appetite_days is not None and days is not None and days >= e.appetite_days


def _next_look(e: ExperimentLine, snapshot: Snapshot) -> str:
    """The next checkpoint: half of the appetite, then all of it."""
    days = _bet_days(e)
    if days is None or e.appetite_days is None:
        return ""
    until = next((at - days for at in (math.ceil(e.appetite_days / 2), e.appetite_days) if at > days), None)
    return f"next look {day(snapshot.made_at + timedelta(days=until))}" if until else ""


def _backlog(snapshot: Snapshot) -> list[Column]:
    columns = (
        ("Running now", [e for e in snapshot.experiments if e.stage.in_progress]),
        ("Next up", [e for e in snapshot.experiments if e.stage is Stage.READY]),
        ("Ideas", [e for e in snapshot.experiments if e.stage in (Stage.IDEA, Stage.FRAMED)]),
    )
    return [
        {
            "heading": heading,
            "items": [{"key": e.key, "title": titled(e.title), "note": _standing(e)} for e in found[:5]],
            "more": max(0, len(found) - 5),
        }
        for heading, found in columns
        if found
    ]


def _standing(e: ExperimentLine) -> str:
    blocked = f"blocked: {cut(clipped(e.blocked_reason), 80)}" if e.blocked_reason else ""
    age = f"for {plural(e.age_days, 'day')}" if e.stage.in_progress and e.age_days is not None else ""
    stage = "" if e.stage in (Stage.READY, Stage.IDEA) else str(e.stage)  # the heading says it
    return ", ".join(part for part in (stage, age, blocked) if part)


def _chart(snapshot: Snapshot) -> Chart | None:
    for goal in snapshot.goals:
        series = [
            {"name": t.environment, "values": list(t.by_week)}
            for t in goal.tracks
            if any(value is not None for value in t.by_week)
        ]
        if series:
            weeks = max(len(list(s["values"])) for s in series)
            labels = [f"w-{weeks - 1 - index}" if index < weeks - 1 else "now" for index in range(weeks)]
            return {"title": f"{goal.metric}, best so far", "labels": labels, "series": series}
    return None


def charted_goal(snapshot: Snapshot) -> GoalLine | None:
    """The goal that the one chart of a message shows."""
    return next((g for g in snapshot.goals if any(v is not None for t in g.tracks for v in t.by_week)), None)
