"""What the Jira stand-in keeps, as people and importers change it; searches may see a change later, as Jira's do."""

import copy
import json
import lzma
from collections.abc import Callable, Iterator, Set
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sandbox.jira_shapes import Json, show_issue, stamp, status_of
from sandbox.jira_webhooks import Webhooks
from sandbox.jira_writes import change_item


class JiraIssues:
    """The issues of one instance, with their comments, links and changelogs."""

    def __init__(self, deployment: str, now: Callable[[], datetime]) -> None:
        self.deployment, self.now = deployment, now
        self.hooks = Webhooks(self)
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
        self.hidden: set[str] = set()
        self.index_lag = timedelta()  # how long searches do not see a change
        self._before: dict[str, tuple[datetime, Json | None]] = {}  # what searches still see of a changed issue
        self.next_id = 900_000
        self.version = 0  # of the issues, so that the pages of one search need not search anew
        self.searched: tuple[str, int, list[Json]] = ("", -1, [])

    @property
    def cloud(self) -> bool:
        """Whether it speaks as Jira Cloud."""
        return self.deployment == "cloud"

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

    def changes(self, issue_id: str) -> None:
        """Told before each change; the index goes on showing what was there, or that there was nothing."""
        if self.index_lag:
            self.forget_old()
            seen = self._before.get(issue_id)
            known = seen[1] if seen else copy.deepcopy(self._issues.get(issue_id))
            self._before[issue_id] = (self.now(), known)
        self.version += 1

    def indexed(self, reconciled: Set[str]) -> Iterator[Json]:
        """The issues as searches see them; the reconciled ones as they are."""
        for id_, raw in self._issues.items():
            seen = self._before[id_][1] if id_ in self._before and id_ not in reconciled else raw
            if seen is not None and id_ not in self.hidden:
                yield seen

    def forget_old(self) -> None:
        """Let searches see what has become old enough."""
        late = {id_: (at, raw) for id_, (at, raw) in self._before.items() if at + self.index_lag > self.now()}
        if late.keys() != self._before.keys():
            self._before, self.version = late, self.version + 1

    def put(self, raw: Json) -> None:
        """Keep one issue in Data Center's shape."""
        self.changes(raw["id"])
        raw["fields"].setdefault("duedate", None)
        self._comments[raw["id"]] = raw["fields"].pop("comment", {}).get("comments", [])
        self._issues[raw["id"]] = raw
        self._ids[raw["key"]] = raw["id"]
        self.projects.add(raw["key"].rpartition("-")[0])

    def add_issue(self, project: str, summary: str, *, status: str = "To Do", category: str = "new") -> str:
        """A new issue as a person makes it; returns its key."""
        self.next_id += 1
        key = f"{project}-{sum(k.startswith(project + '-') for k in self._ids) + 1}"
        at = stamp(self.now())
        fields: Json = {
            "summary": summary, "project": {"id": "10000", "key": project, "name": project}, "labels": [],
            "status": status_of(status, category), "created": at, "updated": at, "assignee": None,
            "priority": {"id": "3", "name": "Medium"}, "resolution": None, "description": None, "duedate": None,
            "issuetype": {"id": "1", "name": "Task", "subtask": False},
        }  # fmt: skip
        raw: Json = {"id": str(self.next_id), "key": key, "fields": fields}
        self.put(raw)
        self.tell("jira:issue_created", raw)
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
            fields["status"] = status_of(*fields["status"])
        before = issue["fields"]
        items = [
            change_item(name, before.get(name), value) for name, value in fields.items() if before.get(name) != value
        ]
        self.changes(issue["id"])
        if items:
            self.next_id += 1
            entry = {"id": str(self.next_id), "author": by or self.person("ana"), "created": stamp(self.now())}
            self._history.setdefault(issue["id"], []).append({**entry, "items": items})
        issue["fields"].update(fields, updated=stamp(self.now()))
        self.tell("jira:issue_updated", issue)

    def delete(self, key: str) -> None:
        """Delete the issue as a person does: it answers as one that nobody may see."""
        raw = self._issues.pop(self.issue(key)["id"])
        self.version += 1
        self.tell("jira:issue_deleted", raw)

    def tell(self, event: str, raw: Json) -> None:
        """Let whoever listens to webhooks know."""
        self.hooks.tell(event, show_issue(self.cloud, raw, ["*all"]), self.now())

    def history(self, issue_id: str) -> list[Json]:
        """The issue's changelog, the oldest first."""
        return self._history.get(issue_id, [])

    def status(self, name: str) -> Json:
        """A status of the workflow."""
        return status_of(name, self.workflow[name])

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
        self.hidden.add(self.issue(key)["id"])
        self.version += 1

    def show(self, key: str) -> None:
        """Bring it back."""
        self.hidden.discard(self.issue(key)["id"])
        self.version += 1

    def issue(self, key_or_id: str) -> Json:
        """The stored issue. Raises KeyError."""
        return self._issues[self._ids.get(key_or_id, key_or_id)]

    def comment(self, number: str) -> Json | None:
        """The comment of that id, of whatever issue."""
        return next((c for comments in self._comments.values() for c in comments if c["id"] == number), None)

    def issues(self) -> list[Json]:
        """All issues as stored."""
        return list(self._issues.values())

    def comments(self, key: str) -> list[Json]:
        """The issue's comments as stored, oldest first."""
        return self._comments[self.issue(key)["id"]]

    def links(self, key: str) -> list[Json]:
        """The issue's remote links."""
        return self._links.setdefault(self.issue(key)["id"], [])

    def __len__(self) -> int:
        return len(self._issues)


def _lines(path: Path) -> Iterator[Json]:
    compressed = path.suffix == ".xz"
    with lzma.open(path, "rt", encoding="utf-8") if compressed else path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
