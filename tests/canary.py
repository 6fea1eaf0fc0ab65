"""A canary in every test: the secrets of the tests' own configurations must turn up nowhere.

What a test printed and logged is searched, and the files it left in its folder: logs, databases, exports, pages.
Configurations hold them by right.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# The tokens and passwords that tests configure; each begins as the real ones do, or is long enough to be no word.
SECRETS = (
    "xoxb-sandbox", "xapp-sandbox", "0123456789abcdef0123456789abcdef", "jira-sandbox-token", "xoxe-1-", "xoxb-T0",
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn", "oooooooooooooooooooooooooooooooo",
)  # fmt: skip
LEFT = {".log", ".db", ".db-wal", ".jsonl", ".json", ".csv", ".html", ".md", ".txt", ".pdf", ".eml"}
FILE_MAX = 20 << 20  # bytes of a file that are searched


def leaks_in(text: bytes) -> list[str]:
    """The secrets that occur there."""
    return [secret for secret in SECRETS if secret.encode() in text]


def leaks_left(folder: Path) -> Iterator[str]:
    """The secrets in the files of a folder, each with where."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in LEFT and path.is_file():
            with path.open("rb") as file:
                yield from (f"{secret} in {path.name}" for secret in leaks_in(file.read(FILE_MAX)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Fail a test whose output, log or files hold a secret."""
    report = yield
    if report.when == "call" and report.passed and "may_show_secrets" not in item.keywords:
        said = [f"{leak} in its {name}" for name, text in report.sections for leak in leaks_in(text.encode())]
        folder = getattr(item, "funcargs", {}).get("tmp_path")
        said += leaks_left(folder) if folder else []
        if said:
            report.outcome, report.longrepr = "failed", f"a secret leaked: {'; '.join(said)}"
    return report
