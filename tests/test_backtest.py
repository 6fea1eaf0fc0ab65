"""`scrumbut backtest`: every method against histories, its rivals beside it."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from backlog import lifecycle
from backlog.experiment import Entry, Stage
from backlog.forecast import BASE_RATES
from backlog.goal import Goal
from backlog.metric import Better, Metric, Reading
from backtest.climbs import base_rates
from backtest.guards import change_f1
from backtest.parts import PARTS, chosen
from backtest.scores import COLUMNS, OURS
from bot.cli import app
from store.database import open_database
from store.experiments import add_experiment, save_entry
from store.goals import add_goal
from store.metrics import add_metric, save_readings

KEYS = {
    "A": {"brier", "log", "ece"}, "A_weeks": {"brier"}, "A_range": {"pinball", "cover90"},
    "B": {"precision", "recall", "false_alarm"}, "C1": {"cover85", "pinball"}, "C2": {"brier"},
    "D": {"f1", "false_alarms_per_month"}, "D_nab": {"score"}, "D_change": {"f1"}, "D_gap": {"cover80"},
    "D_stale": {"false_per_gap"}, "E": {"false_claim", "brier"},
}  # fmt: skip


def backtest(*words: str) -> Result:
    return CliRunner().invoke(app, ["backtest", *words])


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small files of every layout, drawn with a fixed seed."""
    folder, rng = tmp_path_factory.mktemp("histories"), np.random.default_rng(5)
    days = pd.date_range("2024-01-01", periods=500)

    def write(name: str, **columns: Any) -> None:
        pd.DataFrame(columns).to_csv(folder / name, index=False)

    names = [f"s{number}" for number in range(6) for _ in range(40)]
    write(
        "experiments.csv", series_id=names, t=[*range(40)] * 6, date=[str(days[5 * t].date()) for t in range(40)] * 6,
        value=rng.normal(0.7, 0.05, 240) + np.tile(np.linspace(0, 0.2, 40), 6),
    )  # fmt: skip
    write("experiments_meta.csv", series_id=names[::40], direction=["max"] * 6, dated=[1] * 6)
    write("throughput.csv", project=["p"] * 500, date=days, done=rng.poisson(0.5, 500))
    started = days[:400] + pd.to_timedelta(rng.uniform(0, 20, 400), "h")
    write("pr_cycle.csv", project=["q"] * 400, item=range(400), started=started.strftime("%Y-%m-%dT%H:%M"),
          finished=(started + pd.to_timedelta(rng.pareto(1.5, 400) * 4, "D")).strftime("%Y-%m-%dT%H:%M"))  # fmt: skip
    write("seeds_nanogpt.csv", group=np.repeat([*"abcd"], 12),
          val_loss=rng.normal(3.28, 0.001, 48) + np.repeat([0, 0.002, 0.004, 0.006], 12))  # fmt: skip
    dev = rng.normal(80, 2, 30)
    gaps = {name: dev - rng.normal(10, 1, 30) for name in ("v2", "real", "sketch", "r", "a")}
    write("devprod_timm.csv", model=range(30), family=["f"] * 30, dev_top1=dev, **gaps)
    (folder / "nab" / "real").mkdir(parents=True)
    times = pd.date_range("2024-01-01", periods=2_000, freq="5min")
    values = rng.normal(10, 1, 2_000)
    values[1_500:1_560] += 30
    pd.DataFrame({"timestamp": times, "value": values}).to_csv(folder / "nab/real/a.csv", index=False)
    windows = {"real/a.csv": [[str(times[1_490]), str(times[1_570])]]}
    (folder / "nab/combined_windows.json").write_text(json.dumps(windows))
    (folder / "nab_published_scoreboard.json").write_text(json.dumps({"other": {"standard": 50.0}}))
    step = [*rng.normal(0, 1, 40), *rng.normal(8, 1, 40)]
    (folder / "tcpd.json").write_text(json.dumps({"s": {"y": step, "annotations": {"1": [40], "2": [41]}}}))
    return folder


