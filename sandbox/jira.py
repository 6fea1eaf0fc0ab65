"""A Jira on loopback: Cloud (v3) or Data Center (v2), with real issues loaded into it.

Shapes and refusals are Jira's. An operation or a field that has no source in Atlassian's documents answers 501.
"""

import base64
import copy
import json
import lzma
import re
from collections.abc import Callable, Iterator, Set
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.faults import AFTER, WITHIN, Fault, Faults, bad_answer
from sandbox.jira_webhooks import HOOKS, Webhooks
from sandbox.jira_writes import BOT, WRITES, change_item, history
from sandbox.jql import JqlError, bounded, matcher, read_time
from sandbox.refusal import Refusal

Json = dict[str, Any]
GONE = (
    "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. A full migration "
    "guideline is available at https://developer.atlassian.com/changelog/#CHANGE-2046"
)
NO_DOCUMENT = "Comment body is not valid!"
BAD_TOKEN = "The provided next page token is invalid or expired."
UNBOUNDED = "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."
JSON_TYPE = "application/json;charset=UTF-8"
NO_ISSUE = "Issue does not exist or you do not have permission to see it."
SEARCH_BODY = {
    "expand", "fields", "fieldsByKeys", "jql", "maxResults", "nextPageToken", "properties", "reconcileIssues",
}  # fmt: skip
RECONCILED = 50  # issues that a search takes from the database rather than the index, at most
SERVER_PAGE = 1000  # issues a page of Data Center holds at most
PAGE_ALL_FIELDS = 100  # issues a page of Cloud holds when more than ids are asked for
CATEGORIES = {
    "new": (2, "blue-gray", "To Do"),
    "indeterminate": (4, "yellow", "In Progress"),
    "done": (3, "green", "Done"),
}


