"""How the Jira stand-in shows what it keeps: issues, comments, people and documents, as Cloud or Data Center do."""

from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
CATEGORIES = {
    "new": (2, "blue-gray", "To Do"),
    "indeterminate": (4, "yellow", "In Progress"),
    "done": (3, "green", "Done"),
}


def show_issue(cloud: bool, raw: Json, names: list[str]) -> Json:
    """An issue with the fields that were asked for."""
    fields = raw["fields"]
    everything = "*all" in names or "*navigable" in names
    kept = fields if everything else {name: fields[name] for name in names if name in fields}
    shown = {"id": raw["id"], "key": raw["key"], "self": f"https://sandbox.example/rest/api/issue/{raw['id']}"}
    if cloud:
        kept = {name: _cloud_field(name, value) for name, value in kept.items()}
    return shown if names == ["id"] else {**shown, "fields": kept}


def _cloud_field(name: str, value: Any) -> Any:
    if name in ("assignee", "reporter", "creator") and value:
        return show_user(True, value)
    return to_document(value) if name in ("description", "environment") and isinstance(value, str) else value


def show_comment(cloud: bool, stored: Json) -> Json:
    """A comment with its authors, and its text as a document in Cloud."""
    authors = {name: show_user(cloud, stored[name]) for name in ("author", "updateAuthor") if stored.get(name)}
    body = stored["body"]
    shown = to_document(body) if cloud and isinstance(body, str) else body
    return {
        **{name: value for name, value in stored.items() if name != "properties"},
        **authors,
        "body": shown,
    }


def show_user(cloud: bool, user: Json) -> Json:
    """A person; Cloud keeps the name they sign in with to itself."""
    if not cloud:
        return user
    return {
        "accountId": user.get("accountId") or f"acc-{user.get('key') or user['name']}", "accountType": "atlassian",
        "displayName": user.get("displayName", ""), "active": user.get("active", True),
    }  # fmt: skip


def to_document(text: str) -> Json:
    """Plain text as an Atlassian document: one paragraph a line."""
    lines = text.replace("\r\n", "\n").split("\n")
    content = [{"type": "paragraph", "content": [{"type": "text", "text": line}] if line else []} for line in lines]
    return {"type": "doc", "version": 1, "content": content}


def document_text(document: Any) -> str:
    """The words of an Atlassian document, or of a plain text."""
    if isinstance(document, str):
        return document
    own = str(document.get("text", ""))
    inner = "".join(document_text(part) for part in document.get("content", ()))
    return own + inner + ("\n" if document.get("type") == "paragraph" else "")


def status_of(name: str, category: str) -> Json:
    """A status of that name and category."""
    number, colour, label = CATEGORIES[category]
    shown = {"id": number, "key": category, "colorName": colour, "name": label}
    return {"id": str(abs(hash(name)) % 10_000), "name": name, "description": "", "statusCategory": shown}


def stamp(at: datetime) -> str:
    """A moment as Jira writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}+0000"
