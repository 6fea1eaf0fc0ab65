"""Goals and the timeline of their changes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, select, update

from backlog.errors import BacklogError, NotFound
from backlog.experiment import Entry
from backlog.goal import Answer3, Goal, Mark
from backlog.snapshot import Move
from store.tables import goal as table
from store.tables import timeline
from store.timeline import add_entry

BY_KEY = select(table).where(table.c.key == bindparam("key"))  # asked at every look at an experiment


def add_goal(connection: Connection, goal: Goal) -> None:
    """Store a new goal. Raises BacklogError where the key is taken."""
    if connection.scalar(select(table.c.key).where(table.c.key == goal.key)):
        raise BacklogError(f'There is already a goal "{goal.key}".', f"/exp goal show {goal.key}")
    connection.execute(
        table.insert().values(
            key=goal.key,
            statement=goal.statement,
            created_at=goal.created_at,
            created_by=goal.created_by,
            anti_goals=list(goal.anti_goals),
            metric=goal.metric,
            baseline=goal.baseline,
            target=goal.target,
            guardrails=list(goal.guardrails),
            stakeholders=list(goal.stakeholders),
            readiness=_marks(goal.readiness),
            epic_id=goal.epic_id,
            epic_key=goal.epic_key,
        )
    )
    add_entry(connection, f"goal:{goal.key}", Entry(goal.created_at, goal.created_by, "created", goal.statement))


def edit_goal(
    connection: Connection,
    goal: Goal,
    who: str,
    now: datetime,
    changes: Mapping[str, Any],
    why: str,
    act: str = "edited",
) -> Goal:
    """Change fields of a goal; the timeline keeps the old values beside the new ones."""
    values = {name: _plain(value) for name, value in changes.items()}
    before = {name: _plain(getattr(goal, name)) for name in changes}
    connection.execute(update(table).where(table.c.key == goal.key).values(**values))
    add_entry(connection, f"goal:{goal.key}", Entry(now, who, act, why, {"before": before, "after": values}))
    return find_goal(connection, goal.key)


def find_goal(connection: Connection, key: str) -> Goal:
    """The goal of that key in any case. Raises NotFound naming the goals there are."""
    row = connection.execute(BY_KEY, {"key": key.strip().lower()}).mappings().first()
    if row is not None:
        return _goal(row)
    keys = list(connection.scalars(select(table.c.key).order_by(table.c.key)))
    near = get_close_matches(key.strip().lower(), keys, n=1)
    hint = f'Did you mean "{near[0]}"?' if near else f"Goals: {', '.join(keys[:10]) or 'none yet'}."
    raise NotFound(f'There is no goal "{key[:60]}". {hint}', '/exp goal add churn "keep active clients"')


def load_goals(connection: Connection) -> list[Goal]:
    """All goals, oldest first."""
    rows = connection.execute(select(table).order_by(table.c.created_at, table.c.key)).mappings()
    return [_goal(row) for row in rows]


def load_past_values(connection: Connection, key: str) -> list[tuple[datetime, str, Mapping[str, Any]]]:
    """(when, why, the values before) of every change of a goal's numbers, oldest first: an old target stays visible."""
    query = (
        select(timeline).where(timeline.c.subject == f"goal:{key}", timeline.c.act == "edited").order_by(timeline.c.id)
    )
    rows = connection.execute(query).mappings()
    return [(row["at"], row["text"], row["changes"]["before"]) for row in rows]


def load_goals_at(connection: Connection, at: datetime) -> list[Goal]:
    """All goals as they were then: what was changed since is taken back, the latest first."""
    goals = {goal.key: goal for goal in load_goals(connection) if goal.created_at <= at}
    later = (timeline.c.subject.startswith("goal:"), timeline.c.act.in_(("edited", "undone")), timeline.c.at > at)
    for row in connection.execute(select(timeline).where(*later).order_by(timeline.c.id.desc())).mappings():
        key, before = row["subject"].removeprefix("goal:"), dict(row["changes"].get("before", {}))
        if key in goals:
            if "readiness" in before:
                before["readiness"] = _read_marks(before["readiness"])
            values: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value for name, value in before.items()
            }
            goals[key] = replace(goals[key], **values)
    return list(goals.values())


def load_moves(connection: Connection) -> dict[str, list[Move]]:
    """By goal, every move of its baseline or target, oldest first."""
    edits = (timeline.c.subject.startswith("goal:"), timeline.c.act.in_(("edited", "undone")))
    moves: dict[str, list[Move]] = {}
    for row in connection.execute(select(timeline).where(*edits).order_by(timeline.c.id)).mappings():
        before, after = row["changes"].get("before", {}), row["changes"].get("after", {})
        told = [
            Move(row["at"], name, before.get(name), after[name], row["text"])
            for name in ("baseline", "target")
            if name in after
        ]
        moves.setdefault(row["subject"].removeprefix("goal:"), []).extend(told)
    return moves


def add_deployment(connection: Connection, key: str, who: str, now: datetime, version: str) -> None:
    """Remember that a version of the goal's model went to production."""
    add_entry(connection, f"goal:{key}", Entry(now, who, "deployed", version))


def load_deployments(connection: Connection, key: str) -> list[tuple[datetime, str]]:
    """(when, version) of every deployment, oldest first."""
    deployed = (timeline.c.subject == f"goal:{key}", timeline.c.act == "deployed")
    query = select(timeline.c.at, timeline.c.text).where(*deployed).order_by(timeline.c.id)
    return [(at, version) for at, version in connection.execute(query)]


def last_goal_act(connection: Connection, key: str) -> tuple[str, datetime, str, dict[str, Any]]:
    """(who, when, act, the values before) of the last thing done to a goal."""
    query = select(timeline).where(timeline.c.subject == f"goal:{key}").order_by(timeline.c.id.desc()).limit(1)
    row = connection.execute(query).mappings().one()
    before = dict(row["changes"].get("before", {}))
    if "readiness" in before:
        before["readiness"] = _read_marks(before["readiness"])
    return row["who"], row["at"], row["act"], before


def _read_marks(marks: Mapping[str, Sequence[str]]) -> dict[str, Mark]:
    return {name: Mark(Answer3(answer), note) for name, (answer, note) in marks.items()}


def _marks(readiness: Mapping[str, Mark]) -> dict[str, list[str]]:
    return {name: [mark.answer, mark.note] for name, mark in readiness.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return _marks(value) if isinstance(value, Mapping) else value


def _goal(row: RowMapping) -> Goal:
    readiness = _read_marks(row["readiness"])
    lists = {name: tuple(row[name]) for name in ("anti_goals", "guardrails", "stakeholders")}
    return Goal(**{**row, **lists, "readiness": readiness})
