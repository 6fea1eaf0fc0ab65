"""The docs are held to the code."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli import app
from bot.manifest import OPTIONAL, SCOPES
from bot.verbs import exp
from integrations.sources import SOURCES

ROOT = Path(__file__).parent.parent
DOCS = "\n".join(path.read_text() for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
README = (ROOT / "README.md").read_text()


def test_the_way_told_in_the_docs_is_what_the_commands_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = (ROOT / "docs/backlog.md").read_text().partition("## One experiment's way")[2]
    story = told.partition("```console\n")[2].partition("```")[0]
    readings = "time,metric,value,run,experiment\n" + "".join(
        f"2026-11-2{n},recall,0.7{n},r{n},EXP-1\n" for n in range(3)
    )
    (tmp_path / "readings.csv").write_text(readings)
    database = f'[database]\nurl = "sqlite:///{tmp_path}/s.db"\n'
    source = f'[[sources]]\nname = "files"\nkind = "csv"\nurl = "{tmp_path}/readings.csv"\n'
    (tmp_path / "config.toml").write_text(database + source)
    monkeypatch.setenv("LOGNAME", "ana")
    monkeypatch.setenv("SCRUMBUT_CONFIG", str(tmp_path / "config.toml"))
    for step in story.split("$ scrumbut ")[1:]:
        command, _, expected = step.partition("\n")
        result = CliRunner().invoke(app, shlex.split(command))
        assert (command, result.output) == (command, expected)


def test_every_verb_shown_in_the_readme_exists() -> None:
    shown = set(re.findall(r"`/exp ([a-z]+)", README))
    assert shown
    assert shown <= set(exp.commands)


def test_every_source_kind_is_named_in_the_docs() -> None:
    told = (ROOT / "docs/sources.md").read_text()
    assert [kind for kind in SOURCES if f'"{kind}"' not in told] == []


def test_every_make_target_that_the_docs_name_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?m)^make ([a-z-]+)", DOCS)) <= targets


def test_every_test_that_security_names_exists_and_every_scope_has_its_reason() -> None:
    told = (ROOT / "docs/security.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", told))
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").glob("test_*.py"))
    assert len(named) > 40
    assert {name for name in named if f"def {name}(" not in tests} == set()
    rows = {f"| `{name}` | {why} | {'yes' if name in OPTIONAL else ''} |" for name, why in SCOPES.items()}
    assert {row for row in told.splitlines() if re.match(r"\| `[\w.]+:?[\w.]*` \|", row)} == rows


def test_every_link_between_the_docs_leads_somewhere() -> None:
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_the_tree_in_the_readme_names_the_packages() -> None:
    tree = README.partition("## The house")[2]
    assert [
        name for name in ("bot", "backlog", "store", "integrations", "reports", "sandbox") if f"{name}/" not in tree
    ] == []
