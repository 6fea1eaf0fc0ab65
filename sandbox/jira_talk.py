"""Comments and remote links in the Jira stand-in.

Operations take (jira, path, query, body) and answer (status, body), as the wire does.
"""

from typing import TYPE_CHECKING, Any

from sandbox.jira_shapes import Json, show_comment, stamp
from sandbox.jira_writes import BOT
from sandbox.refusal import Refusal

if TYPE_CHECKING:
    from sandbox.jira import JiraSandbox

NO_DOCUMENT = "Comment body is not valid!"


def read_comments(jira: "JiraSandbox", path: Json, query: Json, body: Any) -> tuple[int, Any]:
    """GET comments of an issue, a page"""
    comments = jira.comments(jira.find(path["key"])["id"])
    ordered = list(reversed(comments)) if str(query.get("orderBy", "")).startswith("-") else comments
    start, size = int(query.get("startAt") or 0), min(int(query.get("maxResults") or 50), 100)
    shown = [show_comment(jira.cloud, comment) for comment in ordered[start : start + size]]
    return 200, {"startAt": start, "maxResults": size, "total": len(comments), "comments": shown}


def add_comment(jira: "JiraSandbox", path: Json, query: Json, body: Any) -> tuple[int, Any]:
    """POST comment; Cloud takes a document, Data Center a text"""
    issue = jira.find(path["key"])
    text = body.get("body") if isinstance(body, dict) else None
    if not isinstance(text, dict if jira.cloud else str) or not text:
        raise Refusal(400, comment=NO_DOCUMENT)
    jira.next_id += 1
    at = stamp(jira.now())
    stored = {
        "id": str(jira.next_id), "author": BOT, "body": text, "updateAuthor": BOT, "created": at,
        "updated": at, "properties": body.get("properties", []),
    }  # fmt: skip
    jira.changes(issue["id"])
    jira.comments(issue["id"]).append(stored)
    issue["fields"]["updated"] = at
    jira.tell("comment_created", issue)
    return 201, show_comment(jira.cloud, stored)


def edit_comment(jira: "JiraSandbox", path: Json, query: Json, body: Any) -> tuple[int, Any]:
    """PUT comment"""
    issue = jira.find(path["key"])
    stored = next((c for c in jira.comments(issue["id"]) if c["id"] == path["comment"]), None)
    if stored is None:
        raise Refusal(404, f"Can not find a comment for the id: {path['comment']}.")
    if not isinstance(body.get("body"), dict if jira.cloud else str) or not body["body"]:
        raise Refusal(400, comment=NO_DOCUMENT)
    stored.update(body=body["body"], updateAuthor=BOT, updated=stamp(jira.now()))
    return 200, show_comment(jira.cloud, stored)


def comment_property(jira: "JiraSandbox", path: Json, query: Json, body: Any) -> tuple[int, Any]:
    """GET a property of a comment"""
    properties = (jira.comment(path["comment"]) or {}).get("properties", [])
    found = next((p for p in properties if p["key"] == path["property"]), None)
    if found is None:
        raise Refusal(404, f"The property {path['property']} does not exist.")
    return 200, found


def read_links(jira: "JiraSandbox", path: Json, query: Json, body: Any) -> tuple[int, Any]:
    """GET remote links"""
    return 200, jira.links(jira.find(path["key"])["id"])


def put_link(jira: "JiraSandbox", path: Json, query: Json, body: Any) -> tuple[int, Any]:
    """POST a remote link: the same globalId is replaced"""
    issue = jira.find(path["key"])
    target = body.get("object") if isinstance(body, dict) else None
    if not target or not target.get("url") or not target.get("title"):
        raise Refusal(400, title="'title' is required.")
    links = jira.links(issue["id"])
    known = next((link for link in links if link.get("globalId") and link["globalId"] == body.get("globalId")), None)
    jira.next_id += known is None
    link = {**body, "id": known["id"] if known else jira.next_id}
    links[:] = [other for other in links if other is not known] + [link]
    answer = {
        "id": link["id"],
        "self": f"https://sandbox.example/rest/api/issue/{issue['id']}/remotelink/{link['id']}",
    }
    return (200 if known else 201), answer


TALK = {
    function.__name__: function
    for function in (read_comments, add_comment, edit_comment, comment_property, read_links, put_link)
}
