"""Experiments and their timelines: the row is the fold of the entries, both written together."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from functools import cache
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    RowMapping,
    Select,
    String,
    bindparam,
    cast,
    func,
    literal,
    or_,
    select,
    type_coerce,
    update,
)

from backlog.errors import BacklogError, NotFound
from backlog.experiment import (
    EXPERIMENT_KEY,
    ISSUE_KEY,
    Decision,
    Entry,
    Experiment,
    Kind,
    Outcome,
    ReasonCode,
    Stage,
    Wanted,
    apply,
)
from store.dialect import for_change, is_postgresql, serialise
from store.memory import remember
from store.tables import EPOCH, Instant, timeline
from store.tables import experiment as table
from store.timeline import add_entry

WORDS = {"stage": Stage, "kind": Kind, "outcome": Outcome, "reason_code": ReasonCode, "decision": Decision}
EVERYTHING = Wanted()
UNIT = timedelta(microseconds=1)  # of an Instant
DAY = timedelta(days=1) // UNIT
NAMED = ("stage", "goal", "owner", "kind")  # what `Wanted` asks by the value of a column
FINISHED = [stage for stage in Stage if stage.finished]
TIMES = {
    "created_at", "running_since", "stage_since", "blocked_since", "parked_since", "bet_since", "checkpoint_at",
    "decided_at", "updated_at",
}  # fmt: skip

# By place, not by name: a page of rows is read in a third of the time.
COLUMNS = [table.c[field.name] for field in fields(Experiment)]
KINDS = [
    (place, {str(member): member for member in WORDS[column.name]})
    for place, column in enumerate(COLUMNS)
    if column.name in WORDS
]
LABELS = COLUMNS.index(table.c.labels)

# What every look at one experiment asks, written out once: building a statement costs as much as running it.
BY_NUMBER = select(*COLUMNS).where(table.c.number == bindparam("number"))
BY_ISSUE = select(*COLUMNS).where(table.c.issue_key == bindparam("issue_key"))
FOLLOWERS = select(table.c.number).where(table.c.parent == bindparam("key")).order_by(table.c.number)
TIMELINE = select(timeline).where(timeline.c.subject == bindparam("key")).order_by(timeline.c.id)
ALL_ENTRIES = select(func.count()).where(timeline.c.subject == bindparam("key")).scalar_subquery()
LAST_ENTRIES = (
    select(timeline, ALL_ENTRIES.label("all"))
    .where(timeline.c.subject == bindparam("key"))
    .order_by(timeline.c.id.desc())
    .limit(bindparam("most"))
)
TOOK = (
    select(type_coerce(table.c.decided_at, BigInteger) - type_coerce(table.c.running_since, BigInteger))
    .where(table.c.decided_at.is_not(None), table.c.running_since.is_not(None))
    .order_by(table.c.decided_at.desc())
    .limit(bindparam("most"))
)
# "now" in an Instant's unit. `//` keeps the difference in parentheses, and whole numbers whole.
OPEN_DAYS = (bindparam("now", type_=BigInteger) - type_coerce(table.c.running_since, BigInteger)) // DAY
OPEN = (
    select(OPEN_DAYS.label("days"), func.count())
    .where(table.c.decided_at.is_(None), table.c.running_since > bindparam("since", type_=Instant))
    .group_by("days")
    .order_by("days")
)
KINDS_ON_GOAL = (
    select(func.min(table.c.number), table.c.kind, table.c.stage)
    .where(table.c.goal == bindparam("goal"), table.c.number != bindparam("other_than"))
    .group_by(table.c.kind, table.c.stage)
)


def add_experiment(connection: Connection, entry: Entry) -> Experiment:
    """Store a new experiment from the first entry of its timeline and number it after the last one."""
    serialise(connection, "experiment numbers")
    number = (connection.scalar(select(func.max(table.c.number))) or 0) + 1
    experiment = apply(Experiment(number, entry.text, entry.at, entry.who), entry)
    connection.execute(table.insert().values(**asdict(experiment)))
    add_entry(connection, experiment.key, entry)
    remember(connection, experiment)
    return experiment


def save_entry(connection: Connection, experiment: Experiment, entry: Entry) -> Experiment:
    """Append the entry and bring the row to the state after it; returns that state. Raises BacklogError where somebody
    else brought it further since it was read."""
    if is_postgresql(connection):  # SQLite has one writer, who read it within the same transaction
        held = connection.execute(BY_NUMBER.with_for_update(), {"number": experiment.number}).one()
        if _experiment(held) != experiment:
            raise BacklogError(f"Somebody else changed {experiment.key} at the same moment.", "Ask again.")
    after = apply(experiment, entry)
    changed = {**entry.changes, "updated_at": entry.at}
    connection.execute(update(table).where(table.c.number == experiment.number).values(**changed))
    add_entry(connection, experiment.key, entry)
    remember(connection, after)
    return after


def find_experiment(connection: Connection, key: str) -> Experiment:
    """The experiment with that key, or the one linked to that Jira key. Raises NotFound naming what to type."""
    own = EXPERIMENT_KEY.fullmatch(key.strip())
    if own:
        row = connection.execute(for_change(connection, BY_NUMBER), {"number": int(own[1])}).first()
    elif ISSUE_KEY.fullmatch(key.strip()):
        row = connection.execute(for_change(connection, BY_ISSUE), {"issue_key": key.strip().upper()}).first()
    else:
        raise NotFound(f'"{key[:60]}" is no experiment key.', "Keys look like EXP-12 or ML-345: /exp list")
    if row is None:
        raise _no_such(connection, key.strip().upper(), own is not None)
    return _experiment(row)


def _no_such(connection: Connection, key: str, own: bool) -> NotFound:
    if not own:
        return NotFound(
            f"No experiment is linked to {key}.", f"/exp link EXP-12 {key}, or /exp list for what there is."
        )
    last = connection.scalar(select(func.max(table.c.number)))
    known = f"The last one is EXP-{last}" if last else "The backlog is empty"
    return NotFound(f"There is no {key} here.", f"{known}: see /exp list, or /exp find WORDS.")


def load_experiments(connection: Connection, wanted: Wanted = EVERYTHING) -> list[Experiment]:
    """Experiments in the order of their numbers."""
    asked = _asked(wanted, None)
    query = _page_query(frozenset(asked), False if wanted.unfinished else None)
    return _experiments(connection, query, asked)


def count_experiments(connection: Connection, wanted: Wanted, now: datetime, finished: bool | None = None) -> int:
    """How many there are; with `finished` only of those that are, or are not."""
    asked = _asked(wanted, now)
    query = _count_query(frozenset(asked), False if wanted.unfinished else finished)
    return connection.scalar(query, asked) or 0


def load_page(
    connection: Connection, wanted: Wanted, now: datetime, limit: int | None, offset: int = 0
) -> list[Experiment]:
    """One page of them, what is not finished first, then by number.

    Two queries in the order of the rows: ordering by the stage would sort the whole backlog for each page. Those of one
    stage are all finished or all not.
    """
    asked = _asked(wanted, now)
    names, part = frozenset(asked), limit is not None
    first = {**asked, "limit": limit, "offset": offset} if part else asked
    once = bool(wanted.stage) and not wanted.unfinished
    page = _experiments(connection, _page_query(names, finished=None if once else False, part=part), first)
    if once or wanted.unfinished or len(page) == limit:
        return page
    skipped = offset - count_experiments(connection, wanted, now, finished=False) if offset and not page else 0
    rest = {**asked, "limit": (limit or 0) - len(page), "offset": max(0, skipped)} if part else asked
    return page + _experiments(connection, _page_query(names, finished=True, part=part), rest)


def _asked(wanted: Wanted, now: datetime | None) -> dict[str, Any]:
    """What the conditions are held against, by the parameter; what is not asked is left out."""
    asked: dict[str, Any] = {name: value for name in NAMED if (value := getattr(wanted, name))}
    if wanted.older_than is not None and now is not None:
        asked |= {"now": now, "least": timedelta(days=wanted.older_than + 1) // timedelta(microseconds=1)}
    return asked


@cache
def _page_query(asked: frozenset[str], finished: bool | None, part: bool = False) -> Select[Any]:
    query = select(*COLUMNS).where(*_conditions(asked, finished)).order_by(table.c.number)
    return query.limit(bindparam("limit")).offset(bindparam("offset")) if part else query


@cache
def _count_query(asked: frozenset[str], finished: bool | None) -> Select[Any]:
    return select(func.count()).select_from(table).where(*_conditions(asked, finished))


def _conditions(asked: frozenset[str], finished: bool | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [table.c[name] == bindparam(name) for name in NAMED if name in asked]
    if finished is not None:
        conditions.append(table.c.stage.in_(FINISHED) if finished else table.c.stage.not_in(FINISHED))
    if "least" in asked:
        now = bindparam("now", type_=Instant)
        ended = type_coerce(func.coalesce(table.c.decided_at, now), BigInteger)
        least = bindparam("least", type_=BigInteger)
        conditions.append(ended - type_coerce(table.c.running_since, BigInteger) >= least)
    return conditions


def load_titles(connection: Connection) -> dict[str, str]:
    """The key of the first experiment with each title."""
    query = select(table.c.title, func.min(table.c.number)).group_by(table.c.title)
    return {title: f"EXP-{number}" for title, number in connection.execute(query)}


def finished_ages(connection: Connection, most: int) -> list[int]:
    """How many whole days the last finished experiments took from *running* to the decision, the latest first."""
    return [microseconds // DAY for microseconds in connection.scalars(TOOK, {"most": most}).all()]


def load_followers(connection: Connection, key: str) -> list[str]:
    """The keys of the experiments that follow from that one, in the order of their numbers."""
    return [f"EXP-{number}" for number in connection.scalars(FOLLOWERS, {"key": key})]


def load_ancestors(connection: Connection, experiment: Experiment) -> list[str]:
    """The keys it follows from, the nearest first."""
    chain: list[str] = []
    parent = experiment.parent
    while parent and parent not in chain:
        chain.append(parent)
        number = int(parent.removeprefix("EXP-"))
        parent = connection.scalar(select(table.c.parent).where(table.c.number == number)) or ""
    return chain


def last_subject(connection: Connection, who: str) -> str:
    """What a person acted on last: an experiment's key, `goal:churn`, or nothing."""
    query = select(timeline.c.subject).where(timeline.c.who == who).order_by(timeline.c.id.desc()).limit(1)
    return connection.scalar(query) or ""


