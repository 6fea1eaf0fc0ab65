"""Subscriptions, what people and channels set for themselves, and reminders of waiting decisions."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, RowMapping, select, update

from backlog.quiet import QuietHours, read_quiet
from backlog.subscription import Event, Reminded, Subscription, read_digest
from store.dialect import insert
from store.tables import preference, reminder
from store.tables import subscription as table

OWN = ("person", "channel", "goal", "experiment")  # one subscription each; asking again changes it
QUIET = "quiet"
DEFAULT_GOAL = "goal"


def save_subscription(connection: Connection, subscription: Subscription) -> Subscription:
    """Add it, or change kinds and rhythm of the one there is for the same target and scope; what was told stays
    told."""
    digest = str(subscription.digest) if subscription.digest else ""
    changed = {"events": sorted(subscription.events), "digest": digest}
    own = {name: getattr(subscription, name) for name in OWN}
    statement = insert(connection, table).values(
        **own, **changed, created_at=subscription.created_at, told=subscription.told
    )
    saved = statement.on_conflict_do_update(index_elements=OWN, set_=changed).returning(table)
    return _subscription(connection.execute(saved).mappings().one())


def load_subscriptions(connection: Connection, person: str = "") -> list[Subscription]:
    """All of them, or those that one person made, oldest first."""
    query = select(table).order_by(table.c.id)
    rows = connection.execute(query.where(table.c.person == person) if person else query).mappings()
    return [_subscription(row) for row in rows]


def delete_subscriptions(connection: Connection, ids: Iterable[int]) -> None:
    """Forget them; what they told stays."""
    connection.execute(table.delete().where(table.c.id.in_(list(ids))))


def mark_told(connection: Connection, ids: Iterable[int], told: int) -> None:
    """Remember up to which id of the timeline they were told."""
    connection.execute(update(table).where(table.c.id.in_(list(ids))).values(told=told))


def save_preference(connection: Connection, subject: str, name: str, value: str) -> None:
    """Remember what a person or a channel set; an empty value forgets it."""
    own = (preference.c.subject == subject, preference.c.name == name)
    connection.execute(preference.delete().where(*own))
    if value:
        connection.execute(preference.insert().values(subject=subject, name=name, value=value))


def load_preferences(connection: Connection, subject: str) -> dict[str, str]:
    """What a person or a channel set, by name."""
    query = select(preference.c.name, preference.c.value).where(preference.c.subject == subject)
    return dict(connection.execute(query).all())


def load_quiet_hours(connection: Connection) -> dict[str, QuietHours]:
    """Everybody's quiet hours by person."""
    query = select(preference.c.subject, preference.c.value).where(preference.c.name == QUIET)
    return {person: read_quiet(text) for person, text in connection.execute(query)}


def load_reminded(connection: Connection) -> dict[tuple[str, str], Reminded]:
    """What each person was last told of each waiting decision, by (person, experiment key)."""
    rows = connection.execute(select(reminder)).mappings()
    return {(row["person"], row["experiment"]): Reminded(row["at"], row["snoozed_until"]) for row in rows}


def save_reminded(connection: Connection, person: str, experiment: str, **values: datetime | None) -> None:
    """Remember a reminder (`at`) or a snooze (`snoozed_until`)."""
    statement = insert(connection, reminder).values(person=person, experiment=experiment, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["person", "experiment"], set_=values))


def _subscription(row: RowMapping) -> Subscription:
    events = frozenset(Event(name) for name in row["events"] if name in {*Event})
    return Subscription(**{**row, "events": events, "digest": read_digest(row["digest"]) if row["digest"] else None})
