"""Sentences that several reports share."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from backlog.experiment import Outcome
from backlog.snapshot import ExperimentLine, GoalLine, Health, Risk, Snapshot, SourceLine, Track
from reports.contents.context import Finding, Head, RiskLine, Status
from reports.filters import MET_SHAPE, MET_WORD, SHAPES, capital, cut, moment, number, period, plural, printable
from reports.words import explain

BOTTOM_LINE_MAX = 280  # characters
TEXT_MAX, TITLE_MAX, NAME_MAX = 600, 200, 60  # characters of a sentence, a title and a name from outside
TONES = {Health.ON_TRACK: "on", Health.AT_RISK: "risk", Health.OFF_TRACK: "off", Health.UNKNOWN: "unknown"}
WORST_FIRST = [Health.OFF_TRACK, Health.AT_RISK, Health.UNKNOWN, Health.ON_TRACK]
ARROWS = {True: "↑", False: "↓"}
COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PEOPLE = Callable[[str], str]


def head(snapshot: Snapshot, name: str, verdict: str, deck: Sequence[str]) -> Head:
    """What every report has; the words are added once all else is said."""
    return {
        "id": snapshot.id,
        "name": f"{snapshot.team}, {name[:1].lower()}{name[1:]}" if snapshot.team else name,
        "week": period(snapshot.period),
        "late": snapshot.late,
        "made_at": moment(snapshot.made_at),
        "url": snapshot.url or link(snapshot, f"reports/{snapshot.id}"),
        "schedule": snapshot.schedule,
        "verdict": cut(snapshot.bottom_line or verdict, BOTTOM_LINE_MAX),
        "verdict_by": namer(snapshot)(snapshot.bottom_line_by) if snapshot.bottom_line else "auto",
        "deck": [cut(line, 300) for line in deck],
        "sources": [f"{s.name} {_read(s)}" for s in snapshot.sources],
        "as_of": _as_of(snapshot),
        "notes": _notes(snapshot),
        "words": [],
        "policy": [f"No {p.but}: {p.because}. Instead: {p.instead}" for p in snapshot.policy],
        "template_note": "",
    }


def _as_of(snapshot: Snapshot) -> str:
    """`runs, jira read Mon 23 Nov, 09:00 UTC; files never read`."""
    together: dict[str, list[str]] = {}
    for source in snapshot.sources:
        together.setdefault(_read(source), []).append(source.name)
    return "; ".join(f"{', '.join(names)} {how}" for how, names in together.items()) or "No source is configured"


def _read(source: SourceLine) -> str:
    return f"read {moment(source.read_at)}" if source.read_at else "never read"


def words_of(snapshot: Snapshot, context: Any) -> list[str]:
    """The terms that this report uses; the team's own version explains none."""
    return [] if is_for_team(snapshot) else explain(snapshot, context)


def is_for_team(snapshot: Snapshot) -> bool:
    """Whether those read it who do the work: numbers first, no words explained. `team`, or `vision-team` of several."""
    return snapshot.audience == "team" or snapshot.audience.endswith("-team")


def link(snapshot: Snapshot, path: str) -> str:
    """An address on the bot's own server; empty where it has none."""
    base = snapshot.public_url
    return f"{base}/{path}" if base.startswith(("https://", "http://")) else ""


def namer(snapshot: Snapshot) -> PEOPLE:
    """People's names by id; an unknown id stays itself."""
    return lambda user: cut(snapshot.people.get(user, user), NAME_MAX)


def status(health: Health | None, met: bool = False) -> Status:
    """Shape, word and tone; never a colour alone. A goal that is met is green only where nothing is open: else the mark
    stands beside its health."""
    if met and health in (None, Health.ON_TRACK):
        return {"shape": MET_SHAPE, "word": MET_WORD, "tone": "met"}
    if health is None:
        return {"shape": "", "word": "", "tone": "unknown"}
    word = f"{health}, {MET_WORD}" if met else str(health)
    return {"shape": SHAPES[health], "word": word, "tone": TONES[health]}


def clipped(text: str) -> str:
    """Foreign text on one line, as much of it as a report tells."""
    return cut(printable(text), TEXT_MAX)


def titled(text: str) -> str:
    """A title or a goal's statement on one line."""
    return cut(printable(text), TITLE_MAX)


def sentence(text: str) -> str:
    """Foreign text as a sentence: a capital first, a full stop last."""
    line = capital(clipped(text))
    return line if line.endswith((".", "!", "?", "…")) or not line else f"{line}."


def in_words(count: int) -> str:
    """`one`, `nine`, `12`."""
    return COUNTS[count] if count < len(COUNTS) else str(count)


