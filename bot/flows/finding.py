"""What a look at the set-up found: a fact, and its remedy where something is wrong."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

# Each is a section of docs/troubleshooting.md.
Topic = Literal[
    "app-token", "blocks-refused", "blocks-untried", "channel-unknown", "check", "clock-skew", "config",
    "config-readable", "database-read-only", "database-unusable", "foreign-package", "jira-off", "jira-refuses",
    "jira-unreachable", "jql-empty", "jql-refused", "mapping-wrong", "mlflow-host", "no-channel", "no-source",
    "not-in-channel", "outbox-stuck", "public-url-empty", "public-url-wrong", "schema-newer", "schema-older",
    "scopes-missing", "scopes-optional", "screen-asks", "slack-off", "slack-refuses", "slack-unreachable",
    "source-down", "source-failed", "source-variable", "task-given-up", "template-broken", "templates-missing",
    "test-refused", "testing-allowed", "webhook-missing",
]  # fmt: skip


class Mark(StrEnum):
    """How bad it is. Only an error makes `scrumbut doctor` fail."""

    FINE = "✓"
    TROUBLE = "!"
    WRONG = "✗"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor. `topic` names its section in docs/troubleshooting.md; nothing fine has one."""

    mark: Mark
    check: str
    fact: str
    fix: str = ""
    topic: Topic | Literal[""] = ""

    def __str__(self) -> str:
        fix = f" → {self.fix} (docs/troubleshooting.md#{self.topic})" if self.topic else ""
        return f"{self.mark} {self.check}: {self.fact}{fix}"


def fine(check: str, fact: str) -> Finding:
    """All is well."""
    return Finding(Mark.FINE, check, fact)


def trouble(check: str, fact: str, fix: str, topic: Topic) -> Finding:
    """It works, and somebody should look."""
    return Finding(Mark.TROUBLE, check, fact, fix, topic)


def wrong(check: str, fact: str, fix: str, topic: Topic) -> Finding:
    """It does not work."""
    return Finding(Mark.WRONG, check, fact, fix, topic)
