"""The few words of JQL that the stand-in understands; anything else is refused as Jira refuses it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

Issue = dict[str, Any]
Test = Callable[[Issue], bool]

ORDER = re.compile(r"\s*\bORDER\s+BY\s+(\w+)(?:\s+(ASC|DESC))?\s*$", re.IGNORECASE)
CLAUSE = re.compile(r'(\w+)\s*(!=|>=|<=|=|>|<|\bin\b)\s*(\([^)]*\)|"[^"]*"|\S+)', re.IGNORECASE)
RELATIVE = re.compile(r"-(\d+)([mhdw])")
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class JqlError(Exception):
    """JQL that is refused, in Jira's words."""


def matcher(jql: str, now: datetime) -> tuple[Test, str, bool]:
    """(test, field to order by, descending). Raises JqlError; an empty test is unbounded and refused by the caller."""
    order = ORDER.search(jql)
    field, descending = (order[1].lower(), (order[2] or "").upper() == "DESC") if order else ("key", True)
    if field not in ("updated", "created", "key", "id"):
        raise JqlError(f"Field '{field}' does not exist or you do not have permission to view it.")
    tests = [_clause(text.strip(), now) for text in _split(jql[: order.start()] if order else jql)]
    return (lambda issue: all(test(issue) for test in tests)), field, descending


def bounded(jql: str) -> bool:
    """Whether the JQL restricts anything."""
    return bool(ORDER.sub("", jql).strip(" ()"))


def _split(where: str) -> list[str]:
    # Parentheses around a whole group change nothing while AND is the only word that joins.
    flat = re.sub(r"\((?=[^()]*(?:=|<|>|\bin\b))|(?<=\))\)", " ", where)
    parts = re.split(r"\bAND\b", flat, flags=re.IGNORECASE)
    return [part.strip() for part in parts if part.strip(" ()")]


def _clause(text: str, now: datetime) -> Test:
    match = CLAUSE.match(text)
    if match is None or text[match.end() :].strip(" )"):
        raise JqlError("Error in the JQL Query: Expecting a field name at the end of the query.")
    field, operator, value = match[1].lower(), match[2].lower(), match[3]
    if field in ("updated", "created") and operator in (">=", ">", "<=", "<"):
        return _time(field, operator, _moment(value.strip('"'), now))
    wanted = {word.strip().strip("\"'").casefold() for word in value.strip("()").split(",")}
    read = _READERS.get(field)
    if read is None or operator not in ("=", "!=", "in"):
        raise JqlError(f"Field '{field}' does not exist or you do not have permission to view it.")
    return lambda issue: (read(issue).casefold() in wanted) is not (operator == "!=")


_READERS: dict[str, Callable[[Issue], str]] = {
    "project": lambda issue: str(issue["fields"]["project"]["key"]),
    "key": lambda issue: str(issue["key"]),
    "id": lambda issue: str(issue["id"]),
    "status": lambda issue: str(issue["fields"]["status"]["name"]),
    "statuscategory": lambda issue: str(issue["fields"]["status"]["statusCategory"]["name"]),
}


def _moment(value: str, now: datetime) -> datetime:
    relative = RELATIVE.fullmatch(value)
    if relative:
        return now - timedelta(**{UNITS[relative[2]]: int(relative[1])})
    if value.isdigit():
        return datetime.fromtimestamp(int(value) / 1000, UTC)
    try:
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    except ValueError as error:
        raise JqlError(f"Date value '{value}' for field 'updated' is invalid.") from error


def _time(field: str, operator: str, moment: datetime) -> Test:
    def test(issue: Issue) -> bool:
        at = read_time(issue["fields"][field])
        later, same = at > moment, at == moment
        return (same and "=" in operator) or (not same and later is (operator[0] == ">"))

    return test


def read_time(text: str) -> datetime:
    """Jira's `2011-04-17T01:50:05.000+0000`."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")
