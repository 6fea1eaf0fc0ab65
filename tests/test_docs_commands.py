"""Every command that the README, the docs and the help show is run: in blocks, within sentences, and as examples.

A block that is not run says why in a comment before it, and is listed here.
"""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from bot.cli import app
from bot.config import settings_of
from bot.flows.services import Caller
from bot.verbs import Request, answer, split_line
from tests.conftest import CONFIG, World

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md")), ROOT / "integrations/mlflow_plugin/README.md"]
BLOCK = re.compile(r"(?:<!-- not run: (?P<why>[^\n]+) -->\n)?^```(?P<kind>\w*)\n(?P<body>.*?)^```$", re.M | re.S)
INLINE = re.compile(r"`((?:scrumbut|/exp)(?: [^`]+)?)`")
NOT_RUN = [
    ("CONTRIBUTING.md", "the gate runs them, but for the long ones"),
    ("README.md", "the gate runs both from a fresh clone"),
    ("operations.md", "it changes the machine, as root"),
    ("security.md", "it asks a database of weaknesses on the internet"),
]
KINDS = {"sh", "toml", "python", "text", "console", "mermaid"}  # console: test_docs; python: test_foreign_source
ENDLESS = ("serve", "work", "demo", "sandbox", "tick")  # what runs until Ctrl-C, or waits, has its own tests
# What stands for something of one's own; and one week in the place of eight, which take a while.
PLACES = {"NAME": "recall", "N": "1", "USER": "@ana", "VERB": "new", "EXP-12 …": "EXP-12", "FILE": "out.file",
          "FOLDER": "out", "2026-W40": "2026-W47"}  # fmt: skip


def blocks(kind: str) -> Iterator[tuple[str, str]]:
    """(page, text) of the blocks that are to be run."""
    for page in PAGES:
        for found in BLOCK.finditer(page.read_text()):
            if found["kind"] == kind and not found["why"]:
                yield page.name, found["body"]


def shown() -> list[str]:
    """Every command, in the order of the pages."""
    found: list[str] = []
    for page in PAGES:
        text = page.read_text()
        inside = [body for name, body in blocks("sh") if name == page.name]
        found += [line.partition("  #")[0].strip() for body in inside for line in body.splitlines()]
        found += [" ".join(one.split()) for one in INLINE.findall(BLOCK.sub("", text))]
    examples = [command.epilog or "" for command in vars(get_command(app))["commands"].values()]
    found += [text.removeprefix("Example: ") for text in examples if text.startswith("Example: ")]
    return list(dict.fromkeys(line for line in found if line and not line.startswith("#")))


def alternatives(line: str) -> Iterator[str]:
    """`outbox list|retry` is two commands, `[--own]` may be left out, and ` | list` follows the same first words."""
    line = re.sub(r"\[[^\]]*\]", "", line).removesuffix("…").strip()
    head, *others = line.split(" | ")
    if others:
        base = head.split()[:2]
        lines = [head, *(" ".join([*base, other]) for other in others)]
    else:
        choice = next((word for word in line.split() if re.fullmatch(r"[\w-]+(\|[\w-]+)+", word)), "")
        lines = [line.replace(choice, one, 1) for one in choice.split("|")] if choice else [line]
    for one in lines:
        for name, meant in PLACES.items():
            one = re.sub(rf"\b{re.escape(name)}(?=\s|$)", meant, one)
        yield one


SOURCE = '[[sources]]\nname = "mlflow"\nkind = "csv"\nurl = "{folder}/readings.csv"\n'


@pytest.fixture
def team(make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> World:
    """A backlog that has what the docs speak of: churn, EXP-1 to EXP-19, ML-345, recall, a report of last week."""
    templates = '[[reports]]\ntemplates = "{folder}/report-templates"'
    world = make_world(config=CONFIG.replace("[[reports]]", f"{SOURCE}{templates}", 1))
    for name in ("First", *(f"Number {number}" for number in range(2, 20))):
        world.jira.add_issue("ML", name)
    world.jira.put({**world.jira.issue("ML-1"), "id": "345", "key": "ML-345"})
    world.type('goal add churn "keep active clients" --metric recall --baseline 0.71 --target 0.80')
    world.type("goal ready churn --labels yes --access yes --expert yes --pipeline yes")
    for env in ("dev", "prod"):
        world.type(f"metric add recall --goal churn --source mlflow --key val_recall --env {env}")
    for number in range(1, 20):
        world.type(f'new "Idea {number}" --goal churn')
    world.type("hello", user="U0BEN")
    (world.folder / "ideas.csv").write_text("Summary\nTry focal loss\n")
    monkeypatch.chdir(world.folder)
    monkeypatch.setenv("SCRUMBUT_CONFIG", str(world.folder / "config.toml"))
    return world


def run(world: World, line: str) -> str:
    """What is wrong with a command; empty where it is understood. A refusal in words is an answer: what a page shows
    as an example need not fit this backlog."""
    if line.startswith("/exp"):
        said = answer(split_line(line.removeprefix("/exp")), Request(world.services, Caller("U0ANA", "ana")))
        return said.text if said.problem == "wrong use" else ""
    if line.startswith("scrumbut"):
        words = split_line(line)[1:]
        if not words or words[0] in ENDLESS:
            return ""
        done = CliRunner().invoke(app, words)
        broken = done.exception is not None and not isinstance(done.exception, SystemExit)
        bare = len(words) <= 2 and words[-1].isalpha()  # a command's name within a sentence
        return repr(done.exception) if broken else done.output if done.exit_code == 2 and not bare else ""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(["sh", "-ec", line], env=env, capture_output=True, text=True, timeout=60)
    return ran.stderr if ran.returncode else ""


def test_every_command_that_is_shown_is_understood(team: World) -> None:
    wrong = {}
    for line in shown():
        for one in alternatives(line):
            if problem := run(team, one):
                wrong[one] = problem
    assert wrong == {}


def test_every_piece_of_configuration_that_is_shown_can_be_used() -> None:
    loaded = 0
    for page, body in blocks("toml"):
        content = tomllib.loads(body)
        if "project" not in content:
            settings_of(content, Path(page))
            loaded += 1
    assert loaded > 5


def test_what_is_not_run_is_listed_with_its_reason() -> None:
    found = [(page.name, one["why"]) for page in PAGES for one in BLOCK.finditer(page.read_text()) if one["why"]]
    assert found == NOT_RUN
    assert len(found) <= 10
    kinds = {(page.name, one["kind"]) for page in PAGES for one in BLOCK.finditer(page.read_text())}
    assert {kind for _, kind in kinds} <= KINDS, kinds
