"""What the page shows, as items by id: whoever has an older scene is told only the items that are different."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from sandbox.jira import JiraSandbox
from sandbox.page.beside import Beside
from sandbox.slack import Channel, SlackSandbox
from sandbox.slack_views import View

Json = dict[str, Any]


def scene_of(slack: SlackSandbox, jira: JiraSandbox, beside: Beside) -> dict[str, Json]:
    """All items by id. Other threads may change the stand-ins meanwhile; what is missed now is seen the next time."""
    return dict([*_workspace(slack), *_messages(slack), *_views(slack), *_issues(jira), *_beside(beside)])


def constants_of(beside: Beside) -> Json:
    """What never changes while the page is open."""
    return {
        "command": beside.command,
        "commands": [asdict(command) for command in beside.commands],
        "shortcuts": [asdict(shortcut) for shortcut in beside.shortcuts],
        "steps": [asdict(step) for step in beside.steps],
        "bench": {"name": beside.bench.name, "about": beside.bench.about, "button": beside.bench.button},
    }


def _workspace(slack: SlackSandbox) -> Iterator[tuple[str, Json]]:
    channels = [{"id": c.id, "name": c.name} for c in list(slack.channels.values()) if c.id[0] == "C"]
    yield "workspace", {"kind": "workspace", "users": dict(slack.users), "channels": channels}
    yield "clock", {"kind": "clock", "at": int(slack.now()) // 60 * 60}


def _messages(slack: SlackSandbox) -> Iterator[tuple[str, Json]]:
    for channel in list(slack.channels.values()):
        for message in list(channel.messages):
            yield f"m:{channel.id}:{message['ts']}", _message(message, channel)
    for number, alone in enumerate(list(slack.ephemerals)):
        said = {**alone.message, "ts": f"{alone.at:.6f}", "only": alone.user, "number": number}
        yield f"e:{number}", _message(said, slack.channels[alone.channel])


def _message(message: Json, channel: Channel) -> Json:
    kept = ("ts", "thread_ts", "text", "blocks", "user", "only", "number")
    shown = {name: message[name] for name in kept if name in message}
    return {"kind": "message", "channel": channel.id, "edited": "edited" in message, **shown}


def _views(slack: SlackSandbox) -> Iterator[tuple[str, Json]]:
    for user, stack in list(slack.views.stacks.items()):
        if stack:
            yield f"v:{user}", _view(stack[-1], "view") | {"depth": len(stack)}
    for user, home in list(slack.views.homes.items()):
        yield f"h:{user}", _view(home, "home")


def _view(view: View, kind: str) -> Json:
    return {"kind": kind, "user": view.user, "id": view.id, "content": view.content}


def _issues(jira: JiraSandbox) -> Iterator[tuple[str, Json]]:
    for issue in jira.issues():
        yield f"i:{issue['id']}", _issue(jira, issue)


def _issue(jira: JiraSandbox, issue: Json) -> Json:
    fields = issue["fields"]
    return {
        "kind": "issue", "key": issue["key"], "summary": fields["summary"],
        "type": (fields.get("issuetype") or {}).get("name"), "status": fields["status"]["name"],
        "category": fields["status"]["statusCategory"]["key"],
        "resolution": (fields.get("resolution") or {}).get("name"),
        "assignee": (fields.get("assignee") or {}).get("displayName"),
        "priority": (fields.get("priority") or {}).get("name"), "labels": fields.get("labels") or [],
        "duedate": fields.get("duedate"), "updated": fields["updated"], "description": fields.get("description"),
        "comments": [
            {"author": c["author"]["displayName"], "created": c["created"], "body": c["body"]}
            for c in jira.comments(issue["key"])
        ],
        "properties": dict(jira.properties.get(issue["id"], {})),
        "links": [link["object"] for link in jira.links(issue["key"])],
        "history": [
            {"author": entry["author"]["displayName"], "created": entry["created"], "items": entry["items"]}
            for entry in jira.history(issue["id"])
        ],
    }  # fmt: skip


def _beside(beside: Beside) -> Iterator[tuple[str, Json]]:
    yield "words", {"kind": "words", "words": list(beside.words())}
    yield "documents", {"kind": "documents", "documents": list(beside.documents())}
    fields = [asdict(field) for field in beside.bench.fields()]
    yield "bench", {"kind": "bench", "fields": fields, "done": list(beside.bench.done())}
