"""One Jira account: pull a scope page by page, read an issue and its changelog, create, edit and move issues."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from urllib.parse import quote

from backlog.issue import Comment, Issue, Made, Transition, Twin, Webhook
from backlog.merge import People
from integrations.http import NOT_FOUND, IntegrationError
from integrations.jira import search
from integrations.jira.adf import to_document
from integrations.jira.block import in_document, in_wiki
from integrations.jira.issues import FIELDS, account_of, duplicate_of, edits_of, issue_of, printable, read_time
from integrations.jira.markdown import to_markdown
from integrations.jira.names import Names
from integrations.jira.screens import transition_of, value_of
from integrations.jira.wiki import from_wiki, to_wiki
from integrations.jira.wire import Wire

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COMMENTS = 50  # newest comments searched for ours
NEWEST = 3  # comments of others that are shown here
COMMENT_MAX = 2_000  # characters of one
PROPERTY = "scrumbut"
READ_ONLY = ("sprint", "epic")  # of [jira.fields]
MARKER = "scrumbut.key"  # carries our key from an issue's or a comment's first moment


class JiraClient:
    """Cloud with an e-mail address and API token, Data Center with a personal access token.

    A token with scopes is taken only at Atlassian's `gateway`, which knows the site by an id that is found by itself.
    Nothing is asked before the first call.
    """

    def __init__(
        self,
        url: str,
        *,
        email: str = "",
        token: str = "",
        pat: str = "",
        deployment: str = "cloud",
        timeout_s: float = 10,
        fields: Mapping[str, str] | None = None,
        users: Mapping[str, str] | None = None,
        gateway: str = "",
    ) -> None:
        self._url = url.rstrip("/")
        self._cloud = deployment == "cloud"
        self._wire = Wire(
            self._url, cloud=self._cloud, email=email, token=token, pat=pat, timeout_s=timeout_s, gateway=gateway
        )
        self._read, self._write = self._wire.read, self._wire.write
        self._names = Names(self._read, self._cloud, fields or {}, users or {})
        self._account = ""

    @property
    def requests(self) -> int:
        """How often Jira was asked."""
        return self._wire.asked

    @property
    def limits(self) -> Mapping[str, str]:
        """The newest headers that told of a rate limit."""
        return self._wire.limits

    @property
    def server_time(self) -> datetime | None:
        """What Jira's clock said with its last answer."""
        return self._wire.server_time

    def pull(self, jql: str, since: datetime | None) -> Iterator[list[Issue]]:
        """The issues in scope that changed since then, one page at a time, oldest change first.

        An empty scope is believed only after the account was checked: an expired token answers "nothing", not "no".
        """
        found, named = False, [*map(self._names.field, READ_ONLY)]
        for page in search.changes(self._read, self._cloud, jql, since, self._fields()):
            found = True
            yield [issue_of(raw, self._url, *named) for raw in page]
        if not found:
            self.check_account()

    def count(self, jql: str, since: datetime | None) -> int:
        """About how many issues a pull would read."""
        return search.count(self._read, self._cloud, jql, since)

    def _fields(self) -> list[str]:
        return [*FIELDS, *filter(None, map(self._names.field, READ_ONLY))]

    def _issue(self, raw: Mapping[str, Any]) -> Issue:
        try:
            return issue_of(raw, self._url, *map(self._names.field, READ_ONLY))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            what = f"it answered an issue of another shape ({type(error).__name__})."
            raise IntegrationError("Jira", what, "Check [jira] url.", unknown=True) from None

    def people(self) -> People:
        """Owners and accounts as `[jira.users]` pairs them, e-mail addresses looked up."""
        return self._names.people()

    def fields(self) -> Mapping[str, str]:
        """The ids of all fields that `[jira.fields]` names, by our name. Raises IntegrationError for a wrong name."""
        return self._names.fields()

    def required_at_create(self, project: str, issue_type: str) -> list[str]:
        """The fields that a new issue of that type needs and that nobody gives here; empty where the type is unknown
        too, for then the create says so."""
        path = f"issue/createmeta/{quote(project, safe='')}/issuetypes"
        types = self._read("GET", path)
        found = (t for t in types.get("issueTypes") or types.get("values") or () if t.get("name") == issue_type)
        known = next(found, None)
        if known is None:
            return []
        screen = self._read("GET", f"{path}/{known['id']}")
        asked = (f for f in screen.get("fields") or screen.get("values") or () if f.get("required"))
        needed = {str(f.get("fieldId")) for f in asked if not f.get("hasDefaultValue")}
        return sorted(needed - {"project", "issuetype", "summary", "reporter"})

    def webhooks(self) -> list[Webhook]:
        """The webhooks that this account registered. Only an app may; an API token is refused with 403."""
        found = self._read("GET", "webhook").get("values") or ()
        return [Webhook(int(h["id"]), str(h.get("url") or ""), _instant(h.get("expirationDate"))) for h in found]

    def register_webhook(self, url: str, jql: str) -> None:
        """Have Jira tell that address of every change in scope, for 30 days."""
        events = ["jira:issue_created", "jira:issue_updated", "jira:issue_deleted"]
        wanted = {"events": events, "jqlFilter": search.without_order(jql)}
        self._write("POST", "webhook", {"url": url, "webhooks": [wanted]})

    def extend_webhooks(self, ids: Sequence[int]) -> None:
        """Keep them for another 30 days."""
        self._write("PUT", "webhook/refresh", {"webhookIds": list(ids)})

    def told_fields(self) -> Mapping[str, str]:
        """The ids of the fields that are told of an experiment, by our name; sprint and epic are only read."""
        return {name: id_ for name, id_ in self._names.fields().items() if name not in READ_ONLY}

    def check_account(self) -> None:
        """Raise IntegrationError where the credentials are not accepted any more."""
        self._account = account_of(self._read("GET", "myself"))

    @property
    def account(self) -> str:
        """The id of our own account; asked for once."""
        if not self._account:
            self.check_account()
        return self._account

    def fetch_issue(self, key_or_id: str) -> Issue:
        """The issue by key or immutable id; an old key finds a moved issue. A 404 says "deleted or not visible"."""
        path = f"issue/{quote(key_or_id, safe='')}"
        raw = self._read("GET", path, params={"fields": ",".join(self._fields())})
        return self._issue(raw)

    def read_twin(self, issue_id: str) -> Twin:
        """The issue as it is now, with its changelog and what Jira's clock said."""
        path = f"issue/{quote(issue_id, safe='')}"
        fields = [*self._fields(), "description", "issuelinks"]
        raw = self._read("GET", path, params={"fields": ",".join(fields), "expand": "changelog"})
        issue = self._issue(raw)
        description = (raw.get("fields") or {}).get("description")
        return Twin(issue, edits_of(raw), self._wire.server_time, description, duplicate_of(raw))

    def edit_issue(self, issue_id: str, fields: Mapping[str, Any]) -> None:
        """Set fields, given by our names in the form in which they are compared; a description as `with_block` made
        it."""
        self._write("PUT", f"issue/{issue_id}", {"fields": self._jira_fields(fields)})

    def tell_fields(self, issue_id: str, values: Mapping[str, Any]) -> None:
        """Set custom fields, by id."""
        self._write("PUT", f"issue/{issue_id}", {"fields": dict(values)})

    def clear_timebox(self, issue_id: str) -> None:
        """Take the issue out of its sprint and clear its due date; neither is ever set from here."""
        boxes = ["duedate", *filter(None, [self._names.field("sprint")])]
        self._write("PUT", f"issue/{issue_id}", {"fields": dict.fromkeys(boxes)})

    def with_block(self, description: Any, key: str, lines: Sequence[str]) -> Any:
        """The description with the bot's block in it; all else in it is as it was."""
        return in_document(description, key, lines) if self._cloud else in_wiki(description, key, lines)

    def put_property(self, issue_id: str, value: str) -> None:
        """Keep a text on the issue that other programs can read."""
        self._write("PUT", f"issue/{issue_id}/properties/{PROPERTY}", value)

    def census(self, jql: str) -> set[str]:
        """The ids of all issues in scope. An empty or unreadable answer raises where the account is the reason."""
        scope = f"({search.without_order(jql)}) ORDER BY id ASC"
        pages = search.hits(self._read, self._cloud, scope, ["id"])
        found = {str(raw["id"]) for page in pages for raw in page}
        self.check_account()
        return found

    def _jira_fields(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        person = "accountId" if self._cloud else "name"
        written: dict[str, Callable[[Any], tuple[str, Any]]] = {
            "title": lambda value: ("summary", value),
            "labels": lambda value: ("labels", list(value)),
            "jira_priority": lambda value: ("priority", {"name": value} if value else None),
            "description": lambda value: ("description", value),
            "owner": lambda value: ("assignee", {person: value} if value else None),
        }
        return dict(written[name](value) for name, value in fields.items())

    def transitions(self, issue_id: str) -> list[Transition]:
        """The ways out of the issue's status, with what their screens require."""
        answer = self._read("GET", f"issue/{issue_id}/transitions", params={"expand": "transitions.fields"})
        return [transition_of(raw) for raw in answer.get("transitions", [])]

    def do_transition(self, issue_id: str, way: Transition, answers: Mapping[str, str]) -> None:
        """Take one of those ways, with answers in words to what its screen asks for."""
        body: dict[str, Any] = {"transition": {"id": way.id}}
        fields = {id_: value_of(way.required[id_], text, self._cloud) for id_, text in answers.items()}
        self._write("POST", f"issue/{issue_id}/transitions", body | ({"fields": fields} if fields else {}))

    def create_issue(self, project: str, issue_type: str, fields: Mapping[str, Any], key: str) -> Made:
        """A new issue that carries our key as a property from its first moment. Nothing is read after it: a read that
        fails would look as if nothing had been made."""
        body = {"project": {"key": project}, "issuetype": {"name": issue_type}, **self._jira_fields(fields)}
        marker = {"key": MARKER, "value": key}  # a plain text, as for comments
        answer = self._write("POST", "issue", {"fields": body, "properties": [marker]})
        return Made(str(answer["id"]), str(answer["key"]), f"{self._url}/browse/{answer['key']}")

    def find_created(self, project: str, key: str, since: datetime) -> Issue | None:
        """The issue that carries our key among those made in a project since then, as far as the index knows."""
        jql = f'project = "{project}" AND created >= {int(since.timestamp() * 1000)} ORDER BY created DESC'
        pages = search.hits(self._read, self._cloud, jql, self._fields())
        for raw in (raw for page in pages for raw in page):
            if self._marker(f"issue/{raw['id']}") == key:
                return self._issue(raw)
        return None

    def add_comment(self, issue_id: str, text: str, key: str, accounts: Mapping[str, str] | None = None) -> str:
        """Write a comment, given in Markdown, that carries our key as a property; returns its id. `accounts` are those
        behind the names that may be mentioned."""
        body = self._rich(text, accounts)
        marker = {"key": MARKER, "value": key}  # a plain text: Data Center takes nothing else
        answer = self._write("POST", f"issue/{issue_id}/comment", {"body": body, "properties": [marker]})
        return str(answer["id"])

    def edit_comment(
        self, issue_id: str, comment_id: str, text: str, accounts: Mapping[str, str] | None = None
    ) -> None:
        """Replace the text of a comment; its marker stays."""
        self._write("PUT", f"issue/{issue_id}/comment/{comment_id}", {"body": self._rich(text, accounts)})

    def _rich(self, text: str, accounts: Mapping[str, str] | None) -> dict[str, Any] | str:
        """Markdown in the form that the server takes."""
        document = to_document(text, accounts)
        return document if self._cloud else to_wiki(document)

    def comments(self, issue_id: str) -> list[Comment]:
        """What others than ourselves said last on an issue, the oldest of it first."""
        query = {"orderBy": "-created", "maxResults": COMMENTS}
        page = self._read("GET", f"issue/{quote(issue_id, safe='')}/comment", params=query)
        others = (raw for raw in page.get("comments", []) if account_of(raw.get("author")) != self.account)
        return [self._comment(raw) for raw in islice(others, NEWEST)][::-1]

    def _comment(self, raw: Mapping[str, Any]) -> Comment:
        body, names = raw.get("body"), {account: name for name, account in self.people().by_owner.items()}
        text = from_wiki(body) if isinstance(body, str) else to_markdown(body, names)
        author = printable((raw.get("author") or {}).get("displayName"))
        return Comment(str(raw["id"]), read_time(raw.get("created")), author, text[:COMMENT_MAX])

    def find_comment(self, issue_id: str, key: str, since: datetime) -> str | None:
        """The id of the comment that carries our key; None when none written since then does."""
        query = {"orderBy": "-created", "maxResults": COMMENTS}
        page = self._read("GET", f"issue/{issue_id}/comment", params=query)
        recent = (c for c in page.get("comments", []) if read_time(c.get("created")) >= since - timedelta(seconds=1))
        return next((str(c["id"]) for c in recent if self._marker(f"comment/{c['id']}") == key), None)

    def _marker(self, path: str) -> str:
        """Our key on an issue or a comment; empty where there is none."""
        try:
            found = self._read("GET", f"{path}/properties/{MARKER}")
        except IntegrationError as error:
            if error.code == NOT_FOUND:
                return ""
            raise
        return str(found.get("value", ""))

    def put_remote_link(self, issue_id: str, link: Mapping[str, Any]) -> None:
        """Write the link back to the experiment: `global_id`, `url`, `title`, `summary`, and an `icon` (an address)
        with the `stage` as its words, struck through where it is `finished`. The same id is replaced, so twice is
        once."""
        icon = {"url16x16": link["icon"], "title": link["stage"]}
        status = {"resolved": link["finished"], "icon": icon}
        told = {"url": link["url"], "title": link["title"], "summary": link["summary"], "icon": icon, "status": status}
        self._write("POST", f"issue/{issue_id}/remotelink", {"globalId": link["global_id"], "object": told})


def _instant(milliseconds: Any) -> datetime:
    return EPOCH + timedelta(milliseconds=int(milliseconds or 0))
