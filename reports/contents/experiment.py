"""The experiment card: one page that a person can forward to somebody who has never seen the backlog."""

from collections.abc import Iterable

from backlog.errors import NotFound
from backlog.experiment import Stage
from backlog.snapshot import ExperimentLine, Snapshot, Track
from reports.contents import phrases
from reports.contents.context import Figure, Line, Section, Sections
from reports.contents.phrases import clipped, namer, sentence, status, titled
from reports.contents.weekly import appetite_left
from reports.filters import capital, change, cut, day, number, plural

STORY_MAX = 12


def experiment(snapshot: Snapshot) -> Sections:
    """The context of one experiment's card. Raises NotFound where the snapshot's subject is none of its own."""
    e = next((e for e in snapshot.experiments if e.key == snapshot.subject), None)
    if e is None:
        raise NotFound(f'There is no experiment "{snapshot.subject}".', "/exp list")
    context: Sections = {
        **phrases.head(snapshot, f"Experiment {e.key}", _verdict(e), _deck(e, snapshot)),
        "figures": list(_figures(e)),
        "sections": [section for section in _sections(e, snapshot) if section["entries"] or section["lead"]],
        "pictures": {},
    }
    return {**context, "notes": [], "words": phrases.words_of(snapshot, context)}


def _verdict(e: ExperimentLine) -> str:
    if e.outcome is None:
        return f"{titled(e.title)}: {_standing(e)}"
    decided = f", and we decided to {e.decision}" if e.decision else ", not decided yet"
    return f"{titled(e.title)}: {e.outcome}{decided}."


def _standing(e: ExperimentLine) -> str:
    words = {Stage.RUNNING: "still running", Stage.OBSERVING: "watched on production data",
             Stage.DECIDING: "waits for a decision"}  # fmt: skip
    return f"{words.get(e.stage, f'not started, {e.stage}')}."


def _deck(e: ExperimentLine, snapshot: Snapshot) -> list[str]:
    goal = next((goal for goal in snapshot.goals if goal.key == e.goal), None)
    told = [sentence(e.learning)] if e.learning else []
    return told + ([f"It serves the goal: {phrases.sentence(goal.statement)}"] if goal else [])


def _figures(e: ExperimentLine) -> Iterable[Figure]:
    for track in e.tracks[:2]:
        against = f"from {number(e.baseline, e.unit)}, goal {number(e.target, e.unit)}"
        yield {"label": f"{e.metric} in {track.environment}", "value": number(track.best, e.unit), "before": against}
    runs, failed = sum(t.runs for t in e.tracks), sum(t.failed for t in e.tracks)
    yield {"label": "Runs", "value": str(runs), "before": f"{failed} failed"}
    against = appetite_left(e)
    if e.stage.finished:
        against = (
            f"of {plural(e.appetite_days, 'day')} of appetite" if e.appetite_days is not None else "to the decision"
        )
    yield {"label": "Days", "value": str(e.age_days) if e.age_days is not None else "?", "before": against}


def _sections(e: ExperimentLine, snapshot: Snapshot) -> Iterable[Section]:
    yield _section("Question", [_line(sentence(e.hypothesis) or "Not framed yet.", _framing(e))])
    yield _section("What we did", [_line(f"{day(step.at)}: {cut(clipped(step.what), 200)}",
                                         [], namer(snapshot)(step.who)) for step in e.story[-STORY_MAX:]])  # fmt: skip
    found = [_line(sentence(e.learning), [f"Outcome: {e.outcome}{f', {e.reason_code}' if e.reason_code else ''}"])]
    yield _section("What we found", found if e.outcome else [], "" if e.outcome else "No outcome is named yet.")
    item = next((item for item in snapshot.learned if item.key == e.key), None)
    so_what = item.so_what if item else e.decision_reason
    yield _section("So what", [_line(sentence(so_what), _follow(e))] if so_what else [])
    known = [_line(sentence(e.evidence), [])] if e.evidence else []
    yield _section("Evidence", [*(_evidence(e, track) for track in e.tracks), *known])
    if e.decision:
        who = f"{namer(snapshot)(e.decided_by)}, {day(e.decided_at)}"
        yield _section("Decision", [_line(f"{capital(str(e.decision))}: {clipped(e.decision_reason)}", [], who)])


def _framing(e: ExperimentLine) -> list[str]:
    parts = (
        f"The decision it serves: {clipped(e.serves)}." if e.serves else "",
        f"Worth acting on from {number(e.min_effect, e.unit)} of {e.metric}." if e.min_effect is not None else "",
        f"Measured on {e.eval_set}." if e.eval_set else "",
    )
    return [part for part in parts if part]


def _follow(e: ExperimentLine) -> list[str]:
    followers = list(dict.fromkeys([*([e.next_key] if e.next_key else []), *e.followers]))
    return [f"What follows: {', '.join(followers)}."] if followers else []


def _evidence(e: ExperimentLine, track: Track) -> Line:
    moved = change(e.baseline, track.best)
    against = f"{moved} against the baseline" if moved and e.baseline is not None else "no baseline to compare"
    title = f"{e.metric} in {track.environment}: {number(track.best, e.unit)} ({against})"
    return _line(title, [f"{plural(track.runs, 'run')}, {track.failed} failed, from {track.source}"])


def _section(heading: str, entries: list[Line], lead: str = "") -> Section:
    return {"heading": heading, "lead": lead, "entries": entries}


def _line(title: str, lines: list[str], aside: str = "") -> Line:
    return {**status(None), "title": title, "lines": lines, "aside": aside, "url": ""}
