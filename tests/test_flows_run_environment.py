"""`scrumbut env EXP-12`: what a shell gets, so that MLflow and W&B tag their runs by themselves."""

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.cli import app
from tests.conftest import World


def env(world: World, key: str, *more: str, **known: str) -> Result:
    command = ["env", key, *more, "--config", str(world.folder / "config.toml")]
    cleared = dict.fromkeys(("MLFLOW_RUN_CONTEXT", "WANDB_TAGS", "WANDB_RUN_GROUP"))
    return CliRunner(env=cleared | known).invoke(app, command)


@pytest.fixture
def linked(world: World) -> World:
    world.jira.add_issue("ML", "Char tokens")
    world.type('new "Char tokens"')
    world.type("link EXP-1 ML-1")
    return world


@pytest.mark.parametrize("key", ["EXP-1", "ml-1"])
def test_a_shell_that_evaluates_it_has_what_the_trackers_read(linked: World, key: str, tmp_path: Path) -> None:
    (tmp_path / "lines").write_text(env(linked, key).output)
    show = "import os; print(os.environ['MLFLOW_RUN_CONTEXT'], os.environ['WANDB_TAGS'], os.environ['WANDB_RUN_GROUP'])"
    script = f'eval "$(cat {tmp_path}/lines)"; python3 -c "{show}"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == '{"scrumbut.experiment": "EXP-1", "jira.issue": "ML-1"} EXP-1,ML-1 EXP-1\n'


def test_what_is_there_already_stays_and_cannot_break_the_shell(linked: World) -> None:
    nasty = "it's; $(touch pwned) `x` \n end"
    context = {"note": nasty, "scrumbut.experiment": "EXP-9", "jira.issue": "ML-9"}
    done = env(linked, "EXP-1", MLFLOW_RUN_CONTEXT=json.dumps(context), WANDB_TAGS=f"blue,{nasty},EXP-1")
    script = f'{done.output}\nprintf \'%s|%s\' "$MLFLOW_RUN_CONTEXT" "$WANDB_TAGS"'
    shown = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, timeout=30).stdout
    told, _, tags = shown.partition("|")
    assert json.loads(told) == {"note": nasty, "scrumbut.experiment": "EXP-1", "jira.issue": "ML-1"}
    assert tags == f"blue,{nasty},EXP-1,ML-1"


def test_scripts_get_it_as_json(linked: World) -> None:
    assert json.loads(env(linked, "EXP-1", "--json").output)["WANDB_RUN_GROUP"] == "EXP-1"


@pytest.mark.parametrize(
    ("key", "known", "said"),
    [
        ("EXP-7", {}, "There is no EXP-7 here. The last one is EXP-1"),
        ("nonsense", {}, '"nonsense" is no experiment key.'),
        (
            "EXP-1",
            {"MLFLOW_RUN_CONTEXT": "colour=blue"},
            'MLFLOW_RUN_CONTEXT is "colour=blue", which is no JSON object',
        ),
    ],
)
def test_what_cannot_be_named_is_told_and_nothing_is_exported(
    linked: World, key: str, known: dict[str, str], said: str
) -> None:
    done = env(linked, key, **known)
    assert (done.exit_code, done.stdout) == (1, "")
    assert said in done.stderr