def load_by_numbers(connection: Connection, numbers: Sequence[int]) -> list[Experiment]:
    """Those experiments, in the order in which they are asked for."""
    known = _experiments(connection, select(*COLUMNS).where(table.c.number.in_(numbers)))
    found = {experiment.number: experiment for experiment in known}
    return [found[number] for number in numbers if number in found]


def open_ages(connection: Connection, now: datetime, most: timedelta) -> list[int]:
    """How many whole days those that began within that span and are not decided have taken so far, the oldest last."""
    rows = connection.execute(OPEN, {"now": (now - EPOCH) // UNIT, "since": now - most}).all()
    return [days for days, count in rows for _ in range(count)]


def load_watched(connection: Connection) -> list[Experiment]:
    """Experiments that time alone may change: those in progress, and those parked until a day."""
    stages = [stage for stage in Stage if stage.in_progress]
    watched = or_(table.c.stage.in_(stages), table.c.parked_until != "", table.c.blocked_until != "")
    return _experiments(connection, select(*COLUMNS).where(watched).order_by(table.c.number))


def load_acts(connection: Connection, acts: Collection[str]) -> list[tuple[int, Entry]]:
    """The entries of those acts on experiments in progress, oldest first, with the number of each."""
    going = table.c.stage.in_([stage for stage in Stage if stage.in_progress])
    key = literal("EXP-") + cast(table.c.number, String)
    query = select(table.c.number, timeline).join(timeline, timeline.c.subject == key)
    rows = connection.execute(query.where(going, timeline.c.act.in_(sorted(acts))).order_by(timeline.c.id)).mappings()
    return [(row["number"], _entry(row)) for row in rows]


def kinds_on_goal(connection: Connection, goal: str, other_than: int) -> list[tuple[int, Kind, Stage]]:
    """Which kinds stand in which stages among the goal's other experiments, each with the lowest number there."""
    rows = connection.execute(KINDS_ON_GOAL, {"goal": goal, "other_than": other_than})
    return [(number, Kind(kind), Stage(stage)) for number, kind, stage in rows]


def count_in_progress(connection: Connection, other_than: int, **where: str) -> int:
    """How many experiments are in progress besides that one, for an owner or a goal."""
    (name, value) = next(iter(where.items()))
    stages = [stage for stage in Stage if stage.in_progress]
    query = select(func.count()).where(
        table.c[name] == value, table.c.stage.in_(stages), table.c.number != other_than, table.c.parked_since.is_(None)
    )
    return connection.scalar(query) or 0


def linked_to(connection: Connection, issue_id: str) -> Experiment | None:
    """The experiment that an issue belongs to."""
    row = connection.execute(select(*COLUMNS).where(table.c.issue_id == issue_id)).first()
    return _experiment(row) if row else None


def numbers_by_key(connection: Connection, keys: Iterable[str]) -> dict[str, int]:
    """The experiment numbers behind keys of either form, by the key as given; unknown keys are left out."""
    folded = {key: key.strip().upper() for key in keys}
    numbers = {match[1] for key in folded.values() if (match := EXPERIMENT_KEY.fullmatch(key))}
    query = select(table.c.number, table.c.issue_key).where(
        or_(table.c.number.in_([int(n) for n in numbers]), table.c.issue_key.in_(set(folded.values()) - {""}))
    )
    known: dict[str, int] = {}
    for number, issue_key in connection.execute(query):
        known |= {f"EXP-{number}": number, issue_key: number}
    return {key: known[name] for key, name in folded.items() if name and name in known}


def load_timeline(connection: Connection, key: str) -> list[Entry]:
    """The entries of one experiment, oldest first."""
    return [_entry(row) for row in connection.execute(TIMELINE, {"key": key}).mappings().all()]


def load_last_entries(connection: Connection, key: str, most: int) -> tuple[list[Entry], int]:
    """The latest entries of one experiment, oldest first, and how many it has in all."""
    rows = connection.execute(LAST_ENTRIES, {"key": key, "most": most}).mappings().all()
    return [_entry(row) for row in reversed(rows)], rows[0]["all"] if rows else 0


def load_entries(connection: Connection, start: datetime, end: datetime) -> list[tuple[str, Entry]]:
    """All entries from `start` up to `end` with the key they belong to, oldest first."""
    query = select(timeline).where(timeline.c.at >= start, timeline.c.at < end).order_by(timeline.c.at, timeline.c.id)
    return [(row["subject"], _entry(row)) for row in connection.execute(query).mappings()]


def load_news(connection: Connection, after: int, until: int) -> list[tuple[int, str, Entry]]:
    """All entries with a higher id than `after`, up to `until`, with their id and the key they belong to, oldest
    first."""
    query = select(timeline).where(timeline.c.id > after, timeline.c.id <= until).order_by(timeline.c.id)
    return [(row["id"], row["subject"], _entry(row)) for row in connection.execute(query).mappings()]


def load_timeline_until(connection: Connection, key: str, last: int) -> list[Entry]:
    """The entries of one experiment up to that id, oldest first."""
    query = select(timeline).where(timeline.c.subject == key, timeline.c.id <= last).order_by(timeline.c.id)
    return [_entry(row) for row in connection.execute(query).mappings()]


def first_observed(connection: Connection, since: datetime) -> dict[str, datetime]:
    """When each experiment that met production data since then did so first."""
    query = select(timeline.c.subject, timeline.c.at, timeline.c.changes).where(
        timeline.c.at >= since, timeline.c.act == "moved"
    )
    first: dict[str, datetime] = {}
    for subject, at, changes in connection.execute(query.order_by(timeline.c.id)):
        if changes.get("stage") == Stage.OBSERVING:
            first.setdefault(subject, at)
    return first


def last_acts(connection: Connection) -> dict[str, datetime]:
    """The time of the last act on each goal or on any of its experiments."""
    own = func.substr(timeline.c.subject, len("goal:") + 1)
    goals = select(own, func.max(timeline.c.at)).where(timeline.c.subject.startswith("goal:")).group_by(own)
    experiments = select(table.c.goal, func.max(table.c.updated_at)).group_by(table.c.goal)
    acts: dict[str, datetime] = {}
    for key, at in [*connection.execute(goals), *connection.execute(experiments)]:
        acts[key] = max(at, acts.get(key, at))
    return acts


def _experiments(
    connection: Connection, query: Select[Any], asked: Mapping[str, Any] = MappingProxyType({})
) -> list[Experiment]:
    return [_experiment(row) for row in connection.execute(query, asked).all()]


def _experiment(row: Row[Any]) -> Experiment:
    values = list(row)
    for place, members in KINDS:
        if values[place] is not None:
            values[place] = members[values[place]]
    values[LABELS] = tuple(values[LABELS])
    return Experiment(*values)


def _entry(row: RowMapping) -> Entry:
    changes = {name: _value(name, value) for name, value in row["changes"].items()}
    return Entry(row["at"], row["who"], row["act"], row["text"], changes)


def _value(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name == "labels":
        return tuple(value)
    if name in TIMES:
        return datetime.fromisoformat(value)
    return WORDS[name](value) if name in WORDS else value
