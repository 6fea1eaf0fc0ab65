"""Readings by column are the readings by row, on either database."""

import math
from datetime import timedelta

import pytest

from backlog.metric import Better, Metric, Reading
from store.columns import SLICE, read_frame
from store.database import open_database
from store.metrics import add_metric, save_readings
from tests.conftest import TestClock


@pytest.mark.parametrize("rows", [1, SLICE])
def test_a_frame_holds_every_reading_in_order_and_a_diverged_one_as_nan(database_url: str, rows: int) -> None:
    database, start = open_database(database_url), TestClock().at
    given = [Reading(start + timedelta(hours=n % 5), n / 7, f"run-{n % 3}", n) for n in range(30, 0, -1)]
    with database.write() as connection:
        metric = add_metric(connection, Metric("churn", "recall", "dev", "m", "k", Better.UP))
        save_readings(connection, metric, [*given, Reading(start, math.nan, "run-9", 1)], {})
    with database.read() as connection:
        frame, part = read_frame(connection, rows=rows), read_frame(connection, [1])
        nothing = read_frame(connection, [99])
    database.close()
    assert len(frame) == 31
    assert frame.equals(frame.sort_values(["series", "at", "step"], ignore_index=True))
    assert sorted(frame["value"].dropna()) == pytest.approx(sorted(reading.value for reading in given))
    assert frame["value"].isna().sum() == 1
    assert set(part["series"]) == {1}
    assert len(part) == 10
    assert list(nothing.columns) == ["series", "at", "step", "value"]
    assert len(nothing) == 0
