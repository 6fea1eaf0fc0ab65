"""A source of another distribution, installed beside the product, works like a built-in one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from backlog.metric import Better, Metric
from store.database import open_database
from store.metrics import add_metric, run_values

ROOT = Path(__file__).parent.parent
FOREIGN = Path(__file__).parent / "foreign_source"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the distribution and what pip leaves beside it."""
    build, target = tmp_path_factory.mktemp("build"), tmp_path_factory.mktemp("target")
    shutil.copytree(FOREIGN, build / "source")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    command = [*pip, "--no-build-isolation", "--target", str(target), str(build / "source")]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    return target


def scrumbut(folder: Path, target: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": f"{target}:{ROOT}", "SCRUMBUT_CONFIG": str(folder / "config.toml")}
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # each of these processes would compile everything afresh
    command = [sys.executable, "-m", "bot.cli", *words]
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=60)


def test_a_source_of_another_distribution_is_polled_like_a_built_in_one(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "train.log").write_text("1795000000 EXP-1 recall=0.81\nepoch 3 done\n1795000060 EXP-1 recall=0.83\n")
    source = f'[[sources]]\nname = "log"\nkind = "logfile"\nurl = "{tmp_path}/train.log"\n'
    (tmp_path / "config.toml").write_text(f'[database]\nurl = "sqlite:///{tmp_path}/s.db"\n{source}')
    database = open_database(f"sqlite:///{tmp_path}/s.db")
    with database.write() as connection:
        metric = add_metric(connection, Metric("churn", "recall", "dev", "log", "recall", Better.UP))
    tried = scrumbut(tmp_path, installed, "poll", "--dry-run")
    assert "log: recall of churn in dev (recall): 2 readings" in tried.stdout, tried.stderr
    assert "log: 1 metrics, 2 new readings" in scrumbut(tmp_path, installed, "poll").stdout
    with database.read() as connection:
        assert [run.value for run in run_values(connection, metric)] == [0.83]


def test_without_it_the_kind_is_unknown_and_those_there_are_named(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[[sources]]\nname = "log"\nkind = "logfile"\nurl = "x"\n')
    done = scrumbut(tmp_path, tmp_path, "poll")
    assert done.returncode == 1
    assert 'kind: "logfile" is no kind of source. There are: mlflow, prometheus, wandb' in done.stderr


def test_the_docs_show_the_source_that_is_tested_here() -> None:
    docs = (ROOT / "docs/sources.md").read_text()
    assert (FOREIGN / "scrumbut_logfile.py").read_text() in docs
    assert '[project.entry-points."scrumbut.sources"]\nlogfile = "scrumbut_logfile:LogFile"\n' in docs
