"""Tags each new MLflow run with its scrumbut experiment or Jira issue: from the environment, else from the git branch.

Runs inside other people's training scripts: it reads variables and two small files, starts nothing, and never raises.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

EXPERIMENT, ISSUE = "scrumbut.experiment", "jira.issue"
KEY = re.compile(r"[A-Z][A-Z0-9_]+-[1-9][0-9]*")
HEAD_MAX = 4096  # bytes of a file that names a branch
# Where CI services tell the branch, those of pull requests first: in these the other one names the merge.
BRANCHES = (
    "GITHUB_HEAD_REF", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CHANGE_BRANCH", "SYSTEM_PULLREQUEST_SOURCEBRANCH",
    "DRONE_SOURCE_BRANCH", "TRAVIS_PULL_REQUEST_BRANCH", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME", "BRANCH_NAME",
    "GIT_BRANCH", "BUILD_SOURCEBRANCH", "BITBUCKET_BRANCH", "BUILDKITE_BRANCH", "CIRCLE_BRANCH", "TRAVIS_BRANCH",
    "CODEBUILD_WEBHOOK_HEAD_REF",
)  # fmt: skip


class ScrumbutContext:
    """A run context provider, by the two methods that MLflow calls; a base class would make MLflow a dependency."""

    def in_context(self) -> bool:
        """Whether there is something to tag."""
        return bool(self.tags())

    def tags(self) -> dict[str, str]:
        """The run's tag; none where nothing names it, or something else has named it already."""
        try:
            return _tags()
        except Exception:  # a run that trains for a day must not end for want of a tag
            return {}


def _tags() -> dict[str, str]:
    if any(name in os.environ.get("MLFLOW_RUN_CONTEXT", "") for name in (EXPERIMENT, ISSUE)):
        return {}  # MLflow asks us last, and ours would win
    named = os.environ.get("SCRUMBUT_EXPERIMENT", "").strip().upper()
    key = named if KEY.fullmatch(named) else _key_in(_branch())
    return {EXPERIMENT if key.startswith("EXP-") else ISSUE: key} if key else {}


def _key_in(branch: str) -> str:
    """The first key of a project that SCRUMBUT_PROJECTS names; `utf-8` is no issue."""
    projects = [re.escape(name) for name in re.split(r"[,\s]+", os.environ.get("SCRUMBUT_PROJECTS", "")) if name]
    if not projects:
        return ""
    found = re.search(rf"(?<![A-Za-z0-9])(?:{'|'.join(projects)})-[1-9][0-9]*(?![A-Za-z0-9])", branch, re.IGNORECASE)
    return found[0].upper() if found else ""


def _branch() -> str:
    told = (os.environ.get(name, "").strip() for name in BRANCHES)
    return next((branch for branch in told if branch), "") or _checked_out(Path.cwd())


def _checked_out(folder: Path) -> str:
    """The branch of the working tree that the folder is in; empty on a detached HEAD or outside of git."""
    head = next((path for path in _heads(folder)), None)
    reference = _read(head) if head else ""
    return reference[len("ref: refs/heads/") :] if reference.startswith("ref: refs/heads/") else ""


def _heads(folder: Path) -> Iterator[Path]:
    for place in (folder, *folder.parents):
        git = place / ".git"
        if git.is_dir():
            yield git / "HEAD"
        elif git.is_file():  # a worktree or a submodule: the file names the folder
            yield place / _read(git).partition("gitdir: ")[2] / "HEAD"


def _read(path: Path) -> str:
    if not path.is_file():  # reading a pipe would wait for whoever writes it
        return ""
    with path.open("rb") as file:
        return file.read(HEAD_MAX).decode(errors="replace").strip()
