"""One pull by one client in a process of its own: `python -m bench.clients CLIENT URL FOLDER` prints its figures.

All ask a Jira Cloud on loopback for the same fields of the same issues; ours writes them into its database as well.
Each client is opened first, and what is timed is the pull alone.
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

JQL = "project in (REAL, ML) ORDER BY updated ASC"
EMAIL, TOKEN = "bot@example.com", "jira-sandbox-token"
CHANGES = (0, 1, 100, 1_000)  # issues edited before an incremental pull


Pull = Callable[[], dict[str, Any]]


def pull_raw(url: str, folder: Path) -> Pull:
    """requests and json: the floor."""
    from bench.floors.http import pull_pages
    from integrations.jira.issues import FIELDS

    return lambda: {"issues": pull_pages(url, EMAIL, TOKEN, JQL, list(FIELDS))}


def pull_objects(url: str, folder: Path) -> Pull:
    """The `jira` package's own way, as objects."""
    from jira import JIRA

    from integrations.jira.issues import FIELDS

    client = JIRA(url, basic_auth=(EMAIL, TOKEN), options={"rest_api_version": "3"}, get_server_info=False)
    client.deploymentType = "Cloud"  # what its question to the server would have told
    return lambda: {"issues": len(client.enhanced_search_issues(JQL, maxResults=0, fields=list(FIELDS)))}


def pull_atlassian(url: str, folder: Path) -> Pull:
    """atlassian-python-api, page by page as its documentation shows it, all kept."""
    from atlassian import Jira

    from integrations.jira.issues import FIELDS

    client: Any = Jira(url=url, username=EMAIL, password=TOKEN, cloud=True)

    def pull() -> dict[str, Any]:
        issues, token = [], None
        while True:
            page = client.enhanced_jql(JQL, fields=list(FIELDS), nextPageToken=token, limit=1000)
            issues += page["issues"]
            token = page.get("nextPageToken")
            if not token:
                return {"issues": len(issues)}

    return pull


def pull_ours(url: str, folder: Path) -> Pull:
    """This product, into its database."""
    from bot.flows.sync_backlog import sync_backlog

    services = open_ours(url, folder)
    return lambda: {"issues": sync_backlog(services).issues}


def open_ours(url: str, folder: Path) -> Any:
    """The product's services over a fresh database."""
    from bot.flows.services import Services
    from integrations.jira.client import JiraClient
    from store.database import open_database

    database = open_database(f"sqlite:///{folder}/{time.time_ns()}.db")
    return Services(database, lambda: datetime.now(UTC), tracker=JiraClient(url, email=EMAIL, token=TOKEN), jql=JQL)


def pull_changes(url: str, folder: Path) -> Pull:
    """How many requests an incremental pull costs after so many issues changed."""
    from bot.flows.sync_backlog import sync_backlog

    services = open_ours(url, folder)
    sync_backlog(services)

    def pull() -> dict[str, Any]:
        asked = {}
        for count in CHANGES:
            edit(url, count)
            before = services.tracker.requests
            sync_backlog(services)
            asked[count] = services.tracker.requests - before
            time.sleep(0.01)
        return {"issues": 0, "requests": asked}

    return pull


def edit(url: str, count: int) -> None:
    """Let people change so many issues."""
    import requests

    session = requests.Session()
    session.auth = (EMAIL, TOKEN)
    page = {"jql": JQL.replace("ASC", "DESC"), "fields": ["id"], "maxResults": max(count, 1)}
    found = session.post(f"{url}/rest/api/3/search/jql", json=page, timeout=30).json()["issues"][:count]
    for number, issue in enumerate(found):
        body = {"fields": {"summary": f"changed {number} of {count}"}}
        session.put(f"{url}/rest/api/3/issue/{issue['id']}", json=body, timeout=30).raise_for_status()


CLIENTS: dict[str, Callable[[str, Path], Pull]] = {
    "requests": pull_raw,
    "jira": pull_objects,
    "atlassian": pull_atlassian,
    "ours": pull_ours,
    "changes": pull_changes,
}


def peak_mb() -> float:
    """The most memory that this process has held; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def main() -> None:
    """Run one client and print what it took. Imports, and a database's making, are no part of a pull; its memory is all
    of it."""
    client, url, folder = sys.argv[1:4]
    pull = CLIENTS[client](url, Path(folder))
    began, used = time.perf_counter(), time.process_time()
    done = pull()
    took = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - used, "mb": peak_mb()}
    print(json.dumps({**took, **done}))


if __name__ == "__main__":
    main()