def count_in_words(count: int, noun: str, many: str = "") -> str:
    """`one decision`, `12 decisions`."""
    return f"{in_words(count)} {noun if count < 2 else many or noun + 's'}"


def joined(parts: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else list(parts))


def more(count: int, noun: str) -> list[str]:
    """The line about what is left out; none where nothing is."""
    return [f"{plural(count, 'more ' + noun)} on the page."] if count else []


def bottom_line(snapshot: Snapshot) -> str:
    """The verdict by rule: how the goals stand, what was answered, and what waits."""
    if not snapshot.goals:
        return "No goal is stated yet, so nothing can be judged."
    stands, unknown = _standings(snapshot.goals)
    waiting = len(snapshot.decisions)
    told = [*_answers(snapshot), f"{count_in_words(waiting, 'decision')} {'wait' if waiting > 1 else 'waits'}"]
    if not stands:
        where = (
            "the goal stands" if len(snapshot.goals) == 1 else f"any of {in_words(len(snapshot.goals))} goals stands"
        )
        return f"We do not know where {where}; {joined(told)}."
    doubt = f"; we do not know about {in_words(unknown)}" if unknown else ""
    return f"{capital(stands)}{doubt}: {joined(told)}."


def _standings(goals: Sequence[GoalLine]) -> tuple[str, int]:
    """(`two of four goals are at risk and one is met`, how many we know nothing of)."""
    words = Counter("met" if status(goal.health, goal.met)["tone"] == "met" else str(goal.health) for goal in goals)
    unknown = words.pop(str(Health.UNKNOWN), 0)
    order = [word for word in (*map(str, WORST_FIRST), "met") if words[word]]
    told = [
        f"{in_words(words[word])} {'is' if words[word] == 1 else 'are'} {word}" if index
        else f"{_of(words[word], len(goals))} {word}"
        for index, word in enumerate(order)
    ]  # fmt: skip
    return joined(told) if told else "", unknown


def _answers(snapshot: Snapshot) -> list[str]:
    """`one idea worked`, `two did not`: bad outcomes are told like good ones."""
    outcomes = Counter(item.outcome for item in snapshot.learned)
    told = {Outcome.GOOD: "worked", Outcome.BAD: "did not", Outcome.INTERESTING: "taught us something"}
    if not outcomes[Outcome.GOOD]:
        told[Outcome.BAD] = "did not work"
    known = [(outcomes[outcome], verb) for outcome, verb in told.items() if outcomes[outcome]]
    return [
        f"{in_words(count) if index else count_in_words(count, 'idea')} {verb}"
        for index, (count, verb) in enumerate(known)
    ]


def _of(count: int, total: int) -> str:
    if total == 1:
        return "the goal is"
    if count == total:
        return f"all {in_words(total)} goals are"
    return f"{in_words(count)} of {in_words(total)} goals {'is' if count == 1 else 'are'}"


def goal_sentence(goal: GoalLine, team: bool = False, *, numbers: bool = True) -> str:
    """Business words first, the number in brackets; the team reads the number first."""
    green = status(goal.health, goal.met)["tone"] == "met"
    word = f"{MET_WORD if green else goal.health}{arrow(goal)}"
    known, way = goal_numbers(goal), way_in_words(goal)
    said = capital(titled(goal.statement))
    why = f"because {clipped(goal.evidence)}".rstrip(".") + call_in_words(goal)
    if team:
        return f"{known or 'not measured'}: {said}, {status(goal.health, goal.met)['word']}{arrow(goal)}, {why}."
    bracket = f" ({known})" if known and numbers else ""
    between = " although " if goal.met and not green else ", "
    return f"{said}: {between.join(part for part in (word, way) if part)}{bracket}, {why}."


def call_in_words(goal: GoalLine) -> str:
    """What a person says of the goal's health, where it differs from the rules'; else nothing."""
    if goal.call is None or goal.call.health is goal.health:
        return ""
    return f"; {goal.call.who} says {goal.call.health}: {clipped(goal.call.why)}".rstrip(".")


def goal_numbers(goal: GoalLine) -> str:
    """`recall: 0.59 in prod, 0.58 in dev; from 0.41, goal 0.63`; empty without a metric."""
    if not goal.metric:
        return ""
    known = [track for track in goal.tracks if track.best is not None]
    stands = ", ".join(f"{number(t.best, goal.unit)} in {t.environment}" for t in known) or "not measured yet"
    return f"{goal.metric}: {stands}; from {number(goal.baseline)}, goal {number(goal.target)}"


