"""The goal review: once a month, where each goal's numbers came from and what the learnings add up to."""

from collections.abc import Iterable

from backlog.experiment import Outcome
from backlog.snapshot import GoalLine, Snapshot
from reports.contents import phrases
from reports.contents.context import Figure, Line, Section, Sections
from reports.contents.phrases import clipped, status, titled
from reports.contents.weekly import parity_in_words
from reports.filters import capital, day, number, plural


def goal_review(snapshot: Snapshot) -> Sections:
    """The context of the goal review."""
    deck = [phrases.goal_sentence(goal) for goal in snapshot.goals[:3]]
    context: Sections = {
        **phrases.head(snapshot, "Goal review", phrases.bottom_line(snapshot), deck),
        "figures": _figures(snapshot),
        "sections": [*(_goal(goal, snapshot) for goal in snapshot.goals)],
        "pictures": {},
    }
    return {**context, "words": phrases.words_of(snapshot, context)}


def _figures(snapshot: Snapshot) -> list[Figure]:
    flow, interval = snapshot.flow, snapshot.hit_interval
    between = f"true share {interval[0]:.0%} to {interval[1]:.0%}".replace("%", " %") if interval else "none finished"
    met = sum(goal.met for goal in snapshot.goals)
    avoided = sum(item.outcome is Outcome.BAD for item in snapshot.learned)
    return [
        {"label": "Goals met", "value": f"{met} of {len(snapshot.goals)}", "before": "so far"},
        {"label": "Hit rate", "value": f"{flow.good_ever} of {flow.finished_ever}", "before": between},
        {"label": "Answers", "value": str(len(snapshot.learned)), "before": "in this period"},
        {"label": "Costs avoided", "value": str(avoided), "before": "ideas refuted in this period"},
    ]


def _goal(goal: GoalLine, snapshot: Snapshot) -> Section:
    entries = [_standing(goal), *_history(goal), *_learnings(goal, snapshot)]
    return {"heading": capital(titled(goal.statement)), "lead": "", "entries": entries}


def _standing(goal: GoalLine) -> Line:
    lines = [phrases.goal_numbers(goal), parity_in_words(goal), phrases.sentence(goal.evidence)]
    return {
        **status(goal.health, goal.met),
        "title": capital(phrases.way_in_words(goal) or "not measured yet"),
        "lines": [line for line in lines if line],
        "aside": goal.key,
        "url": "",
    }


def _history(goal: GoalLine) -> Iterable[Line]:
    """Old numbers stay visible: a target that moved is not hidden by the new one."""
    lines = [
        f"{day(move.at)}: {move.what} {number(move.before, goal.unit)} → {number(move.after, goal.unit)}"
        f"{f', {clipped(move.why)}' if move.why else ''}"
        for move in goal.moves
    ]
    times = sum(move.what == "target" for move in goal.moves)
    title = f"The target moved {plural(times, 'time')}" if times else "The target never moved"
    yield {**status(None), "title": title, "lines": lines, "aside": "", "url": ""}


def _learnings(goal: GoalLine, snapshot: Snapshot) -> Iterable[Line]:
    own = [found for found, item in zip(phrases.findings(snapshot), snapshot.learned, strict=True)
           if item.goal == goal.key]  # fmt: skip
    outcomes = [found["outcome"] for found in own]
    told = phrases.joined([f"{outcomes.count(word)} {word}" for word in map(str, Outcome) if word in outcomes])
    adds_up = f"{plural(len(own), 'answer')} in this period: {told}" if own else "No experiment was concluded"
    so_far = f"In all, {goal.good} good of {goal.finished} finished."
    yield {**status(None), "title": adds_up, "lines": [so_far], "aside": "", "url": ""}
    for found in own:
        said = [found["found"], f"So what: {found['so_what']}"]
        yield {**status(None), "word": found["outcome"], "title": found["title"], "lines": said,
               "aside": found["key"], "url": found["url"]}  # fmt: skip