def test_every_part_has_its_figures_its_rivals_and_what_they_rest_on(histories: Path) -> None:
    told = json.loads(backtest(str(histories), "--json").output)
    assert set(told) == set(KEYS)
    for name, keys in KEYS.items():
        assert keys <= set(told[name]), name
        assert told[name]["rivals"], name
        assert all(count > 0 for what, count in told[name]["n"].items() if what != "not_enough_history"), name


def test_a_clear_step_an_obvious_spike_and_a_steady_gap_are_seen(histories: Path) -> None:
    told = json.loads(backtest(str(histories), "--json", "--only", "D").output)
    assert set(told) == {"D", "D_nab", "D_change", "D_gap", "D_stale"}
    assert told["D"]["recall"] == 1
    assert told["D_nab"]["score"] > 80
    assert told["D_change"]["f1"] == 1
    assert 0.6 < told["D_gap"]["cover80"] < 0.95


def test_what_has_no_file_says_so_and_the_rest_is_scored(histories: Path, tmp_path: Path) -> None:
    (tmp_path / "tcpd.json").write_text((histories / "tcpd.json").read_text())
    result = backtest(str(tmp_path))
    assert result.exit_code == 0
    assert "D_change  when a metric changed (1 series, 80 points)" in result.output
    assert "A         target reached within k trials: no file experiments.csv, experiments_meta.csv" in result.output
    assert "C1        when N are done: no file throughput.csv or pr_cycle.csv" in result.output


HEAD = "series_id,t,date,value\n"


@pytest.mark.parametrize(
    ("file", "content", "part", "says", "code"),
    [
        ("experiments.csv", b"", "A", "experiments.csv is empty", 1),
        ("experiments.csv", HEAD.encode(), "A", "no history is long enough", 0),
        ("experiments.csv", f"{HEAD}s0,1,,0.5\n".encode(), "B", "no history is long enough", 0),
        ("experiments.csv", f"{HEAD}s0,1,,high\n".encode(), "A_range", 'line 2: value "high" is no number.', 1),
        (
            "experiments.csv",
            b"series_id,t,date\n",
            "A",
            'experiments.csv has no column "value". It needs: series_id,',
            1,
        ),
        ("experiments.csv", bytes(range(256)), "A", "experiments.csv cannot be read as CSV in UTF-8", 1),
        (
            "experiments_meta.csv",
            b"series_id,direction,dated\ns0,up,1\n",
            "A",
            'direction "up" is neither max nor min',
            1,
        ),
        (
            "throughput.csv",
            b"project,date,done\np,soon,1\n",
            "C1",
            'throughput.csv, line 2: date "soon" is no date.',
            1,
        ),
        ("pr_cycle.csv", b"project,item\nq,1\n", "C2", 'pr_cycle.csv has no column "started"', 1),
        ("devprod_timm.csv", b"family,dev_top1\nf,80\n", "D_gap", "no family has 8 models", 0),
        ("seeds_nanogpt.csv", b"group,val_loss\na,nan\n", "E", "fewer than 3 settings", 0),
        ("tcpd.json", b"{bad", "D_change", "tcpd.json cannot be read as JSON", 1),
        ("tcpd.json", b'{"s": {"y": ["x"]}}', "D_change", "tcpd.json: s.y.0: Input should be a valid number", 1),
        ("tcpd.json", b'{"s": {"y": [null], "annotations": {"1": []}}}', "D_change", "(1 series, 1 points)", 0),
        ("nab/combined_windows.json", b'{"../../s.csv": []}', "D", 'names "../../s.csv", which lies elsewhere', 1),
        ("nab/combined_windows.json", b'{"none.csv": []}', "D", "nab/none.csv cannot be read", 1),
        ("nab/real/a.csv", b"timestamp,value\n2024-01-01,1\n", "D_nab", "no series has more than 20 readings", 0),
    ],
)
def test_a_file_of_another_shape_is_named_with_what_it_lacks(
    histories: Path, tmp_path: Path, file: str, content: bytes, part: str, says: str, code: int
) -> None:
    folder = shutil.copytree(histories, tmp_path / "odd")
    (folder / file).write_bytes(content)
    result = backtest(str(folder), "--only", part)
    assert says in result.output
    assert result.exit_code == code