def way_in_words(goal: GoalLine) -> str:
    """How far the best in production, else the best elsewhere, is from baseline to target; empty where that says
    nothing."""
    known = {track.environment: track.best for track in goal.tracks if track.best is not None}
    if goal.baseline is None or goal.target is None or goal.baseline == goal.target or not known:
        return ""
    where = "prod" if "prod" in known else next(iter(known))
    share = (known[where] - goal.baseline) / (goal.target - goal.baseline)
    place = {"prod": "in production", "dev": "in development"}.get(where, f"in {where}")
    if share >= 1:
        return f"the target is reached {place}"
    return f"{share:.0%} of the way {place}".replace("%", " %") if share > 0 else f"no nearer than at the start {place}"


def arrow(goal: GoalLine) -> str:
    """The health's arrow against the report before; nothing where it is the same."""
    if (
        goal.health_before is None
        or goal.health_before is goal.health
        or status(goal.health, goal.met)["tone"] == "met"
    ):
        return ""
    if Health.UNKNOWN in (goal.health, goal.health_before):
        return f", was {goal.health_before}"  # neither better nor worse: before or now we do not know
    better = WORST_FIRST.index(goal.health) > WORST_FIRST.index(goal.health_before)
    return f" {ARROWS[better]} from {goal.health_before}"


def findings(snapshot: Snapshot) -> list[Finding]:
    """What was learned: good, bad and interesting told alike."""
    return [
        {
            "key": item.key,
            "url": link(snapshot, f"experiments/{item.key}"),
            "title": titled(item.title),
            "outcome": str(item.outcome),
            "found": sentence(item.learning),
            "so_what": sentence(item.so_what),
            "decision": str(item.decision),
            "runs": plural(item.runs, "run"),
        }
        for item in snapshot.learned
    ]


def finding_line(found: Finding) -> str:
    """One finding as one line."""
    return (
        f"{found['title']} ({found['key']}): {found['outcome']} after {found['runs']}. {found['found']} "
        f"So what: {found['so_what']}"
    )


def titles_of(snapshot: Snapshot) -> dict[str, str]:
    """What every subject of a risk or a decision is called."""
    return {e.key: e.title for e in snapshot.experiments} | {g.key: capital(g.statement) for g in snapshot.goals}


def risk_line(risk: Risk, title: str, name: PEOPLE) -> RiskLine:
    """A risk in words."""
    return {
        "subject": risk.subject,
        "sentence": f"{titled(title) or risk.subject}: {risk.cause}, so {risk.effect}.",
        "evidence": risk.evidence,
        "owner": name(risk.owner),
        "action": risk.action,
        "review": f"{risk.review_on.day} {risk.review_on:%B}",
        "trend": f"{risk.trend}, {risk.answer}: {clipped(risk.answered)}" if risk.answer else risk.trend,
    }


def risk_in_one_line(risk: RiskLine) -> str:
    """The same as one line."""
    who = f"{risk['subject']}, {risk['owner'] or 'no owner'}, {risk['trend']}"
    return f"{risk['sentence']} {sentence(risk['evidence'])} Do: {risk['action']} ({who}, look again {risk['review']})."


def tracks_of(snapshot: Snapshot) -> Iterable[Track]:
    """All goals' tracks."""
    return (track for goal in snapshot.goals for track in goal.tracks)


def best_track(e: ExperimentLine) -> Track | None:
    """The track that an experiment is told by: its first with a value, else its first."""
    return next((track for track in e.tracks if track.best is not None), e.tracks[0] if e.tracks else None)


def issue_link(e: ExperimentLine) -> str:
    """The issue's address, where it is one."""
    return e.issue_url if e.issue_url.startswith(("https://", "http://")) else ""


def _left_out(goal: GoalLine, track: Track) -> str:
    sets = joined([f'"{printable(name)}"' for name in track.other_sets])
    where, runs = f"{goal.metric} of {goal.key} in {track.environment}", plural(track.left_out, "run")
    return f'{where}: {runs} on {sets} left out, for the others are on "{printable(track.compared_on)}".'


def _notes(snapshot: Snapshot) -> list[str]:
    notes = [f'Source "{s.name}" could not be read: {clipped(s.error)}' for s in snapshot.sources if s.error]
    notes += [f'Source "{s.name}" was never read.' for s in snapshot.sources if not s.error and s.read_at is None]
    for goal in snapshot.goals:
        failed = sum(track.failed for track in goal.tracks)
        if failed:
            notes.append(f"{goal.metric} of {goal.key}: {plural(failed, 'failed run')} left out of every best.")
        notes += [_left_out(goal, track) for track in goal.tracks if track.left_out]
        if goal.parity and goal.parity.gap is None:
            notes.append(f"{goal.metric} of {goal.key}: dev and prod {goal.parity.why}.")
    return [capital(cut(note, 400)) for note in notes]
