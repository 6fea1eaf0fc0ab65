"""Issues as last read from Jira, by immutable id, and where the next pull begins."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, RowMapping, func, or_, select, update

from backlog.intent import Intent
from backlog.issue import Comment, Issue
from backlog.merge import Agreed
from store.dialect import insert, upsert
from store.tables import agreed, experiment, goal, intent, issue_comment, jira_write, schedule
from store.tables import issue as table

_values, _DUE = attrgetter(*table.c.keys()), table.c.keys().index("due")


def save_issues(connection: Connection, issues: Sequence[Issue]) -> list[str]:
    """Remember issues; a moved issue keeps its row and its experiment, which then shows the new key. Returns the
    keys of such experiments."""
    if not issues:
        return []
    upsert(connection, table, [_row(issue) for issue in issues])
    by_id = {issue.id: issue for issue in issues}
    columns, renamed = (experiment.c.number, experiment.c.issue_id, experiment.c.issue_key), list[str]()
    for number, issue_id, key in connection.execute(select(*columns).where(experiment.c.issue_id.in_(by_id))).all():
        if key != by_id[issue_id].key:
            moved = {"issue_key": by_id[issue_id].key, "issue_url": by_id[issue_id].url}
            connection.execute(update(experiment).where(experiment.c.issue_id == issue_id).values(**moved))
            renamed.append(f"EXP-{number}")
    epics = select(goal.c.epic_id, goal.c.epic_key).where(goal.c.epic_id != "")
    for epic_id, key in connection.execute(epics).all():
        if epic_id in by_id and key != by_id[epic_id].key:
            connection.execute(update(goal).where(goal.c.epic_id == epic_id).values(epic_key=by_id[epic_id].key))
    return renamed


def load_linked_issues(connection: Connection) -> dict[str, Issue]:
    """The issues that experiments are linked to, by id."""
    query = select(table).join(experiment, experiment.c.issue_id == table.c.id)
    return {row["id"]: _issue(row) for row in connection.execute(query).mappings()}


def count_statuses(connection: Connection) -> dict[tuple[str, str], tuple[int, int]]:
    """How many issues have each (status, resolution), and how many of those are linked; the most frequent first."""
    linked = func.count(experiment.c.number)
    query = (
        select(table.c.status, table.c.resolution, func.count(), linked)
        .outerjoin(experiment, experiment.c.issue_id == table.c.id)
        .group_by(table.c.status, table.c.resolution)
        .order_by(func.count().desc())
    )
    return {(status, resolution): (issues, ours) for status, resolution, issues, ours in connection.execute(query)}


def find_issue(connection: Connection, key: str) -> Issue | None:
    """The issue of that key as last read; None where it was never pulled."""
    row = connection.execute(select(table).where(table.c.key == key.strip().upper())).mappings().first()
    return _issue(row) if row else None


def search_issues(connection: Connection, words: str, limit: int) -> list[tuple[str, str]]:
    """(key, summary) of issues that have those letters in either, the latest changed first."""
    query = select(table.c.key, table.c.summary).order_by(table.c.updated.desc()).limit(limit)
    if words:
        query = query.where(
            or_(*(column.icontains(words, autoescape=True) for column in (table.c.key, table.c.summary)))
        )
    return [(key, summary) for key, summary in connection.execute(query)]


def mark_unreachable(connection: Connection, ids: Iterable[str], now: datetime) -> None:
    """Remember since when those issues cannot be read; one that is read again is reachable again."""
    lost = (table.c.id.in_(list(ids)), table.c.unreachable_since.is_(None))
    connection.execute(update(table).where(*lost).values(unreachable_since=now))


def unreachable_among(connection: Connection, ids: Iterable[str]) -> list[str]:
    """Which of those issues could not be read when last tried."""
    lost = (table.c.id.in_(list(ids)), table.c.unreachable_since.is_not(None))
    return list(connection.scalars(select(table.c.id).where(*lost)))


@dataclass(frozen=True, slots=True)
class Round:
    """A pull that has not ended: when it began, and the last change of which it has stored all issues."""

    start: datetime
    mark: datetime


def pulled_until(connection: Connection, jql: str) -> datetime | None:
    """The start of the last complete pull of that scope."""
    return _moment(connection, _cursor(jql))


def load_round(connection: Connection, jql: str) -> Round | None:
    """The pull of that scope that was cut short; None where the last one ended."""
    start, mark = (_moment(connection, f"{_cursor(jql)}:{part}") for part in ("start", "mark"))
    return Round(start, mark) if start and mark else None


def save_round(connection: Connection, jql: str, round_: Round) -> None:
    """Remember how far a pull has come; written with the page that it stands for."""
    for part, at in (("start", round_.start), ("mark", round_.mark)):
        _save_moment(connection, f"{_cursor(jql)}:{part}", at)


def save_pulled_until(connection: Connection, jql: str, start: datetime) -> None:
    """Remember the start of a pull that succeeded, and that none is under way."""
    _save_moment(connection, _cursor(jql), start)
    forget_round(connection, jql)


def forget_round(connection: Connection, jql: str) -> None:
    """Let the next pull begin anew."""
    names = [f"{_cursor(jql)}:{part}" for part in ("start", "mark")]
    connection.execute(schedule.delete().where(schedule.c.name.in_(names)))


def _cursor(jql: str) -> str:
    # Another scope has a cursor of its own: its issues were never read.
    return f"cursor:jira:{sha256(jql.encode()).hexdigest()[:12]}"


def _moment(connection: Connection, name: str) -> datetime | None:
    return connection.scalar(select(schedule.c.checked_until).where(schedule.c.name == name))


def _save_moment(connection: Connection, name: str, at: datetime) -> None:
    statement = insert(connection, schedule).values(name=name, checked_until=at)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"checked_until": at}))


def _row(issue: Issue) -> list[Any]:
    row = [*_values(issue)]
    row[_DUE] = issue.due.isoformat() if issue.due else None
    return row


def _issue(row: RowMapping) -> Issue:
    due = date.fromisoformat(row["due"]) if row["due"] else None
    return Issue(**{**row, "due": due, "labels": tuple(row["labels"])})


def changed_among(connection: Connection, issues: Sequence[Issue]) -> list[Issue]:
    """Which of those issues are not as they were last stored, by the time of their last change."""
    known = select(table.c.id, table.c.updated).where(table.c.id.in_([issue.id for issue in issues]))
    stored = dict(connection.execute(known).all())
    return [issue for issue in issues if stored.get(issue.id) != issue.updated]


def save_comments(connection: Connection, issue_id: str, comments: Iterable[Comment]) -> None:
    """Remember the newest comments on an issue, in the place of those that were the newest."""
    connection.execute(issue_comment.delete().where(issue_comment.c.issue_id == issue_id))
    rows = [{"issue_id": issue_id, "id": c.id, "at": c.at, "author": c.author, "text": c.text} for c in comments]
    if rows:
        connection.execute(issue_comment.insert(), rows)


def load_comments(connection: Connection, issue_id: str) -> list[Comment]:
    """The newest comments on an issue as last read, the oldest of them first."""
    query = select(issue_comment).where(issue_comment.c.issue_id == issue_id).order_by(issue_comment.c.at)
    return [Comment(row["id"], row["at"], row["author"], row["text"]) for row in connection.execute(query).mappings()]


def linked_among(connection: Connection, issues: Iterable[Issue]) -> list[str]:
    """Which of those issues belong to an experiment, by id."""
    ids = [issue.id for issue in issues]
    return list(connection.scalars(select(experiment.c.issue_id).where(experiment.c.issue_id.in_(ids))))


def load_agreed(connection: Connection, issue_id: str) -> dict[str, Agreed]:
    """What each field was when both sides were last in line."""
    rows = connection.execute(select(agreed).where(agreed.c.issue_id == issue_id)).mappings()
    return {row["field"]: Agreed(_common(row["ours"]), _common(row["theirs"])) for row in rows}


def save_agreed(connection: Connection, issue_id: str, fields: Mapping[str, Agreed]) -> None:
    """Remember what both sides are now."""
    rows = [{"issue_id": issue_id, "field": name, "ours": a.ours, "theirs": a.theirs} for name, a in fields.items()]
    if rows:
        statement = insert(connection, agreed)
        changed = {name: statement.excluded[name] for name in ("ours", "theirs")}
        connection.execute(statement.on_conflict_do_update(index_elements=["issue_id", "field"], set_=changed), rows)


def forget_agreed(connection: Connection, issue_id: str) -> None:
    """Begin anew: after a link is cut nothing is agreed any more, and nothing is under way."""
    forget_intent(connection, issue_id)
    connection.execute(agreed.delete().where(agreed.c.issue_id == issue_id))


def load_intent(connection: Connection, issue_id: str) -> Intent | None:
    """The write to an issue that was under way and has not been settled."""
    row = connection.execute(select(intent).where(intent.c.issue_id == issue_id)).first()
    if row is None:
        return None
    return Intent(row.mark, {name: _common(value) for name, value in row.sent.items()}, row.block, tuple(row.told))


def save_intent(connection: Connection, issue_id: str, planned: Intent) -> None:
    """Remember a write before it is made. There is one at a time; the one before must be settled."""
    row = {"mark": planned.mark, "sent": dict(planned.sent), "block": planned.block, "told": list(planned.told)}
    connection.execute(intent.insert().values(issue_id=issue_id, **row))


def forget_intent(connection: Connection, issue_id: str) -> None:
    """The write is settled."""
    connection.execute(intent.delete().where(intent.c.issue_id == issue_id))


def count_write(connection: Connection, issue_id: str, now: datetime, within: timedelta) -> int:
    """Note a write to an issue; returns how many there were in that time, this one included."""
    connection.execute(jira_write.delete().where(jira_write.c.at <= now - within))
    connection.execute(jira_write.insert().values(issue_id=issue_id, at=now))
    return connection.scalar(select(func.count()).where(jira_write.c.issue_id == issue_id)) or 0


def _common(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
