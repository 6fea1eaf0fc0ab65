"""The command line as a person or a script meets it."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli import app

COMMAND = (sys.executable, "-c", "from bot.cli import main; main()")
NEAR = "Like it: EXP-1 Char-level tokens raise recall (idea)"


@pytest.fixture
def backlog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database with one idea."""
    config = tmp_path / "config.toml"
    config.write_text(f'[database]\nurl = "sqlite:///{tmp_path}/scrumbut.db"\n')
    monkeypatch.setenv("SCRUMBUT_CONFIG", str(config))
    assert "EXP-1 is on the backlog" in run("exp", "new", "Char-level tokens raise recall")
    return config


def run(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*words])
    assert result.exit_code == code, result.output
    return result.output


def at_a_terminal(*words: str, typed: str) -> str:
    """What a person at a terminal reads; `typed` is what they answer."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*COMMAND, *words], stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True)
    os.close(theirs)
    os.write(ours, f"{typed}\n".encode())
    said = b""
    try:
        while part := os.read(ours, 4096):
            said += part
    except OSError:  # Linux says that the other end is closed with EIO
        pass
    finally:
        os.close(ours)
        process.wait(60)
    return said.decode()


def test_help_on_a_verb_needs_no_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRUMBUT_CONFIG", str(tmp_path / "none.toml"))
    assert "State a goal" in run("exp", "goal", "add", "--help")
    assert "What would you like to do?" in run("exp")
    assert "not found" in run("exp", "list", code=1)


def test_a_script_sees_what_is_near_and_is_not_asked(backlog: Path) -> None:
    said = run("exp", "new", "Word-level tokens raise recall")
    assert NEAR in said
    assert "EXP-2 is on the backlog" in said


@pytest.mark.parametrize(("typed", "ends"), [("y", "EXP-2 is on the backlog"), ("n", "Aborted")])
def test_a_person_at_a_terminal_is_asked_first(backlog: Path, typed: str, ends: str) -> None:
    said = at_a_terminal("exp", "new", "Word-level tokens raise recall", typed=typed)
    assert said.index(NEAR) < said.index("Create it anyway?") < said.index(ends)
    assert ("EXP-2" in run("exp", "list")) is (typed == "y")
