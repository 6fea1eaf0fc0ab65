"""What the configuration calls fields and people, as this Jira knows them: by id as it stands, else by name or e-mail.

Each name is asked for once and remembered.
"""

from collections.abc import Callable, Mapping
from typing import Any

from backlog.merge import People
from integrations.http import IntegrationError

Read = Callable[..., Any]  # (method, path, **request) -> the JSON of the answer


class Names:
    """Resolves `[jira.fields]` and `[jira.users]`; nothing is asked before the first name that needs it."""

    def __init__(self, read: Read, cloud: bool, fields: Mapping[str, str], users: Mapping[str, str]) -> None:
        self._read, self._cloud = read, cloud
        self._fields, self._users = fields, users
        self._field_ids: dict[str, str] | None = None
        self._people: People | None = None

    def field(self, ours: str) -> str:
        """The id of the field that `[jira.fields]` names for one of ours; empty where it names none.

        Raises IntegrationError for a name that no field has, or several have.
        """
        return self.fields().get(ours, "")

    def fields(self) -> Mapping[str, str]:
        """The ids of all fields that `[jira.fields]` names."""
        if self._field_ids is None:
            by_name = any(not _is_id(name) for name in self._fields.values())
            known = self._read("GET", "field") if by_name else []
            self._field_ids = {ours: _field_id(ours, name, known) for ours, name in self._fields.items()}
        return self._field_ids

    def people(self) -> People:
        """Owners and accounts; one whose e-mail address Jira does not show to us is left out."""
        if self._people is None:
            accounts = {owner: self._account_of(name) if "@" in name else name for owner, name in self._users.items()}
            self._people = People({owner: account for owner, account in accounts.items() if account})
        return self._people

    def _account_of(self, email: str) -> str:
        query = {"query": email} if self._cloud else {"username": email}
        found = self._read("GET", "user/search", params=query)
        exact = [user for user in found if str(user.get("emailAddress", email)).casefold() == email.casefold()]
        account = exact[0].get("accountId" if self._cloud else "name") if len(exact) == 1 else ""
        return str(account or "")


def _is_id(name: str) -> bool:
    return name.startswith("customfield_")


def _field_id(ours: str, name: str, known: list[dict[str, Any]]) -> str:
    if _is_id(name):
        return name
    ids = [str(field["id"]) for field in known if str(field.get("name", "")).casefold() == name.casefold()]
    if len(ids) == 1:
        return ids[0]
    what = f'has {len(ids)} fields named "{name}" ({", ".join(ids)})' if ids else f'has no field named "{name}"'
    raise IntegrationError(
        "Jira", f"it {what}.", f"Give [jira.fields] {ours} an id such as customfield_10020.", permanent=True
    )
