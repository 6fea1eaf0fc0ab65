"""Jira's raw issues as backlog types. Real data is nasty: every field may be missing or null."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from backlog.issue import Edit, Issue

FIELDS = ("summary", "status", "resolution", "assignee", "labels", "priority", "updated", "duedate", "parent")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SPRINT_TEXT = re.compile(r"[\[,](name|state)=([^,\]]*)")  # Data Center writes a sprint as a Java object's text


def issue_of(raw: Mapping[str, Any], base_url: str, sprint_field: str = "", epic_field: str = "") -> Issue:
    """The issue behind a search hit or a GET; `base_url` is the instance's address without a slash at the end. Data
    Center keeps the epic in a field of its own."""
    fields: Mapping[str, Any] = raw.get("fields") or {}
    status: Mapping[str, Any] = fields.get("status") or {}
    assignee = fields.get("assignee")
    return Issue(
        id=str(raw["id"]),
        key=str(raw["key"]),
        url=f"{base_url}/browse/{raw['key']}",
        summary=printable(fields.get("summary")),
        status=_named(status),
        category=str((status.get("statusCategory") or {}).get("key") or ""),
        resolution=_named(fields.get("resolution")),
        assignee=_named(assignee, "displayName"),
        updated=read_time(fields.get("updated")),
        due=_due(fields.get("duedate")),
        sprint=_sprint(fields.get(sprint_field)) if sprint_field else "",
        labels=tuple(label for label in fields.get("labels") or () if isinstance(label, str)),
        priority=_named(fields.get("priority")),
        assignee_id=account_of(assignee),
        parent_key=str((fields.get("parent") or {}).get("key") or fields.get(epic_field) or ""),
    )


def duplicate_of(raw: Mapping[str, Any]) -> str:
    """The key of the issue that this one duplicates; empty where it duplicates none, or is still open."""
    fields: Mapping[str, Any] = raw.get("fields") or {}
    if not fields.get("resolution"):
        return ""
    links = (link for link in fields.get("issuelinks") or () if isinstance(link, Mapping))
    duplicates = (link for link in links if (link.get("type") or {}).get("name") == "Duplicate")
    return next((str(link["outwardIssue"].get("key", "")) for link in duplicates if link.get("outwardIssue")), "")


def account_of(user: Any) -> str:
    """The id that Jira takes for a user: the account on Cloud, the name on Data Center; empty for nobody."""
    return str(user.get("accountId") or user.get("name") or "") if isinstance(user, dict) else ""


def _named(value: Any, name: str = "name") -> str:
    """What a status, a priority or a person is called; empty where there is none."""
    words = value.get(name) if isinstance(value, dict) else None
    return _shared(words) if isinstance(words, str) else ""


def edits_of(raw: Mapping[str, Any]) -> tuple[Edit, ...]:
    """The changelog of a GET with `expand=changelog`, the oldest first; lines of other fields are left out."""
    histories = (raw.get("changelog") or {}).get("histories") or ()
    edits = (edit for history in histories for edit in _edits(history))
    return tuple(sorted(edits, key=lambda edit: (edit.at, edit.number)))


def _edits(history: Mapping[str, Any]) -> Iterator[Edit]:
    for item in history.get("items") or ():
        read = READ_CHANGE.get(str(item.get("field")))
        if read:
            name, value = read
            number = int(history["id"]) if str(history.get("id")).isdigit() else 0
            before, after = value(item.get("from"), item.get("fromString")), value(item.get("to"), item.get("toString"))
            yield Edit(
                number, read_time(history.get("created")), name, before, after, account_of(history.get("author"))
            )


# Jira's field → our name, and what a value is worth there, from its id and its text.
READ_CHANGE: Mapping[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "summary": ("title", lambda _, text: printable(text)),
    "labels": ("labels", lambda _, text: tuple(sorted(str(text or "").split()))),
    "priority": ("jira_priority", lambda _, text: printable(text)),
    "assignee": ("owner", lambda account, _: str(account or "")),
    "status": ("status", lambda _, text: printable(text)),
    "description": ("description", lambda _, text: str(text or "")),
}


def printable(text: Any) -> str:
    """One line without control or bidi characters; empty for anything that is no text."""
    if not isinstance(text, str):
        return ""
    plain = text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)
    return " ".join(plain.split())


_shared = lru_cache(maxsize=4_096)(printable)  # thousands of issues share a few names


def read_time(text: Any) -> datetime:
    """Jira's `2011-04-17T01:50:05.000+0000` in UTC; 1970 where it is missing, so that it never counts as new."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return EPOCH
    return at.astimezone(UTC) if at.tzinfo else EPOCH


def _due(text: Any) -> date | None:
    try:
        return date.fromisoformat(str(text)) if text else None
    except ValueError:
        return None


def _sprint(value: Any) -> str:
    """The name of the sprint that is not closed; empty where there is none."""
    sprints = value if isinstance(value, list) else [value]
    described = [dict(SPRINT_TEXT.findall(item)) if isinstance(item, str) else item or {} for item in sprints]
    open_ones = (item for item in described if str(item.get("state", "")).lower() in ("active", "future"))
    return printable(next((item.get("name") for item in open_ones), ""))