class JiraSandbox:
    """The instance. `app` is the ASGI application; `calls` lists every request with its answer's status."""

    def __init__(
        self,
        deployment: str = "cloud",
        email: str = "bot@example.com",
        token: str = "jira-sandbox-token",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.deployment, self.email, self.token, self.now = deployment, email, token, now
        self.calls: list[Json] = []
        self.faults = Faults()
        self._fault: Fault | None = None  # of the call in hand
        self.hooks = Webhooks(self)
        self.record: Callable[[str, str, Any, int, Any], None] | None = None
        self._issues: dict[str, Json] = {}
        self._ids: dict[str, str] = {}
        self._comments: dict[str, list[Json]] = {}
        self._links: dict[str, list[Json]] = {}
        self.projects, self.required_fields = {"ML"}, list[str]()
        self.fields = {"customfield_10030": "Experiment stage"}  # custom fields that are on every screen
        self.scoped = False  # whether the token has scopes: then it is taken at the gateway only
        self.workflow = {"To Do": "new", "In Progress": "indeterminate", "Done": "done"}  # status → category
        self.screens: dict[str, tuple[str, ...]] = {}  # status → fields that its transition asks for
        self.people = {person.get("accountId", name): person for name, person in self._people()}
        self.properties: dict[str, Json] = {}
        self._history: dict[str, list[Json]] = {}
        self._hidden: set[str] = set()
        self.index_lag = timedelta()  # how long searches do not see a change
        self._before: dict[str, tuple[datetime, Json | None]] = {}  # what searches still see of a changed issue
        self._next_id = 900_000
        self._version = 0  # of the issues, so that the pages of one search need not search anew
        self._searched: tuple[str, int, list[Json]] = ("", -1, [])

    @property
    def cloud(self) -> bool:
        """Whether it speaks as Jira Cloud."""
        return self.deployment == "cloud"

    # State, as a person or an importer changes it

    def load(self, path: Path, limit: int | None = None) -> int:
        """Load issues from JSON lines, plain or .xz, in Data Center's shape; returns how many.

        Raises ValueError naming the line that is no issue.
        """
        count = 0
        for raw in _lines(path):
            if count == limit:
                break
            count += 1
            if not {"id", "key", "fields"} <= set(raw):
                raise ValueError(f"{path}, line {count} is no Jira issue: it needs id, key and fields.")
            self.put(raw)
        return count

    def _changes(self, issue_id: str) -> None:
        """Told before each change; the index goes on showing what was there, or that there was nothing."""
        if self.index_lag:
            self._forget_old()
            seen = self._before.get(issue_id)
            known = seen[1] if seen else copy.deepcopy(self._issues.get(issue_id))
            self._before[issue_id] = (self.now(), known)
        self._version += 1

    def _indexed(self, reconciled: Set[str]) -> Iterator[Json]:
        """The issues as searches see them; the reconciled ones as they are."""
        for id_, raw in self._issues.items():
            seen = self._before[id_][1] if id_ in self._before and id_ not in reconciled else raw
            if seen is not None and id_ not in self._hidden:
                yield seen

    def _forget_old(self) -> None:
        late = {id_: (at, raw) for id_, (at, raw) in self._before.items() if at + self.index_lag > self.now()}
        if late.keys() != self._before.keys():
            self._before, self._version = late, self._version + 1

    def put(self, raw: Json) -> None:
        """Keep one issue in Data Center's shape."""
        self._changes(raw["id"])
        raw["fields"].setdefault("duedate", None)
        self._comments[raw["id"]] = raw["fields"].pop("comment", {}).get("comments", [])
        self._issues[raw["id"]] = raw
        self._ids[raw["key"]] = raw["id"]
        self.projects.add(raw["key"].rpartition("-")[0])

    def add_issue(self, project: str, summary: str, *, status: str = "To Do", category: str = "new") -> str:
        """A new issue as a person makes it; returns its key."""
        self._next_id += 1
        key = f"{project}-{sum(k.startswith(project + '-') for k in self._ids) + 1}"
        stamp = _stamp(self.now())
        fields: Json = {
            "summary": summary, "project": {"id": "10000", "key": project, "name": project}, "labels": [],
            "status": _status(status, category), "created": stamp, "updated": stamp, "assignee": None,
            "priority": {"id": "3", "name": "Medium"}, "resolution": None, "description": None, "duedate": None,
            "issuetype": {"id": "1", "name": "Task", "subtask": False},
        }  # fmt: skip
        raw: Json = {"id": str(self._next_id), "key": key, "fields": fields}
        self.put(raw)
        self._tell("jira:issue_created", raw)
        return key

    def _people(self) -> Iterator[tuple[str, Json]]:
        for name in ("ana", "ben"):
            own = {"name": name, "displayName": name.title(), "active": True}
            yield name, own | ({"accountId": f"acc-{name}"} if self.cloud else {})

    def person(self, name: str) -> Json:
        """One of Jira's people, to assign an issue to."""
        return self.people[f"acc-{name}" if self.cloud else name]

    def edit(self, key: str, by: Json | None = None, **fields: Any) -> None:
        """Change fields as a person does in Jira; `status=("Done", "done")` names the status with its category."""
        issue = self.issue(key)
        if "status" in fields:
            fields["status"] = _status(*fields["status"])
        before = issue["fields"]
        items = [
            change_item(name, before.get(name), value) for name, value in fields.items() if before.get(name) != value
        ]
        self._changes(issue["id"])
        if items:
            self._next_id += 1
            entry = {"id": str(self._next_id), "author": by or self.person("ana"), "created": _stamp(self.now())}
            self._history.setdefault(issue["id"], []).append({**entry, "items": items})
        issue["fields"].update(fields, updated=_stamp(self.now()))
        self._tell("jira:issue_updated", issue)

    def delete(self, key: str) -> None:
        """Delete the issue as a person does: it answers as one that nobody may see."""
        raw = self._issues.pop(self.issue(key)["id"])
        self._version += 1
        self._tell("jira:issue_deleted", raw)

    def _tell(self, event: str, raw: Json) -> None:
        self.hooks.tell(event, self._issue(raw, ["*all"]), self.now())

    def history(self, issue_id: str) -> list[Json]:
        """The issue's changelog, the oldest first."""
        return self._history.get(issue_id, [])

    def status(self, name: str) -> Json:
        """A status of the workflow."""
        return _status(name, self.workflow[name])

    def move(self, key: str, project: str) -> str:
        """Move to another project: the id stays, the key changes, the old key keeps answering."""
        issue = self.issue(key)
        new = f"{project}-{sum(k.startswith(project + '-') for k in self._ids) + 1}"
        self._ids[new] = issue["id"]
        issue["key"] = new
        self.edit(new, project={"id": "10001", "key": project, "name": project})
        return new

    def hide(self, key: str) -> None:
        """Take the issue out of the account's sight, as a permission or a deletion does: the answers are the same."""
        self._hidden.add(self.issue(key)["id"])
        self._version += 1

    def show(self, key: str) -> None:
        """Bring it back."""
        self._hidden.discard(self.issue(key)["id"])
        self._version += 1

    def issue(self, key_or_id: str) -> Json:
        """The stored issue. Raises KeyError."""
        return self._issues[self._ids.get(key_or_id, key_or_id)]

    def issues(self) -> list[Json]:
        """All issues as stored."""
        return list(self._issues.values())

    def comments(self, key: str) -> list[Json]:
        """The issue's comments as stored, oldest first."""
        return self._comments[self.issue(key)["id"]]

    def links(self, key: str) -> list[Json]:
        """The issue's remote links."""
        return self._links.get(self.issue(key)["id"], [])

    def __len__(self) -> int:
        return len(self._issues)

    # The wire

    async def app(self, scope: Json, receive: Any, send: Any) -> None:
        """The ASGI application."""
        request = Request(scope, receive)
        response = await self._answer(request, send)
        if response is not None:
            await response(scope, receive, send)

    async def _answer(self, request: Request, send: Any) -> Response | None:
        body = json.loads(await request.body() or b"null")
        path = request.url.path
        if path == "/_edge/tenant_info":
            return JSONResponse({"cloudId": CLOUD_ID})
        gateway = path.startswith(GATEWAY)
        path = path.removeprefix(GATEWAY)
        found = next(
            ((name, match) for verb, pattern, name in ROUTES
             if verb == request.method and (match := pattern.fullmatch(path))), None,
        )  # fmt: skip
        name = found[0] if found else "unknown"
        call = {"operation": name, "method": request.method, "path": path, "query": _query(request)}
        self.calls.append(call | {"body": body})
        fault = self.faults.take(name)
        self._fault = fault
        if fault and fault.kind not in AFTER | WITHIN:
            return await bad_answer(fault, send)
        if gateway != self.scoped:
            return JSONResponse({"errorMessages": ["Client must be authenticated."], "errors": {}}, 401)
        status, answer = self._run(name, found[1] if found else None, request, body)
        self.calls[-1]["status"] = status
        if self.record:
            self.record(request.method, path, body, status, answer)
        if fault and fault.kind in AFTER:
            return await bad_answer(fault, send)
        headers = {"Date": format_datetime(self.now(), usegmt=True)}
        headers |= {} if self._signed_in(request) else {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
        if answer is None:
            return Response(status_code=status, headers=headers)
        return JSONResponse(answer, status, headers, media_type=JSON_TYPE)

    def _run(self, name: str, match: re.Match[str] | None, request: Request, body: Any) -> tuple[int, Any]:
        version = "3" if self.cloud else "2"
        if match is None or match["v"] not in (version, "latest"):
            return 501, {"errorMessages": ["The stand-in does not know this operation."], "errors": {}}
        try:
            no_document = self.cloud and name == "add_comment" and not isinstance(body.get("body"), dict)
            if no_document and not self._signed_in(request):
                raise Refusal(400, "You do not have the permission to comment on this issue.", comment=NO_DOCUMENT)
            if not self._signed_in(request) and name != "search":
                raise Refusal(401, "Client must be authenticated to access this resource.")
            if name in HOOKS:
                return HOOKS[name](self, match.groupdict(), _query(request), body)
            if name in WRITES:
                return WRITES[name](self, match.groupdict(), _query(request), body)
            signed_in = self._signed_in(request)
            return OPERATIONS[name](self, match.groupdict(), _query(request), body, signed_in)
        except Refusal as refusal:
            return refusal.status, refusal.body

    def _is(self, kind: str) -> bool:
        """Whether the call in hand shall be answered in that way."""
        return self._fault is not None and self._fault.kind == kind

    def _signed_in(self, request: Request) -> bool:
        if self._is("signed_out"):
            return False
        given = request.headers.get("authorization", "")
        basic = base64.b64encode(f"{self.email}:{self.token}".encode()).decode()
        return given == (f"Basic {basic}" if self.cloud else f"Bearer {self.token}")

    def find(self, key_or_id: str) -> Json:
        try:
            found = self.issue(key_or_id)
        except KeyError:
            raise Refusal(404, NO_ISSUE) from None
        if found["id"] in self._hidden:
            raise Refusal(404, NO_ISSUE)
        return found

    def myself(self, path: Json, query: Json, body: Any, signed_in: bool) -> tuple[int, Any]:
        """GET myself"""
        return 200, self.user(BOT)

    def search(self, path: Json, query: Json, body: Any, signed_in: bool) -> tuple[int, Any]:
        """Search, in the form of the profile; signed out it is 200 and empty, as Jira answers."""
        if self.cloud and not path["form"]:
            raise Refusal(410, GONE)
        if not self.cloud and path["form"]:
            return 501, {"errorMessages": ["Data Center has no /search/jql."], "errors": {}}
        asked = body if isinstance(body, dict) else query
        if self.cloud and isinstance(body, dict) and set(body) - SEARCH_BODY:
            refusal = Refusal(400, "Invalid request payload. Refer to the REST API documentation and try again.")
            del refusal.body["errors"]  # this one comes without
            raise refusal
        jql = str(asked.get("jql") or "")
        if self.cloud and not bounded(jql):
            raise Refusal(400, UNBOUNDED)
        reconciled = set(map(str, asked.get("reconcileIssues") or ()))
        if len(reconciled) > RECONCILED:
            return 501, {"errorMessages": [f"More than {RECONCILED} issues are not reconciled."], "errors": {}}
        found = self._matching(jql, reconciled) if signed_in else []
        fields = asked.get("fields") or ("id" if self.cloud else "*all")
        names = fields if isinstance(fields, list) else str(fields).split(",")
        return (self._cloud_page if self.cloud else self._server_page)(found, asked, names)

    def count(self, path: Json, query: Json, body: Any, signed_in: bool) -> tuple[int, Any]:
        """POST approximate-count, which only Cloud has"""
        if not self.cloud:
            return 501, {"errorMessages": ["Data Center has no approximate-count."], "errors": {}}
        jql = str((body or {}).get("jql") or "")
        if not bounded(jql):
            raise Refusal(400, UNBOUNDED)
        return 200, {"count": len(self._matching(jql))}

    def _matching(self, jql: str, reconciled: Set[str] = frozenset()) -> list[Json]:
        self._forget_old()
        if not reconciled and self._searched[:2] == (jql, self._version) and '"-' not in jql:
            return self._searched[2]
        try:
            test, field, descending = matcher(jql, self.now())
        except JqlError as error:
            raise Refusal(400, str(error)) from error
        found = sorted(filter(test, self._indexed(reconciled)), key=_ORDERS[field], reverse=descending)
        self._searched = (jql, -1 if reconciled else self._version, found)
        return found

    def _cloud_page(self, found: list[Json], asked: Json, names: list[str]) -> tuple[int, Any]:
        wanted = int(asked.get("maxResults") or 50)
        if not 1 <= wanted <= 5000:
            raise Refusal(400, "The max results parameter has to be between 1 and 5,000.")
        start = self._token(asked.get("nextPageToken"))
        size = wanted if names == ["id"] else min(wanted, PAGE_ALL_FIELDS)
        if self._is("short_page"):
            size = max(1, size // 3)
        last = start + size >= len(found)
        page = {"isLast": last, "issues": [self._issue(raw, names) for raw in found[start : start + size]]}
        onward = start if self._is("repeated_token") else start + size
        return 200, page if last else page | {"nextPageToken": _token(onward)}

    def _token(self, token: str | None) -> int:
        if not token:
            return 0
        if self._is("expired_token"):
            raise Refusal(400, BAD_TOKEN)
        try:
            return int(base64.urlsafe_b64decode(token).decode().removeprefix("at:"))
        except ValueError:
            raise Refusal(400, BAD_TOKEN) from None

    def _server_page(self, found: list[Json], asked: Json, names: list[str]) -> tuple[int, Any]:
        start, size = int(asked.get("startAt") or 0), min(int(asked.get("maxResults", 50)), SERVER_PAGE)
        size = max(1, size // 3) if self._is("short_page") else size
        issues = [self._issue(raw, names) for raw in found[start : start + size]]
        return 200, {"startAt": start, "maxResults": size, "total": len(found), "issues": issues}

    def read_issue(self, path: Json, query: Json, body: Any, signed_in: bool) -> tuple[int, Any]:
        """GET issue"""
        issue = self.find(path["key"])
        shown = self._issue(issue, str(query.get("fields") or "*all").split(","))
        return 200, shown | ({"changelog": history(self, issue)} if query.get("expand") == "changelog" else {})

    def read_comments(self, path: Json, query: Json, body: Any, signed_in: bool) -> tuple[int, Any]:
        """GET comments of an issue, a page"""
        comments = self._comments[self.find(path["key"])["id"]]
        ordered = list(reversed(comments)) if str(query.get("orderBy", "")).startswith("-") else comments
        start, size = int(query.get("startAt") or 0), min(int(query.get("maxResults") or 50), 100)
        shown = [self._comment(comment) for comment in ordered[start : start + size]]
        return 200, {"startAt": start, "maxResults": size, "total": len(comments), "comments": shown}

    def add_comment(self, path: Json, query: Json, body: Any, signed_in: bool) -> tuple[int, Any]:
        """POST comment; Cloud takes a document, Data Center a text"""
        issue = self.find(path["key"])
        text = body.get("body") if isinstance(body, dict) else None
        if not isinstance(text, dict if self.cloud else str) or not text:
            raise Refusal(400, comment=NO_DOCUMENT)
        self._next_id += 1
        stamp = _stamp(self.now())
        stored = {
            "id": str(self._next_id), "author": BOT, "body": text, "updateAuthor": BOT, "created": stamp,
            "updated": stamp, "properties": body.get("properties", []),
        }  # fmt: skip
        self._changes(issue["id"])
        self._comments[issue["id"]].append(stored)
        issue["fields"]["updated"] = stamp
        self._tell("comment_created", issue)
        return 201, self._comment(stored)

    def edit_comment(self, path: Json, query: Json, body: Any, signed_in: bool) -> tuple[int, Any]:
        """PUT comment"""
        issue = self.find(path["key"])
        stored = next((c for c in self._comments[issue["id"]] if c["id"] == path["comment"]), None)
        if stored is None:
            raise Refusal(404, f"Can not find a comment for the id: {path['comment']}.")
        if not isinstance(body.get("body"), dict if self.cloud else str) or not body["body"]:
            raise Refusal(400, comment="Comment body is not valid!")
        stored.update(body=body["body"], updateAuthor=BOT, updated=_stamp(self.now()))
        return 200, self._comment(stored)

    def comment_property(self, path: Json, query: Json, body: Any, signed_in: bool) -> tuple[int, Any]:
        """GET a property of a comment"""
        stored = (c for comments in self._comments.values() for c in comments if c["id"] == path["comment"])
        properties = next(stored, {}).get("properties", [])
        found = next((p for p in properties if p["key"] == path["property"]), None)
        if found is None:
            raise Refusal(404, f"The property {path['property']} does not exist.")
        return 200, found

    def read_links(self, path: Json, query: Json, body: Any, signed_in: bool) -> tuple[int, Any]:
        """GET remote links"""
        return 200, self._links.get(self.find(path["key"])["id"], [])

    def put_link(self, path: Json, query: Json, body: Any, signed_in: bool) -> tuple[int, Any]:
        """POST a remote link: the same globalId is replaced"""
        issue = self.find(path["key"])
        target = body.get("object") if isinstance(body, dict) else None
        if not target or not target.get("url") or not target.get("title"):
            raise Refusal(400, title="'title' is required.")
        links = self._links.setdefault(issue["id"], [])
        known = next(
            (link for link in links if link.get("globalId") and link["globalId"] == body.get("globalId")), None
        )
        self._next_id += known is None
        link = {**body, "id": known["id"] if known else self._next_id}
        links[:] = [other for other in links if other is not known] + [link]
        answer = {
            "id": link["id"],
            "self": f"https://sandbox.example/rest/api/issue/{issue['id']}/remotelink/{link['id']}",
        }
        return (200 if known else 201), answer

    # Shapes

    def _issue(self, raw: Json, names: list[str]) -> Json:
        fields = raw["fields"]
        everything = "*all" in names or "*navigable" in names
        kept = fields if everything else {name: fields[name] for name in names if name in fields}
        shown = {"id": raw["id"], "key": raw["key"], "self": f"https://sandbox.example/rest/api/issue/{raw['id']}"}
        if self.cloud:
            kept = {name: self._cloud_field(name, value) for name, value in kept.items()}
        return shown if names == ["id"] else {**shown, "fields": kept}

    def _cloud_field(self, name: str, value: Any) -> Any:
        if name in ("assignee", "reporter", "creator") and value:
            return self.user(value)
        return to_document(value) if name in ("description", "environment") and isinstance(value, str) else value

    def _comment(self, stored: Json) -> Json:
        authors = {name: self.user(stored[name]) for name in ("author", "updateAuthor") if stored.get(name)}
        body = stored["body"]
        shown = to_document(body) if self.cloud and isinstance(body, str) else body
        return {
            **{name: value for name, value in stored.items() if name != "properties"},
            **authors,
            "body": shown,
        }

    def user(self, user: Json) -> Json:
        if not self.cloud:
            return user
        return {
            "accountId": user.get("accountId") or f"acc-{user.get('key') or user['name']}", "accountType": "atlassian",
            "displayName": user.get("displayName", ""), "active": user.get("active", True),
        }  # fmt: skip


CLOUD_ID = "11223344-a1b2-3b33-c444-def123456789"
GATEWAY = f"/ex/jira/{CLOUD_ID}"  # Atlassian's way for tokens with scopes
API = r"/rest/api/(?P<v>2|3|latest)"
ISSUE = rf"{API}/issue/(?P<key>[^/]+)"
ROUTES = tuple(
    (verb, re.compile(pattern), name)
    for verb, pattern, name in (
        ("GET", rf"{API}/myself", "myself"),
        ("GET", rf"{API}/search(?P<form>/jql)?", "search"),
        ("POST", rf"{API}/search(?P<form>/jql)?", "search"),
        ("POST", rf"{API}/search/approximate-count", "count"),
        ("GET", ISSUE, "read_issue"),
        ("GET", rf"{ISSUE}/comment", "read_comments"),
        ("POST", rf"{ISSUE}/comment", "add_comment"),
        ("PUT", rf"{ISSUE}/comment/(?P<comment>\d+)", "edit_comment"),
        ("GET", rf"{API}/comment/(?P<comment>\d+)/properties/(?P<property>[^/]+)", "comment_property"),
        ("GET", rf"{ISSUE}/remotelink", "read_links"),
        ("POST", rf"{ISSUE}/remotelink", "put_link"),
        ("POST", rf"{API}/issue", "create_issue"),
        ("PUT", ISSUE, "edit_issue"),
        ("GET", rf"{ISSUE}/transitions", "read_transitions"),
        ("POST", rf"{ISSUE}/transitions", "do_transition"),
        ("GET", rf"{ISSUE}/properties/(?P<property>[^/]+)", "read_property"),
        ("PUT", rf"{ISSUE}/properties/(?P<property>[^/]+)", "write_property"),
        ("POST", rf"{API}/webhook", "register_webhooks"),
        ("GET", rf"{API}/webhook", "read_webhooks"),
        ("DELETE", rf"{API}/webhook", "delete_webhooks"),
        ("PUT", rf"{API}/webhook/refresh", "refresh_webhooks"),
        ("GET", rf"{API}/field", "read_fields"),
        ("GET", rf"{API}/user/search", "search_people"),
        ("GET", rf"{API}/issue/createmeta/(?P<project>[^/]+)/issuetypes", "create_types"),
        ("GET", rf"{API}/issue/createmeta/(?P<project>[^/]+)/issuetypes/(?P<type>[^/]+)", "create_screen"),
    )
)
OPERATIONS: dict[str, Callable[[JiraSandbox, Json, Json, Any, bool], tuple[int, Any]]] = {
    name: getattr(JiraSandbox, name) for _, _, name in ROUTES if name not in WRITES and name not in HOOKS
}
_ORDERS: dict[str, Callable[[Json], Any]] = {
    "updated": lambda raw: (read_time(raw["fields"]["updated"]), raw["id"]),
    "created": lambda raw: (read_time(raw["fields"]["created"]), raw["id"]),
    "id": lambda raw: int(raw["id"]),
    "key": lambda raw: (raw["key"].rpartition("-")[0], int(raw["key"].rpartition("-")[2])),
}


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


def _query(request: Request) -> Json:
    """The query; a name that is given several times is a list, as a name with commas is."""
    params = request.query_params
    return {name: ",".join(params.getlist(name)) for name in params}


def _status(name: str, category: str) -> Json:
    number, colour, label = CATEGORIES[category]
    shown = {"id": number, "key": category, "colorName": colour, "name": label}
    return {"id": str(abs(hash(name)) % 10_000), "name": name, "description": "", "statusCategory": shown}


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}+0000"


def _token(start: int) -> str:
    return base64.urlsafe_b64encode(f"at:{start}".encode()).decode()


def _lines(path: Path) -> Iterator[Json]:
    compressed = path.suffix == ".xz"
    with lzma.open(path, "rt", encoding="utf-8") if compressed else path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