def test_odd_numbers_double_rows_and_other_zones_are_scored_as_what_they_are(histories: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(histories, tmp_path / "odd")
    trials = pd.read_csv(folder / "experiments.csv")
    odd = trials.assign(value=trials["value"].mask(trials.index % 7 == 3, 1e308).mask(trials.index % 11 == 3, np.inf))
    odd.sample(frac=1, random_state=1).to_csv(folder / "experiments.csv", index=False)
    items = pd.read_csv(folder / "pr_cycle.csv")
    zoned = items.assign(started=items["started"] + ":00+02:00", finished=items["finished"] + ":00Z")
    pd.concat([zoned, zoned]).sample(frac=1, random_state=1).to_csv(folder / "pr_cycle.csv", index=False)
    readings = pd.read_csv(folder / "nab/real/a.csv")
    readings.assign(value=readings["value"].mask(readings.index % 50 == 7)).sample(frac=0.7, random_state=1).to_csv(
        folder / "nab/real/a.csv", index=False
    )
    told = json.loads(backtest(str(folder), "--json", "--only", "A,B,C,D,D_nab,D_stale").output)
    for name in ("A", "A_weeks", "A_range", "B", "C1", "C2", "D", "D_nab", "D_stale"):
        assert KEYS[name] <= set(told[name]), name
    assert told["A"]["n"]["series"] == 6
    assert told["D"]["recall"] == 1


def test_the_written_predictions_score_the_same_again(histories: Path, tmp_path: Path) -> None:
    told = json.loads(backtest(str(histories), "--json", "--only", "A,B", "--predictions", f"{tmp_path}/p.csv").output)
    rows = pd.read_csv(tmp_path / "p.csv")
    assert tuple(rows.columns) == COLUMNS
    ours = rows[(rows["part"] == "A") & (rows["method"] == OURS)]
    squares = (ours["prediction"].clip(0.005, 0.995) - ours["outcome"]) ** 2
    assert squares.groupby(ours["series"]).mean().mean() == pytest.approx(told["A"]["brier"], abs=1e-4)
    assert len(ours) == told["A"]["n"]["predictions"]


def test_wrong_use_is_named(tmp_path: Path) -> None:
    assert backtest().exit_code == 2
    assert backtest(str(tmp_path), "--own").exit_code == 2
    assert '"Z" is no part of the backtest. Parts: A, A_weeks' in backtest(str(tmp_path), "--only", "Z").output
    assert "is no folder" in backtest(f"{tmp_path}/none").output


def test_a_letter_stands_for_all_its_parts() -> None:
    assert chosen("A") == ["A", "A_weeks", "A_range"]
    assert chosen("C, D_gap") == ["C1", "C2", "D_gap"]
    assert chosen("") == list(PARTS)


def test_agreement_with_annotators_is_measured_as_in_the_benchmark() -> None:
    assert change_f1({"1": [], "2": []}, []) == 1
    assert change_f1({"1": [50]}, [52]) == 1
    assert change_f1({"1": [50]}, [60]) == pytest.approx(0.5)


# What the issue asks of the tuning half: (part, figure, at least, at most).
ASKED = (
    ("A", "brier", 0, 0.137), ("A", "ece", 0, 0.025), ("A_weeks", "brier", 0, 0.10), ("B", "precision", 0.80, 1),
    ("B", "false_alarm", 0, 0.10), ("C2", "brier", 0, 0.16), ("D", "f1", 0.58, 1),
    ("D", "false_alarms_per_month", 0, 0.5), ("D_change", "f1", 0.65, 1), ("D_gap", "cover80", 0.77, 0.85),
    ("D_stale", "false_per_gap", 0, 0.05),
)  # fmt: skip
SLOW = (("C1", "cover85", 0.82, 0.92), ("E", "false_claim", 0, 0.11))


def within(folder: Path, asked: tuple[tuple[str, str, float, float], ...]) -> dict[str, float]:
    """The figures that miss what is asked."""
    told = json.loads(backtest(str(folder), "--json", "--only", ",".join({part for part, *_ in asked})).output)
    return {
        f"{part} {figure}": told[part][figure]
        for part, figure, least, most in asked
        if not least <= told[part][figure] <= most
    }


def test_the_methods_reach_what_is_asked_on_the_shared_histories(shared: Path) -> None:
    folder = shared / "data/judgement"
    assert within(folder, ASKED) == {}
    assert {gap: tuple(rates) for gap, rates in base_rates(folder).items()} == BASE_RATES


@pytest.mark.contract
def test_the_slow_methods_reach_it_too(shared: Path) -> None:
    assert within(shared / "data/judgement", SLOW) == {}


def own_config(folder: Path) -> str:
    (folder / "config.toml").write_text(f'[database]\nurl = "sqlite:///{folder}/s.db"\n')
    return f"{folder}/config.toml"


def test_a_team_scores_itself_on_its_own_history(tmp_path: Path) -> None:
    work_for_a_year(tmp_path)
    result = backtest("--own", "--json", "--config", own_config(tmp_path))
    assert result.exit_code == 0
    told = json.loads(result.output)
    for name in ("A", "A_weeks", "A_range", "B", "C1", "C2", "D_stale"):
        assert KEYS[name] <= set(told[name]), name
        assert told[name]["rivals"], name
    assert told["A"]["n"]["series"] == 61, "sixty experiments and their goal"
    assert (told["C1"]["n"]["series"], told["C2"]["n"]["series"]) == (1, 1)
    assert all("a team's own history does not hold" in told[name]["why"] for name in ("D", "D_nab", "D_gap", "E"))


def work_for_a_year(folder: Path) -> None:
    """A goal with an experiment every week, ten runs each, most of them decided after some days."""
    rng, now = np.random.default_rng(4), datetime(2026, 11, 23, 9, tzinfo=UTC)
    database = open_database(f"sqlite:///{folder}/s.db")
    with database.write() as connection:
        add_goal(connection, Goal("churn", "keep active clients", now, "ana", (), "recall", 0.7, 0.8))
        metric = add_metric(connection, Metric("churn", "recall", "dev", "runs", "recall", Better.UP))
        for number in range(1, 61):
            began = now - timedelta(weeks=62 - number)
            experiment = add_experiment(connection, lifecycle.create(f"Try {number}", "ana", began, goal="churn"))
            decided = {"stage": Stage.CONCLUDED, "decided_at": began + timedelta(days=1 + float(rng.pareto(2)) * 3)}
            moved = Entry(began, "ana", "moved", "", {"running_since": began, "stage_since": began, **decided})
            save_entry(connection, experiment, moved)
            values = rng.normal(0.7 + number / 1_000, 0.004, 10).tolist()
            runs = [Reading(began + n * timedelta(hours=6), v, f"{number}-{n}", 0, "t") for n, v in enumerate(values)]
            save_readings(connection, metric, runs, {"t": number})
    database.close()


def test_a_team_without_a_history_is_told_so(tmp_path: Path) -> None:
    result = backtest("--own", "--config", own_config(tmp_path))
    assert result.exit_code == 0
    assert "A         target reached within k trials: no history is long enough" in result.output
    assert "C1        when N are done: no project has a year of weeks" in result.output
