"""The product's clock: the machine's, or for tests one that was set at start and runs on from there."""

from collections.abc import Callable
from datetime import UTC, datetime

from backlog.errors import BacklogError

Clock = Callable[[], datetime]


def machine_clock() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)


def clock_from(start: str, allowed: bool) -> Clock:
    """The clock for `SCRUMBUT_NOW`; the machine's where it is empty. Raises BacklogError unless [testing] allow
    permits it: a production clock is never set by accident."""
    if not start:
        return machine_clock
    if not allowed:
        raise BacklogError("SCRUMBUT_NOW is set.", "Unset it, or set allow = true under [testing] in config.toml.")
    try:
        begin = datetime.fromisoformat(start)
    except ValueError as error:
        raise BacklogError(
            f'SCRUMBUT_NOW is "{start}".', "Write it in ISO 8601, such as 2026-11-23T08:59:00+01:00."
        ) from error
    aware = begin if begin.tzinfo else begin.replace(tzinfo=UTC)
    offset = aware.astimezone(UTC) - machine_clock()
    return lambda: machine_clock() + offset
