"""Jira's search, page by page, in memory that does not grow with the scope.

Cloud hands out a token for each next page. Data Center counts, and what people change while it is read would slip
between two pages: there the pages of changes overlap.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from integrations.http import IntegrationError

Raw = dict[str, Any]
Read = Callable[..., Any]  # (method, path, **request) -> the JSON of the answer
PAGE = 1_000  # issues asked for at once; Cloud gives about 100 with fields, Data Center as many as its admin allows
SHARED = 20  # issues that two pages of changes have in common on Data Center
IDS = 5_000  # ids alone at once, the most that Cloud gives


def changes(read: Read, cloud: bool, jql: str, since: datetime | None, fields: Sequence[str]) -> Iterator[list[Raw]]:
    """Pages of the issues in scope that changed since then, the oldest change first. An issue that changes meanwhile
    comes again; an unchanged one that both of two pages hold comes once."""
    scope = without_order(jql)
    pages = _cloud_pages(read, changed(scope, since), fields) if cloud else _server_changes(read, scope, since, fields)
    known = set[tuple[str, str]]()
    for page in pages:
        fresh = [raw for raw in page if _version(raw) not in known]
        known = set(map(_version, page))
        if fresh:
            yield fresh


def hits(read: Read, cloud: bool, jql: str, fields: Sequence[str]) -> Iterator[list[Raw]]:
    """Pages of what a JQL finds, in its own order."""
    return _cloud_pages(read, jql, fields) if cloud else _server_pages(read, jql, fields)


def count(read: Read, cloud: bool, jql: str, since: datetime | None) -> int:
    """About how many issues in scope changed since then."""
    scope = f"({without_order(jql)}){_since(since)}"
    if cloud:
        return int(read("POST", "search/approximate-count", json={"jql": scope}).get("count") or 0)
    return int(read("POST", "search", json={"jql": scope, "maxResults": 0, "fields": ["id"]}).get("total") or 0)


def without_order(jql: str) -> str:
    """The restriction alone."""
    position = jql.upper().rfind("ORDER BY")
    return (jql if position < 0 else jql[:position]).strip()


def changed(scope: str, since: datetime | None) -> str:
    """The issues of a scope by their last change, from a moment on."""
    return f"({scope}){_since(since)} ORDER BY updated ASC"


def _since(since: datetime | None) -> str:
    # Milliseconds: a date would be read in the account's time zone, to the minute.
    return f" AND updated >= {int(since.timestamp() * 1000)}" if since else ""


def _version(raw: Raw) -> tuple[str, str]:
    return str(raw["id"]), str((raw.get("fields") or {}).get("updated"))


def _cloud_pages(read: Read, jql: str, fields: Sequence[str]) -> Iterator[list[Raw]]:
    token, used = "", set[int]()
    size = IDS if list(fields) == ["id"] else PAGE
    while True:
        query = {"jql": jql, "fields": list(fields), "maxResults": size}
        page = read("POST", "search/jql", json={**query, **({"nextPageToken": token} if token else {})})
        yield page.get("issues", [])
        token = page.get("nextPageToken") or ""
        if page.get("isLast", not token) or not token:
            return
        if hash(token) in used:
            raise IntegrationError("Jira", "its search repeats a page.", "The next round goes on from the last one.")
        used.add(hash(token))


def _server_changes(read: Read, scope: str, since: datetime | None, fields: Sequence[str]) -> Iterator[list[Raw]]:
    """Each page begins with the last issues of the one before. Where none of them is there any more, so many issues
    were edited, and went to the end, that some may have slipped past: it is read from further back."""
    start, tail = 0, set[str]()
    while True:
        query = {"jql": changed(scope, since), "fields": list(fields), "startAt": start, "maxResults": PAGE}
        page = read("POST", "search", json=query)
        issues = page.get("issues", [])
        if start and tail.isdisjoint(str(raw["id"]) for raw in issues):
            start = max(0, start - PAGE)
            continue
        yield issues
        if not issues or start + len(issues) >= page.get("total", 0):
            return
        shared = min(SHARED, len(issues) // 2)
        tail = {str(raw["id"]) for raw in issues[len(issues) - shared :]}
        start += len(issues) - shared


def _server_pages(read: Read, jql: str, fields: Sequence[str]) -> Iterator[list[Raw]]:
    start = 0
    while True:
        query = {"jql": jql, "fields": list(fields), "startAt": start, "maxResults": PAGE}
        page = read("POST", "search", json=query)
        issues = page.get("issues", [])
        yield issues
        start += len(issues)
        if not issues or start >= page.get("total", 0):
            return
