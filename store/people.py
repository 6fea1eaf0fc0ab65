"""People by the id their surface gives them, and deliveries already handled."""

from datetime import datetime

from sqlalchemy import Connection, select

from store.dialect import insert
from store.tables import delivery, person


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


def load_people(connection: Connection) -> dict[str, str]:
    """Names by id."""
    return dict(connection.execute(select(person.c.id, person.c.name)).all())


def person_named(connection: Connection, name: str) -> str | None:
    """The id of the one person of that name in any case; None where nobody or more than one has it."""
    wanted = name.strip().lstrip("@").casefold()
    ids = [user_id for user_id, known in load_people(connection).items() if known.casefold() == wanted]
    return ids[0] if len(ids) == 1 else None


def forget_deliveries(connection: Connection, before: datetime) -> None:
    """Drop keys so old that their delivery cannot come again."""
    connection.execute(delivery.delete().where(delivery.c.at < before))


def first_delivery(connection: Connection, key: str, now: datetime) -> bool:
    """Whether this delivery is handled for the first time; remembers it with the act's own transaction."""
    statement = insert(connection, delivery).values(key=key, at=now).on_conflict_do_nothing()
    return connection.execute(statement.returning(delivery.c.key)).first() is not None
