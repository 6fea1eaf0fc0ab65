"""Sources that are read from files, databases and plain addresses, against files written as their makers write them."""

import json
import math
import os
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backlog.metric import Better, Metric
from integrations.http import IntegrationError
from integrations.sources import SOURCES
from integrations.sources.dvclive import DVCLive
from integrations.sources.files import ParquetFiles
from integrations.sources.http_json import HttpJson
from integrations.sources.source import SourceConfig
from integrations.sources.sql import Sql
from integrations.sources.tensorboard import TensorBoard
from tests import hostile
from tests.event_files import record, scalar, write_events
from tests.reading import read

DAY = datetime(2026, 11, 20, 10, tzinfo=UTC)
SECONDS = DAY.timestamp()


def metric(key: str, environment: str = "dev", id_: int = 1) -> Metric:
    return Metric("churn", "recall", environment, "s", key, Better.UP, id=id_)


# TensorBoard


def events(folder: Path) -> Path:
    return folder / "events.out.tfevents.1700000000.host.1.0"


def test_tensorboard_scalars_of_both_forms_become_readings_of_their_run(tmp_path: Path) -> None:
    run = tmp_path / "EXP-12" / "lr0.1"
    write_events(
        events(run),
        scalar("val/recall", SECONDS, 1, 0.5),
        scalar("loss", SECONDS, 1, 9.0),
        scalar("val/recall", SECONDS + 60, 2, 0.75, tensor=True),
        scalar("val/recall", SECONDS + 120, 3, math.nan),
    )
    found = read(TensorBoard(SourceConfig("tb", str(tmp_path))), [metric("val/recall")])[1]
    assert [(r.value, r.step, r.at) for r in found[:2]] == [(0.5, 1, DAY), (0.75, 2, DAY + timedelta(minutes=1))]
    assert math.isnan(found[2].value)
    assert {(r.run, r.experiment) for r in found} == {("EXP-12/lr0.1", "EXP-12")}


def test_tensorboard_tells_environments_apart_by_their_folder(tmp_path: Path) -> None:
    write_events(events(tmp_path / "prod" / "a"), scalar("recall", SECONDS, 1, 0.5))
    write_events(events(tmp_path / "b"), scalar("recall", SECONDS, 1, 0.25))
    metrics = [metric("recall"), metric("recall", "prod", 2)]
    found = read(TensorBoard(SourceConfig("tb", str(tmp_path))), metrics)
    assert [[r.value for r in found[number]] for number in (1, 2)] == [[0.25], [0.5]]


def test_an_event_still_being_written_waits_for_the_next_poll(tmp_path: Path) -> None:
    whole = [scalar("recall", SECONDS + n, n, n / 4) for n in range(3)]
    path = write_events(events(tmp_path), whole[0], whole[1][:-5])
    source = TensorBoard(SourceConfig("tb", str(tmp_path)))
    assert [r.value for r in read(source, [metric("recall")], DAY)[1]] == [0.0]
    write_events(path, *whole)
    assert [r.value for r in read(source, [metric("recall")], DAY + timedelta(days=1))[1]] == [0.0, 0.25, 0.5]
    assert read(source, [metric("recall")], DAY + timedelta(days=2))[1] == [], "it did not change since"


@pytest.mark.parametrize(
    ("noise", "says"),
    [
        (b"\xff" * 40, "has a wrong checksum near byte"),
        (record(b"\x2a\xff\xff\xff\x0f"), "has a record that is no event near byte"),
        (record(b"\x10" + b"\xff" * 30), "has a record that is no event near byte"),
    ],
)
def test_a_broken_event_file_is_named_with_the_place(tmp_path: Path, noise: bytes, says: str) -> None:
    write_events(events(tmp_path), scalar("recall", SECONDS, 1, 0.5), noise)
    with pytest.raises(IntegrationError, match=f"{events(tmp_path).name} {says}"):
        read(TensorBoard(SourceConfig("tb", str(tmp_path))), [metric("recall")])


# DVCLive


def write_live(folder: Path, name: str, text: str) -> None:
    path = folder / "plots" / "metrics" / f"{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(folder / "plots" / "metrics", (SECONDS, SECONDS))


