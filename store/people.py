"""People by the id their surface gives them, and deliveries already handled."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, select

from store.dialect import insert
from store.tables import delivery, group_member, person

# Asked with every command: building a statement costs as much as running it.
NAME = select(person.c.name).where(person.c.id == bindparam("id"))
PEOPLE = select(person.c.id, person.c.name)
NAMES = PEOPLE.where(person.c.id.in_(bindparam("ids", expanding=True)))


def save_person(connection: Connection, user_id: str, name: str) -> None:
    """Remember what a person is called; an empty name changes nothing."""
    if not name:
        return
    statement = insert(connection, person).values(id=user_id, name=name[:200])
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["id"], set_={"name": statement.excluded.name}, where=person.c.name != name[:200]
        )
    )


def is_known(connection: Connection, user_id: str, name: str) -> bool:
    """Whether a person is remembered under that name."""
    return connection.scalar(NAME, {"id": user_id}) == name[:200]


def load_people(connection: Connection) -> dict[str, str]:
    """The names of all, by id."""
    return dict(connection.execute(PEOPLE).all())


def load_names(connection: Connection, ids: Collection[str]) -> dict[str, str]:
    """The names of those few, by id; whoever is not remembered is left out."""
    return dict(connection.execute(NAMES, {"ids": sorted(set(ids))}).all())


def person_named(connection: Connection, name: str) -> str | None:
    """The id of the one person of that name in any case; None where nobody or more than one has it."""
    wanted = name.strip().lstrip("@").casefold()
    ids = [user_id for user_id, known in load_people(connection).items() if known.casefold() == wanted]
    return ids[0] if len(ids) == 1 else None


def save_group(connection: Connection, group: str, members: Iterable[str]) -> None:
    """Remember who belongs to a user group now."""
    connection.execute(group_member.delete().where(group_member.c.group == group))
    rows = [{"group": group, "person": person_id} for person_id in sorted(set(members))]
    if rows:
        connection.execute(group_member.insert(), rows)


def groups_of(connection: Connection, user_id: str) -> set[str]:
    """The user groups that a person belongs to, as last read."""
    return set(connection.scalars(select(group_member.c.group).where(group_member.c.person == user_id)))


def members_of(connection: Connection, names: Iterable[str]) -> list[str]:
    """Those ids with each user group replaced by its members, where they are known."""
    wanted = list(names)
    query = select(group_member).where(group_member.c.group.in_(wanted)).order_by(group_member.c.person)
    members: dict[str, list[str]] = {}
    for row in connection.execute(query):
        members.setdefault(row.group, []).append(row.person)
    return list(dict.fromkeys(person_id for name in wanted for person_id in members.get(name, [name])))


def forget_deliveries(connection: Connection, before: datetime) -> None:
    """Drop keys so old that their delivery cannot come again."""
    connection.execute(delivery.delete().where(delivery.c.at < before))


def first_within(connection: Connection, key: str, now: datetime, span: timedelta) -> bool:
    """Whether this happens for the first time in that span; remembers it when it does."""
    statement = insert(connection, delivery).values(key=key, at=now)
    changed = statement.on_conflict_do_update(
        index_elements=["key"], set_={"at": now}, where=delivery.c.at <= now - span
    )
    return connection.execute(changed.returning(delivery.c.key)).first() is not None


def first_delivery(connection: Connection, key: str, now: datetime) -> bool:
    """Whether this delivery is handled for the first time; remembers it with the act's own transaction."""
    statement = insert(connection, delivery).values(key=key, at=now).on_conflict_do_nothing()
    return connection.execute(statement.returning(delivery.c.key)).first() is not None
