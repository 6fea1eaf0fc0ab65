"""The plugin that tags MLflow's runs: what it finds where, and that no training run ever ends for it."""

import ast
import importlib.util
import os
import stat
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).parent.parent / "integrations/mlflow_plugin/scrumbut_mlflow.py"


def load() -> Any:
    spec = importlib.util.spec_from_file_location("scrumbut_mlflow", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


plugin = load()


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder outside of git, and no variable that says anything."""
    for name in (*plugin.BRANCHES, "MLFLOW_RUN_CONTEXT", "SCRUMBUT_EXPERIMENT", "SCRUMBUT_PROJECTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check_out(folder: Path, branch: str) -> None:
    (folder / ".git").mkdir()
    (folder / ".git/HEAD").write_text(f"ref: refs/heads/{branch}\n")


def tags() -> dict[str, str]:
    context = plugin.ScrumbutContext()
    found: dict[str, str] = context.tags()
    assert context.in_context() == bool(found)
    return found


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("EXP-12", {"scrumbut.experiment": "EXP-12"}),
        (" exp-12 ", {"scrumbut.experiment": "EXP-12"}),
        ("ML-345", {"jira.issue": "ML-345"}),
        ("not a key", {}),
        ("EXP-0", {}),
    ],
)
def test_the_environment_names_the_experiment(
    named: str, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRUMBUT_EXPERIMENT", named)
    assert tags() == expected


@pytest.mark.parametrize(
    ("branch", "expected"),
    [
        ("feature/ml-345-char-tokens", {"jira.issue": "ML-345"}),
        ("Exp-12", {"scrumbut.experiment": "EXP-12"}),
        ("ana/EXP-12_and_ML-9", {"scrumbut.experiment": "EXP-12"}),
        ("fix-utf-8", {}),
        ("xml-345", {}),
        ("ml-345b", {}),
        ("main", {}),
    ],
)
def test_a_branch_counts_for_the_projects_that_are_named(
    branch: str, expected: dict[str, str], nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_out(nowhere, branch)
    assert tags() == {}
    monkeypatch.setenv("SCRUMBUT_PROJECTS", "exp, ML")
    assert tags() == expected


def test_the_variables_of_ci_come_before_the_working_tree(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_out(nowhere, "ML-1")
    monkeypatch.setenv("SCRUMBUT_PROJECTS", "ML")
    monkeypatch.setenv("GITHUB_REF_NAME", "7/merge")
    assert tags() == {}
    monkeypatch.setenv("GITHUB_HEAD_REF", "ML-2-tokens")
    assert tags() == {"jira.issue": "ML-2"}


def test_a_folder_below_and_a_worktree_beside_know_their_branch(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRUMBUT_PROJECTS", "ML")
    check_out(nowhere, "ML-1")
    (nowhere / "models/deep").mkdir(parents=True)
    monkeypatch.chdir(nowhere / "models/deep")
    assert tags() == {"jira.issue": "ML-1"}
    own = nowhere / ".git/worktrees/other"
    own.mkdir(parents=True)
    (own / "HEAD").write_text("ref: refs/heads/ml-2\n")
    (nowhere / "other").mkdir()
    (nowhere / "other/.git").write_text(f"gitdir: {own}\n")
    monkeypatch.chdir(nowhere / "other")
    assert tags() == {"jira.issue": "ML-2"}


def test_a_run_that_is_named_already_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRUMBUT_EXPERIMENT", "EXP-1")
    monkeypatch.setenv("MLFLOW_RUN_CONTEXT", '{"scrumbut.experiment": "EXP-2"}')
    assert tags() == {}
    monkeypatch.setenv("MLFLOW_RUN_CONTEXT", '{"colour": "blue"}')
    assert tags() == {"scrumbut.experiment": "EXP-1"}


def test_nothing_makes_it_wait_or_raise(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRUMBUT_PROJECTS", "ML,(")
    (nowhere / ".git").mkdir()
    os.mkfifo(nowhere / ".git/HEAD")
    assert stat.S_ISFIFO((nowhere / ".git/HEAD").stat().st_mode)
    assert tags() == {}
    (nowhere / ".git/HEAD").unlink()
    (nowhere / ".git/HEAD").write_bytes(b"\xff\xfe" * 10_000)
    assert tags() == {}
    gone = nowhere / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert tags() == {}


def test_it_reads_as_python_3_9_and_depends_on_nothing() -> None:
    tree = ast.parse(SOURCE.read_text(), feature_version=(3, 9))
    roots = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    roots |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert roots == {"__future__", "os", "re", "collections.abc", "pathlib"}
    assert "dependencies = []" in (SOURCE.parent / "pyproject.toml").read_text()