def test_dvclive_steps_are_readings_of_the_run_that_its_folder_is(tmp_path: Path) -> None:
    write_live(tmp_path / "EXP-3" / "dvclive", "val/recall", "step\trecall\n0\t0.5\n1\t0.75\n2\t0.")
    source = DVCLive(SourceConfig("live", str(tmp_path)))
    found = read(source, [metric("val/recall")], DAY)[1]
    assert [(r.step, r.value, r.at, r.experiment) for r in found] == [(0, 0.5, DAY, "EXP-3"), (1, 0.75, DAY, "EXP-3")]
    assert found[0].run.endswith("EXP-3/dvclive 2026-11-20T10:00:00")
    assert read(source, [metric("val/recall")], DAY + timedelta(days=1))[1] == []


def test_dvclive_timestamps_are_taken_where_it_writes_them(tmp_path: Path) -> None:
    stamp = int((SECONDS + 60) * 1000)
    write_live(tmp_path, "recall", f"timestamp\tstep\trecall\n{stamp}\t0\t0.5\n")
    (reading,) = read(DVCLive(SourceConfig("live", str(tmp_path))), [metric("recall")])[1]
    assert reading.at == DAY + timedelta(minutes=1)


def test_a_key_is_no_way_out_of_the_folder_of_metrics(tmp_path: Path) -> None:
    write_live(tmp_path / "live", "recall", "step\trecall\n0\t0.5\n")
    (tmp_path / "secret.tsv").write_text("step\tsecret\n0\t42\n")
    source = DVCLive(SourceConfig("live", str(tmp_path / "live")))
    assert read(source, [metric("../../../secret")])[1] == []
    assert read(source, [metric(str(tmp_path / "secret"))])[1] == []


# Parquet


def test_parquet_rows_are_read_like_csv(tmp_path: Path) -> None:
    columns = {"time": [DAY, DAY], "metric": ["recall", "f1"], "value": [0.5, 0.25], "run": ["a", "a"], "step": [3, 3]}
    pq.write_table(pa.table(columns), tmp_path / "r.parquet")
    found = read(ParquetFiles(SourceConfig("files", str(tmp_path))), [metric("recall")])[1]
    assert [(r.at, r.value, r.run, r.step) for r in found] == [(DAY, 0.5, "a", 3)]


def test_a_parquet_file_that_is_not_whole_or_lacks_a_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "r.parquet").write_bytes(b"PAR1 half")
    with pytest.raises(IntegrationError, match=r"files: r\.parquet is no whole Parquet file"):
        read(ParquetFiles(SourceConfig("files", str(tmp_path))), [metric("recall")])
    pq.write_table(pa.table({"time": ["2026-11-20"], "metric": ["recall"]}), tmp_path / "r.parquet")
    with pytest.raises(IntegrationError, match=r"files: r\.parquet has no column value"):
        read(ParquetFiles(SourceConfig("files", str(tmp_path))), [metric("recall")])


# SQL


@pytest.fixture
def table(tmp_path: Path) -> str:
    with sqlite3.connect(tmp_path / "m.db") as connection:
        connection.execute("CREATE TABLE m (at TEXT, name TEXT, value REAL)")
        rows = [(f"2026-11-{day}T10:00:00", "recall", day / 100) for day in (20, 21, 22)]
        connection.executemany("INSERT INTO m VALUES (?, ?, ?)", rows)
    return f"sqlite:///{tmp_path}/m.db"


ALL = "SELECT at AS time, name AS metric, value FROM m"


def sql(url: str, statement: str = ALL, timeout_s: float = 5, **options: Any) -> Sql:
    return Sql(SourceConfig("db", url, timeout_s=timeout_s, options={"statement": statement, **options}))


