"""What waits for a person in the outbox: look at it, send it again, or let it be."""

from collections.abc import Sequence

from sqlalchemy import Connection

from backlog.errors import BacklogError, NotFound
from bot.flows.renew_cards import KIND as CARD
from bot.flows.renew_cards import order_card_of
from bot.flows.services import Caller, Services, acting, require_role
from bot.roles import Role
from store import outbox
from store.outbox import Row

ACT = "mend the outbox"
LATEST = (CARD, "jira.sync", "jira.remote_link")  # of these only the last one counts


def list_stuck(services: Services, caller: Caller, every: bool = False) -> Sequence[Row]:
    """What needs a person, and with `every` what is still on its way, oldest first."""
    require_role(services, caller, "look into the outbox", Role.ADMIN)
    states = (*outbox.STUCK, *outbox.UNSETTLED) if every else outbox.STUCK
    with services.database.read() as connection:
        return outbox.load_rows(connection, states)


def show_row(services: Services, caller: Caller, number: int) -> Row:
    """One row with its payload. Raises NotFound."""
    require_role(services, caller, "look into the outbox", Role.ADMIN)
    with services.database.read() as connection:
        row = outbox.find_row(connection, number)
    if row is None:
        raise NotFound(f"There is no row {number} in the outbox.", "scrumbut outbox list")
    return row


def retry_row(services: Services, caller: Caller, number: int) -> None:
    """Send a row that needs a person once more: it may arrive twice where its outcome is unknown. Raises NotFound."""
    with acting(services, caller, ACT, Role.ADMIN) as connection:
        row = outbox.find_row(connection, number)
        later = outbox.overtaken_by(connection, row) if row and row.kind in LATEST else None
        if later is not None:
            what = f"Row {number} is overtaken by row {later}, which says what is true now."
            raise BacklogError(what, f"scrumbut outbox drop {number}")
        if row is None or not outbox.put_back(connection, number, services.now()):
            raise _not_stuck(number)
        _show(connection, services, row)


def drop_row(services: Services, caller: Caller, number: int) -> None:
    """Let a row that needs a person be. Raises NotFound."""
    with acting(services, caller, ACT, Role.ADMIN) as connection:
        row = outbox.find_row(connection, number)
        if row is None or not outbox.drop(connection, number, f"dropped by {caller.name}"):
            raise _not_stuck(number)
        _show(connection, services, row)


def _show(connection: Connection, services: Services, row: Row) -> None:
    """Have the card tell whether Jira still waits."""
    if issue := row.payload.get("issue"):
        order_card_of(connection, services, issue)


def _not_stuck(number: int) -> NotFound:
    return NotFound(f"Row {number} of the outbox does not wait for a person.", "scrumbut outbox list")
