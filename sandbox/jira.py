"""A Jira on loopback: Cloud (v3) or Data Center (v2), with real issues loaded into it.

Shapes and refusals are Jira's. An operation or a field that has no source in Atlassian's documents answers 501.
What it keeps is in `jira_issues`, how it shows that in `jira_shapes`; the operations are in `jira_search`, `jira_talk`,
`jira_writes` and `jira_webhooks`.
"""

import base64
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.faults import AFTER, WITHIN, Fault, Faults, bad_answer
from sandbox.jira_issues import JiraIssues
from sandbox.jira_search import SEARCHES
from sandbox.jira_shapes import Json, show_issue, show_user
from sandbox.jira_talk import NO_DOCUMENT, TALK
from sandbox.jira_webhooks import HOOKS
from sandbox.jira_writes import BOT, WRITES, history
from sandbox.refusal import Refusal

JSON_TYPE = "application/json;charset=UTF-8"
NO_ISSUE = "Issue does not exist or you do not have permission to see it."
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


class JiraSandbox(JiraIssues):
    """The instance. `app` is the ASGI application; `calls` lists every request with its answer's status."""

    def __init__(
        self,
        deployment: str = "cloud",
        email: str = "bot@example.com",
        token: str = "jira-sandbox-token",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(deployment, now)
        self.email, self.token = email, token
        self.calls: list[Json] = []
        self.faults = Faults()
        self._fault: Fault | None = None  # of the call in hand
        self.signed_in = False  # whoever makes the call in hand
        self.record: Callable[[str, str, Any, int, Any], None] | None = None
        self.scoped = False  # whether the token has scopes: then it is taken at the gateway only

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
        self.signed_in = self._may_enter(request)
        status, answer = self._run(name, found[1] if found else None, request, body)
        self.calls[-1]["status"] = status
        if self.record:
            self.record(request.method, path, body, status, answer)
        if fault and fault.kind in AFTER:
            return await bad_answer(fault, send)
        headers = {"Date": format_datetime(self.now(), usegmt=True)}
        headers |= {} if self.signed_in else {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
        if answer is None:
            return Response(status_code=status, headers=headers)
        return JSONResponse(answer, status, headers, media_type=JSON_TYPE)

    def _run(self, name: str, match: re.Match[str] | None, request: Request, body: Any) -> tuple[int, Any]:
        version = "3" if self.cloud else "2"
        if match is None or match["v"] not in (version, "latest"):
            return 501, {"errorMessages": ["The stand-in does not know this operation."], "errors": {}}
        try:
            no_document = self.cloud and name == "add_comment" and not isinstance(body.get("body"), dict)
            if no_document and not self.signed_in:
                raise Refusal(400, "You do not have the permission to comment on this issue.", comment=NO_DOCUMENT)
            if not self.signed_in and name != "search":
                raise Refusal(401, "Client must be authenticated to access this resource.")
            return OPERATIONS[name](self, match.groupdict(), _query(request), body)
        except Refusal as refusal:
            return refusal.status, refusal.body

    def answers_with(self, kind: str) -> bool:
        """Whether the call in hand shall be answered in that way."""
        return self._fault is not None and self._fault.kind == kind

    def _may_enter(self, request: Request) -> bool:
        if self.answers_with("signed_out"):
            return False
        given = request.headers.get("authorization", "")
        basic = base64.b64encode(f"{self.email}:{self.token}".encode()).decode()
        return given == (f"Basic {basic}" if self.cloud else f"Bearer {self.token}")

    def find(self, key_or_id: str) -> Json:
        """The issue, as far as the account may see it."""
        try:
            found = self.issue(key_or_id)
        except KeyError:
            raise Refusal(404, NO_ISSUE) from None
        if found["id"] in self.hidden:
            raise Refusal(404, NO_ISSUE)
        return found


def myself(jira: JiraSandbox, path: Json, query: Json, body: Any) -> tuple[int, Any]:
    """GET myself"""
    return 200, show_user(jira.cloud, BOT)


def read_issue(jira: JiraSandbox, path: Json, query: Json, body: Any) -> tuple[int, Any]:
    """GET issue"""
    issue = jira.find(path["key"])
    shown = show_issue(jira.cloud, issue, str(query.get("fields") or "*all").split(","))
    return 200, shown | ({"changelog": history(jira, issue)} if query.get("expand") == "changelog" else {})


Operation = Callable[[JiraSandbox, Json, Json, Any], tuple[int, Any]]
OPERATIONS: dict[str, Operation] = {"myself": myself, "read_issue": read_issue, **SEARCHES, **TALK, **WRITES, **HOOKS}


def _query(request: Request) -> Json:
    """The query; a name that is given several times is a list, as a name with commas is."""
    params = request.query_params
    return {name: ",".join(params.getlist(name)) for name in params}