def test_a_select_gives_readings_and_may_ask_only_for_what_is_new(table: str) -> None:
    assert [r.value for r in read(sql(table), [metric("recall")])[1]] == [0.2, 0.21, 0.22]
    newer = sql(table, ALL + " WHERE at >= :since")
    since = datetime(2026, 11, 21, tzinfo=UTC)
    assert [r.value for r in read(newer, [metric("recall")], since)[1]] == [0.21, 0.22]
    assert len(read(newer, [metric("recall")])[1]) == 3


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("", "0 statements are there"),
        (f"{ALL}; DELETE FROM m", "2 statements are there"),
        ("DELETE FROM m", "it is no SELECT but DELETE"),
        ("PRAGMA user_version = 3", "it is no SELECT but UNKNOWN"),
    ],
)
def test_only_one_select_is_accepted(table: str, statement: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        sql(table, statement)


def test_a_statement_that_runs_or_gives_too_long_is_stopped(table: str) -> None:
    endless = (
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS time, x AS metric, x AS value"
    )
    with pytest.raises(IntegrationError, match="db: the database says: interrupted"):
        read(sql(table, f"{endless} FROM n WHERE x < 0", timeout_s=0.2), [metric("recall")])
    with pytest.raises(IntegrationError, match=r'gives more than 2 rows. Narrow it by "time >= :since"'):
        read(sql(table, rows=2), [metric("recall")])


def test_what_the_database_says_is_told_and_nothing_new_is_made(table: str, tmp_path: Path) -> None:
    with pytest.raises(IntegrationError, match="db: the database says: no such table: nowhere"):
        read(sql(table, "SELECT * FROM nowhere"), [metric("recall")])
    with pytest.raises(IntegrationError, match="unable to open database file"):
        read(sql(f"sqlite:///{tmp_path}/none.db"), [metric("recall")])
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(IntegrationError, match="the statement has no column metric, value"):
        read(sql(table, "SELECT at AS time FROM m"), [metric("recall")])


def test_a_database_server_must_be_allowed_by_name(table: str) -> None:
    with pytest.raises(ValueError, match=r'"db\.internal:5432" is not allowed\. Add it to \[security\] allow_hosts'):
        sql("postgresql+psycopg://reader:pa55@db.internal/metrics")


# HTTP JSON


def ask(answer: Any, options: dict[str, Any], *keys: str) -> list[list[tuple[Any, ...]]]:
    with hostile.hostile(hostile.says(json.dumps(answer).encode())) as host:
        config = SourceConfig("api", f"http://{host}/m", options=options, allow=frozenset({host}), now=lambda: DAY)
        found = read(HttpJson(config), [metric(key, id_=id_) for id_, key in enumerate(keys, 1)])
    return [[(r.at, r.value, r.run, r.experiment) for r in readings] for readings in found.values()]


RUNS = {"runs": [{"id": "a", "end": "2026-11-20T10:00:00Z", "m": {"recall": 0.5, "f1": "0.25"}, "exp": "EXP-1"}, {}]}


def test_one_answer_of_json_serves_all_metrics() -> None:
    options = {"rows": "$.runs[*]", "time": "$.end", "run": "$.id", "experiment": "$.exp"}
    told = (DAY, "a", "EXP-1")
    recall, f1 = ask(RUNS, options, "$.m.recall", "$['m']['f1']")
    assert recall == [(told[0], 0.5, *told[1:])]
    assert f1 == [(told[0], 0.25, *told[1:])]


def test_an_answer_without_a_time_is_as_of_now() -> None:
    assert ask({"p95": 12}, {}, "$.p95") == [[(DAY, 12.0, "", "")]]
    assert ask({"p95": 12, "at": SECONDS + 60}, {"time": "$.at"}, "$.p95") == [
        [(DAY + timedelta(minutes=1), 12.0, "", "")]
    ]


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("p95", r'--key: "p95" is no JSONPath'),
        ("$.runs[*].id", r'"\$\.runs\[\*\]\.id" finds 2 values in one row'),
        ("$.runs[?search(@.id, '(a+)+$')]", 'has a filter or ".." twice'),
        ("$..a..b", 'has a filter or ".." twice'),
        ("$.name", r'row 1 has the value "x"\. Write a number'),
    ],
)
def test_a_key_that_cannot_be_is_named(key: str, says: str) -> None:
    with pytest.raises(IntegrationError, match=says):
        ask({"runs": [{"id": 1}, {"id": 2}], "name": "x"}, {}, key)


# All of them


@pytest.mark.parametrize("kind", list(SOURCES))
def test_an_option_that_a_kind_does_not_know_is_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='options: "stp" is no option of this kind'):
        SOURCES[kind](SourceConfig("s", str(tmp_path), options={"stp": "1m"}))
