"""The engine with one thing left out, a dozen times: each must fail the state machine, by the property it breaks.

A mutant is a change of at most ten lines to the real module, made in a copy of the project.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("backlog", "bot", "integrations", "reports", "sandbox", "store", "tests")
SEEDS = range(5)  # each is up to 120 sequences of 30 steps
pytestmark = pytest.mark.long  # minutes, not seconds


@dataclass(frozen=True)
class Mutant:
    """What is left out, where, and the property that must notice; any of them where several may be first."""

    name: str
    module: str
    before: str
    after: str
    noticed: tuple[str, ...]


MUTANTS = (
    Mutant(
        "no overlap",
        "bot/flows/sync_backlog.py",
        "OVERLAP = timedelta(minutes=10)",
        "OVERLAP = timedelta(0)",
        ("it converges", "the later change stands", "no edit vanishes"),
    ),
    Mutant(
        "the cursor moves although the round failed",
        "bot/flows/sync_backlog.py",
        "    except IntegrationError as error:\n        with services.database.write() as connection:\n",
        "    except IntegrationError as error:\n        with services.database.write() as connection:\n"
        "            save_pulled_until(connection, services.jql, start)\n",
        ("it converges", "the later change stands", "no edit vanishes"),
    ),
    Mutant(
        "no base: Jira's value always stands",
        "backlog/merge.py",
        "    if theirs == base.theirs:\n        return replace(same, stands=Side.OURS)\n",
        "",
        ("no edit vanishes", "the later change stands", "what was taken out", "it converges"),
    ),
    Mutant(
        "the base is what was read again",
        "backlog/intent.py",
        "Agreed(value, value) for name, value in intent.sent.items()",
        "Agreed(*2 * (getattr(twin.issue, {'title': 'summary'}.get(name, name), value),)) "
        "for name, value in intent.sent.items()",
        ("no edit vanishes", "it converges", "the later change stands"),
    ),
    Mutant(
        "no intent: a crash forgets what it fell upon",
        "bot/flows/sync_issue.py",
        "        if refused.unknown:\n            raise",
        "        if False:\n            raise",
        ("no edit vanishes", "the later change stands"),
    ),
    Mutant(
        "no look at the changelog",
        "backlog/intent.py",
        "    if own is None:\n        return []\n",
        "    if True:\n        return []\n",
        ("no edit vanishes",),
    ),
    Mutant(
        "no marker on a new issue",
        "integrations/jira/client.py",
        "            if self._marker(f\"issue/{raw['id']}\") == key:",
        "            if False:",
        ("one issue an experiment", "in line is quiet"),  # a second one is made late
    ),
    Mutant(
        "a comment in doubt is sent again without a look",
        "bot/flows/deliveries.py",
        '"jira.comment": Delivery(_comment, _find_comment)',
        '"jira.comment": Delivery(_comment, harmless=True)',
        ("one comment a note",),
    ),
    Mutant(
        "an echo is not known by its content",
        "backlog/merge.py",
        "lambda i, _: tuple(sorted(i.labels))",
        "lambda i, _: tuple(sorted(i.labels, reverse=True))",
        ("in line is quiet", "it converges", "the budget holds", "what was taken out"),
    ),
    Mutant(
        "resurrection: what was taken out is joined in again",
        "backlog/merge.py",
        "value = tuple(sorted((ours | theirs) - gone))",
        "value = tuple(sorted(ours | theirs))",
        ("what was taken out does not come back",),
    ),
    Mutant(
        "what does not stand is not told",
        "bot/flows/sync_issue.py",
        "if verdict.conflict and verdict.stands is stands]",
        "if False]",
        ("no edit vanishes",),
    ),
    Mutant(
        "clocks are compared as they stand",
        "bot/flows/sync_issue.py",
        "    skew = twin.at - services.now() if twin.at else timedelta()\n",
        "    skew = timedelta()\n",
        ("the later change stands",),
    ),
    Mutant(
        "no budget",
        "bot/flows/sync_issue.py",
        "    if spent > BUDGET:",
        "    if False:",
        ("the budget holds",),
    ),
    Mutant(
        "Done in Jira passes the gate",
        "bot/flows/sync_issue.py",
        "        return lifecycle.move(experiment, to, JIRA, now, evidence, services.rules)\n",
        '        return Entry(now, JIRA, "moved", to, {"stage": to})\n',
        ("a pull passes no gate",),
    ),
    Mutant(
        "out of sight is taken for deleted",
        "bot/flows/sync_issue.py",
        "        mark_unreachable(connection, [issue_id], services.now())\n",
        "        gone = linked_to(connection, issue_id)\n"
        "        assert gone\n"
        "        save_entry(connection, gone, lifecycle.unlink_issue(gone, JIRA, services.now()))\n",
        ("what is out of sight keeps its experiment",),
    ),
)


def run_machine(folder: Path, seed: int) -> str:
    """What the state machine says in that copy; empty when all held."""
    told = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "tests/test_sync_machine.py", "--hypothesis-profile=mutants",
         f"--hypothesis-seed={seed}", "--show-capture=no", "-p", "no:cacheprovider"],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)}, capture_output=True, text=True, timeout=900,
        check=False,
    )  # fmt: skip
    return "" if told.returncode == 0 else told.stdout


def copy_project(folder: Path) -> Path:
    """The packages and their settings, without what a build left behind."""
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "data", "snapshots"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_thing_left_out_is_noticed_by_the_property_it_breaks(mutant: Mutant, tmp_path: Path) -> None:
    folder = copy_project(tmp_path / "copy")
    module = folder / mutant.module
    text = module.read_text(encoding="utf-8")
    assert text.count(mutant.before) == 1, "the mutant no longer fits the module"
    assert max(mutant.before.count("\n"), mutant.after.count("\n")) < 10
    module.write_text(text.replace(mutant.before, mutant.after), encoding="utf-8")
    said = next(filter(None, (run_machine(folder, seed) for seed in SEEDS)), "")
    assert any(f"AssertionError: {word}" in said for word in mutant.noticed), said[-3_000:] or "nobody noticed"


@pytest.mark.parametrize("seed", range(9))
def test_the_engine_as_it_is_holds_over_a_thousand_histories(seed: int) -> None:
    assert run_machine(ROOT, seed) == ""
