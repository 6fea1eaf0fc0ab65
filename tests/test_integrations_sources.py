"""Files as metric sources: what they may look like, and what is said when they are wrong."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backlog.metric import Better, Metric
from integrations.http import IntegrationError
from integrations.sources.files import CsvFiles, JsonLinesFiles
from integrations.sources.source import SourceConfig
from tests.reading import read

DEV = Metric("churn", "recall", "dev", "files", "recall", Better.UP, id=1)
PROD = Metric("churn", "recall", "prod", "files", "recall", Better.UP, id=2)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
HEAD = "time,metric,value,run,step,environment,experiment\n"


def config(path: Path) -> SourceConfig:
    return SourceConfig("files", str(path))


def csv(tmp_path: Path, *lines: str) -> CsvFiles:
    (tmp_path / "m.csv").write_text(HEAD + "".join(f"{line}\n" for line in lines))
    return CsvFiles(config(tmp_path / "m.csv"))


def test_rows_become_readings_of_the_metric_and_environment_they_name(tmp_path: Path) -> None:
    source = csv(
        tmp_path,
        "2026-11-20T10:00:00+01:00,recall,0.72,r1,3,,EXP-1",
        "2026-11-20T10:00:00,recall,0.70,p1,,prod,",
        "2026-11-20T10:00:00,f1,0.5,,,,",
    )
    found = read(source, [DEV, PROD])
    assert [(r.at.hour, r.value, r.run, r.step, r.experiment) for r in found[1]] == [(9, 0.72, "r1", 3, "EXP-1")]
    assert [(r.at.hour, r.value) for r in found[2]] == [(10, 0.70)]


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "NaN"])
def test_a_value_that_is_not_finite_is_a_diverged_run(tmp_path: Path, text: str) -> None:
    found = read(csv(tmp_path, f"2026-11-20T10:00:00,recall,{text},r1,,,"), [DEV])
    assert math.isnan(found[1][0].value)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("yesterday,recall,0.7,,,,", 'files: m.csv, line 2 has the time "yesterday". Write it in ISO 8601.'),
        ("2026-11-20,recall,good,,,,", 'files: m.csv, line 2 has the value "good". Write a number.'),
        ("2026-11-20,recall,,,,,", 'files: m.csv, line 2 has no "value".'),
        ("2026-11-20,recall,0.7,r,one,,", 'files: m.csv, line 2 has the step "one".'),
    ],
)
def test_a_wrong_line_is_named_with_the_value_that_is_wrong(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(IntegrationError) as told:
        read(csv(tmp_path, line), [DEV])
    assert str(told.value).startswith(says)


def test_missing_columns_and_missing_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("when,metric,value\n")
    with pytest.raises(IntegrationError, match=r"m\.csv has no column time"):
        read(CsvFiles(config(tmp_path / "m.csv")), [DEV])
    with pytest.raises(IntegrationError, match=r'nowhere\.csv" does not exist. Check url of the source "files"'):
        read(CsvFiles(config(tmp_path / "nowhere.csv")), [DEV])


def test_a_line_still_being_written_is_left_for_the_next_poll(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    line = '{"time": "2026-11-20T10:00:00", "metric": "recall", "value": 0.7}'
    path.write_text(f"{line}\n{line[:30]}")
    source = JsonLinesFiles(config(path))
    assert len(read(source, [DEV])[1]) == 1
    path.write_text(f"{line}\n{line}\n")
    assert len(read(source, [DEV], LONG_AGO)[1]) == 2


@pytest.mark.parametrize(("line", "says"), [("{oops", "is not JSON"), ("[1]", "is no object")])
def test_wrong_json_lines_are_named(tmp_path: Path, line: str, says: str) -> None:
    (tmp_path / "m.jsonl").write_text(f"{line}\n")
    with pytest.raises(IntegrationError, match=f"line 1 {says}"):
        read(JsonLinesFiles(config(tmp_path)), [DEV])


def test_noise_without_a_line_is_left_at_its_first_mebibyte(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(HEAD + "x" * (3 << 20))
    with pytest.raises(IntegrationError, match="a line is longer than 1 MiB"):
        read(CsvFiles(config(tmp_path / "m.csv")), [DEV])
    (tmp_path / "m.csv").write_text("<!doctype html><title>Sign in</title>\n")
    with pytest.raises(IntegrationError, match=r"m\.csv has no column time"):
        read(CsvFiles(config(tmp_path / "m.csv")), [DEV])


def test_an_unchanged_file_is_not_read_again_and_a_lost_poll_is_repeated(tmp_path: Path) -> None:
    source = csv(tmp_path, "2026-11-20T10:00:00,recall,0.72,r1,,,")
    assert len(read(source, [DEV], LONG_AGO)[1]) == 1
    assert len(read(source, [DEV], LONG_AGO)[1]) == 1, "the poll before was not stored: `since` stood still"
    assert len(read(source, [DEV], LONG_AGO + timedelta(days=1))[1]) == 0
    with (tmp_path / "m.csv").open("a") as file:
        file.write("2019-01-01T10:00:00,recall,0.5,r0,,,\n")
    assert len(read(source, [DEV], LONG_AGO + timedelta(days=2))[1]) == 2, "a late line with an old time counts"


def test_a_folder_is_read_file_by_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(f"{HEAD}2026-11-20T10:00:00,recall,0.7,{name},,,\n")
    assert [r.run for r in read(CsvFiles(config(tmp_path)), [DEV])[1]] == ["a", "b"]
