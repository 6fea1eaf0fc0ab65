"""Forecasts with their outcomes."""

from collections.abc import Iterable

from sqlalchemy import Connection, RowMapping, select, update

from backlog.metric import Better
from backlog.reliability import Forecast
from store.dialect import insert
from store.tables import forecast as table

OWN = ("subject", "metric_id", "trials", "ahead", "target")  # the same question asked again is no new forecast


def keep_forecasts(connection: Connection, forecasts: Iterable[Forecast]) -> None:
    """Remember forecasts as they were first told."""
    for told in forecasts:
        values = {name: getattr(told, name) for name in Forecast.__slots__ if name != "number"}
        connection.execute(insert(connection, table).values(**values).on_conflict_do_nothing(index_elements=OWN))


def load_forecasts(connection: Connection, *, is_open: bool | None = None) -> list[Forecast]:
    """All forecasts, or those that are open or settled, oldest first."""
    query = select(table).order_by(table.c.number)
    if is_open is not None:
        query = query.where(table.c.hit.is_(None) if is_open else table.c.hit.is_not(None))
    return [_forecast(row) for row in connection.execute(query).mappings()]


def keep_outcome(connection: Connection, settled: Forecast) -> None:
    """Remember how a forecast came out."""
    outcome = {"hit": settled.hit, "settled_at": settled.settled_at}
    connection.execute(update(table).where(table.c.number == settled.number).values(**outcome))


def _forecast(row: RowMapping) -> Forecast:
    return Forecast(**{**row, "better": Better(row["better"])})
