"""The command line as a script meets it: help, completion, JSON, exit codes, what is in the way."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from bot.cli import app
from bot.verbs import exp
from bot.verbs.grammar import Verb, Verbs
from tests.conftest import World

HEAVY = (
    "pandas",
    "numpy",
    "sqlalchemy",
    "slack_bolt",
    "slack_sdk",
    "jira",
    "starlette",
    "uvicorn",
    "jinja2",
    "pydantic",
)
COMMANDS = sorted(set(vars(get_command(app))["commands"]) - {"db"})


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_help_costs_no_heavy_import() -> None:
    script = (
        "import sys\nfrom bot.cli import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("exp", "outbox")])
def test_every_command_explains_itself_and_each_of_its_options(command: str) -> None:
    done = run(command, "--help")
    assert done.exit_code == 0, done.output
    text = re.sub(r"\x1b\[[0-9;]*m", "", done.output)
    options = re.findall(r"^[│ ]*\*? *(--[a-z-]+).*$", text, re.MULTILINE)
    assert options
    assert "Example: " in text or command in ("work", "forget")
    bare = [line for line in text.splitlines() if re.fullmatch(r"[│ ]*(--[a-z-]+)[│ A-Z]*", line)]
    assert bare == [], "an option without a word about it"


def completions(line: str, **env: str) -> list[str]:
    """What bash would offer after the line."""
    words = {"_SCRUMBUT_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    command = [sys.executable, "-c", "import sys; sys.argv[0] = 'scrumbut'; from bot.cli import main; main()"]
    done = subprocess.run(command, env={**os.environ, **words, **env}, capture_output=True, text=True, timeout=60)
    return done.stdout.split("\n")[:-1] if done.stdout else []


def test_a_shell_completes_commands_verbs_and_options() -> None:
    assert completions("scrumbut rep") == ["report"]
    assert completions("scrumbut exp goal a") == ["add"]
    assert "--hypothesis" in completions("scrumbut exp frame ")


def reading(verbs: Verbs = exp, path: str = "") -> list[str]:
    """The verbs that only read and need nothing named."""
    found = []
    for name, verb in verbs.commands.items():
        if isinstance(verb, Verbs):
            found += reading(verb, f"{path}{name} ")
        elif isinstance(verb, Verb) and verb.reads and not any(param.required for param in verb.params):
            found.append(f"{path}{name}")
    return found


def test_every_reading_verb_answers_as_json(world: World) -> None:
    world.type('new "Char tokens"')
    config = ("--config", str(world.folder / "config.toml"))
    lines = [*reading(), "show EXP-1", "find tokens", "compare EXP-1", "sync diff ML-1"]
    assert len(lines) > 15
    for line in lines:
        done = run("exp", *line.split(), "--json", *config)
        assert done.exit_code in (0, 1), (line, done.output)
        json.loads(done.stdout)
    for command in ("outbox", "doctor", "poll"):
        json.loads(run(command, "--json", *config).stdout)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("exp", "list"), 0),
        (("exp", "show", "EXP-99"), 1),
        (("exp", "shwo"), 2),
        (("exp", "list", "--nonsense"), 2),
        (("nonsense",), 2),
        (("report", "weekly", "--format", "doc"), 2),
        (("env", "EXP-99"), 1),
    ],
)
def test_exit_codes_tell_trouble_from_wrong_use(world: World, words: tuple[str, ...], code: int) -> None:
    done = CliRunner(env={"SCRUMBUT_CONFIG": str(world.folder / "config.toml")}).invoke(app, list(words))
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("words", [("report", "weekly"), ("export",)])
def test_a_place_that_cannot_be_written_is_named(world: World, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "taken").write_text("")
    done = run(*words, "-o", str(tmp_path / "taken/x"), "--config", str(world.folder / "config.toml"))
    assert done.exit_code == 1
    assert f'"{tmp_path}/taken' in done.stderr
    assert "Name another place." in done.stderr
