"""Searches in the Jira stand-in: Cloud's pages by token, Data Center's by number."""

import base64
from collections.abc import Callable, Set
from typing import TYPE_CHECKING, Any

from sandbox.jira_shapes import Json, show_issue
from sandbox.jql import JqlError, bounded, matcher, read_time
from sandbox.refusal import Refusal

if TYPE_CHECKING:
    from sandbox.jira import JiraSandbox

GONE = (
    "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. A full migration "
    "guideline is available at https://developer.atlassian.com/changelog/#CHANGE-2046"
)
BAD_TOKEN = "The provided next page token is invalid or expired."
UNBOUNDED = "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."
RECONCILED = 50  # issues that a search takes from the database rather than the index, at most
SERVER_PAGE = 1000  # issues a page of Data Center holds at most
PAGE_ALL_FIELDS = 100  # issues a page of Cloud holds when more than ids are asked for
SEARCH_BODY = {
    "expand", "fields", "fieldsByKeys", "jql", "maxResults", "nextPageToken", "properties", "reconcileIssues",
}  # fmt: skip
_ORDERS: dict[str, Callable[[Json], Any]] = {
    "updated": lambda raw: (read_time(raw["fields"]["updated"]), raw["id"]),
    "created": lambda raw: (read_time(raw["fields"]["created"]), raw["id"]),
    "id": lambda raw: int(raw["id"]),
    "key": lambda raw: (raw["key"].rpartition("-")[0], int(raw["key"].rpartition("-")[2])),
}


def search(jira: "JiraSandbox", path: Json, query: Json, body: Any) -> tuple[int, Any]:
    """Search, in the form of the profile; signed out it is 200 and empty, as Jira answers."""
    if jira.cloud and not path["form"]:
        raise Refusal(410, GONE)
    if not jira.cloud and path["form"]:
        return 501, {"errorMessages": ["Data Center has no /search/jql."], "errors": {}}
    asked = body if isinstance(body, dict) else query
    if jira.cloud and isinstance(body, dict) and set(body) - SEARCH_BODY:
        refusal = Refusal(400, "Invalid request payload. Refer to the REST API documentation and try again.")
        del refusal.body["errors"]  # this one comes without
        raise refusal
    jql = str(asked.get("jql") or "")
    if jira.cloud and not bounded(jql):
        raise Refusal(400, UNBOUNDED)
    reconciled = set(map(str, asked.get("reconcileIssues") or ()))
    if len(reconciled) > RECONCILED:
        return 501, {"errorMessages": [f"More than {RECONCILED} issues are not reconciled."], "errors": {}}
    found = _matching(jira, jql, reconciled) if jira.signed_in else []
    fields = asked.get("fields") or ("id" if jira.cloud else "*all")
    names = fields if isinstance(fields, list) else str(fields).split(",")
    return (_cloud_page if jira.cloud else _server_page)(jira, found, asked, names)


def count(jira: "JiraSandbox", path: Json, query: Json, body: Any) -> tuple[int, Any]:
    """POST approximate-count, which only Cloud has"""
    if not jira.cloud:
        return 501, {"errorMessages": ["Data Center has no approximate-count."], "errors": {}}
    jql = str((body or {}).get("jql") or "")
    if not bounded(jql):
        raise Refusal(400, UNBOUNDED)
    return 200, {"count": len(_matching(jira, jql))}


def _matching(jira: "JiraSandbox", jql: str, reconciled: Set[str] = frozenset()) -> list[Json]:
    jira.forget_old()
    if not reconciled and jira.searched[:2] == (jql, jira.version) and '"-' not in jql:
        return jira.searched[2]
    try:
        test, field, descending = matcher(jql, jira.now())
    except JqlError as error:
        raise Refusal(400, str(error)) from error
    found = sorted(filter(test, jira.indexed(reconciled)), key=_ORDERS[field], reverse=descending)
    jira.searched = (jql, -1 if reconciled else jira.version, found)
    return found


def _cloud_page(jira: "JiraSandbox", found: list[Json], asked: Json, names: list[str]) -> tuple[int, Any]:
    wanted = int(asked.get("maxResults") or 50)
    if not 1 <= wanted <= 5000:
        raise Refusal(400, "The max results parameter has to be between 1 and 5,000.")
    start = _start_of(jira, asked.get("nextPageToken"))
    size = wanted if names == ["id"] else min(wanted, PAGE_ALL_FIELDS)
    if jira.answers_with("short_page"):
        size = max(1, size // 3)
    last = start + size >= len(found)
    page = {"isLast": last, "issues": [show_issue(jira.cloud, raw, names) for raw in found[start : start + size]]}
    onward = start if jira.answers_with("repeated_token") else start + size
    return 200, page if last else page | {"nextPageToken": _token_at(onward)}


def _start_of(jira: "JiraSandbox", token: str | None) -> int:
    if not token:
        return 0
    if jira.answers_with("expired_token"):
        raise Refusal(400, BAD_TOKEN)
    try:
        return int(base64.urlsafe_b64decode(token).decode().removeprefix("at:"))
    except ValueError:
        raise Refusal(400, BAD_TOKEN) from None


def _server_page(jira: "JiraSandbox", found: list[Json], asked: Json, names: list[str]) -> tuple[int, Any]:
    start, size = int(asked.get("startAt") or 0), min(int(asked.get("maxResults", 50)), SERVER_PAGE)
    size = max(1, size // 3) if jira.answers_with("short_page") else size
    issues = [show_issue(jira.cloud, raw, names) for raw in found[start : start + size]]
    return 200, {"startAt": start, "maxResults": size, "total": len(found), "issues": issues}


def _token_at(start: int) -> str:
    return base64.urlsafe_b64encode(f"at:{start}".encode()).decode()


SEARCHES = {"search": search, "count": count}
