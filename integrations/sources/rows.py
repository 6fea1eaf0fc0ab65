"""Rows with named columns as readings: what files and SQL have in common.

Columns time, metric, value; optionally run, step, environment (else dev), experiment, eval_set. Naive times are UTC;
a value that is not finite is kept as NaN.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from backlog.metric import DEV, Metric, Reading
from integrations.http import IntegrationError
from integrations.sources.source import Found

REQUIRED = ("time", "metric", "value")
PART = 2_000  # readings handed on at once
Row = Mapping[str, Any]


def read_rows(source: str, metrics: Sequence[Metric], rows: Iterable[tuple[str, Row]]) -> Iterator[Found]:
    """The readings of those metrics among (where, row), in parts. Raises IntegrationError for the first row of theirs
    that cannot be read, naming where it is."""
    wanted: dict[tuple[Any, Any], list[Metric]] = defaultdict(list)
    for metric in metrics:
        wanted[metric.key, metric.environment].append(metric)
    parts: dict[int, list[Reading]] = defaultdict(list)
    for where, row in rows:
        concerned = wanted.get((str(row.get("metric")), str(row.get("environment") or DEV)))
        if not concerned:
            continue
        reading = _reading(source, row, where)
        for metric in concerned:
            parts[metric.id].append(reading)
            if len(parts[metric.id]) >= PART:
                yield metric, parts.pop(metric.id)
    yield from ((metric, parts[metric.id]) for metric in metrics if metric.id in parts)


def check_columns(source: str, columns: Iterable[str], where: str) -> None:
    """Raise IntegrationError where a column is missing that every row needs."""
    lacking = [column for column in REQUIRED if column not in set(columns)]
    if lacking:
        raise wrong(source, where, f"has no column {', '.join(lacking)}", f"It needs {', '.join(REQUIRED)}.")


def wrong(source: str, where: str, what: str, remedy: str) -> IntegrationError:
    """A refusal that says where."""
    return IntegrationError(source, f"{where} {what}.", remedy, permanent=True)


def _reading(source: str, row: Row, where: str) -> Reading:
    for column in REQUIRED:
        if row.get(column) in (None, ""):
            raise wrong(source, where, f'has no "{column}"', f"Every line needs {', '.join(REQUIRED)}.")
    return Reading(
        at=_time(source, row["time"], where),
        value=_number(source, row["value"], where),
        run=str(row.get("run") or "")[:250],
        step=_step(source, row.get("step"), where),
        experiment=str(row.get("experiment") or ""),
        eval_set=str(row.get("eval_set") or ""),
    )


def _time(source: str, value: Any, where: str) -> datetime:
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise wrong(source, where, f'has the time "{str(value)[:60]}"', "Write it in ISO 8601.") from None


def _number(source: str, value: Any, where: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise wrong(source, where, f'has the value "{str(value)[:60]}"', "Write a number.") from None
    return number if math.isfinite(number) else math.nan


def _step(source: str, value: Any, where: str) -> int:
    try:
        step = int(value) if value not in (None, "") else 0
    except (TypeError, ValueError, OverflowError):
        step = -1 << 63
    if not -(1 << 63) < step < 1 << 63:
        raise wrong(source, where, f'has the step "{str(value)[:60]}"', "Write a whole number.")
    return step
