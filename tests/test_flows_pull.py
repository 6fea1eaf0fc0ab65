"""The pull of a scope: gone on with where it was cut short, whole although people write meanwhile, with a bar."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.flows import sync_backlog as sync
from bot.flows.services import Services
from bot.flows.sync_backlog import count_changed, sync_backlog
from integrations.jira.client import JiraClient
from sandbox import jira_search as stand_in
from sandbox.jira import JiraSandbox
from sandbox.serving import serving
from store.issues import find_issue
from tests.conftest import open_empty
from tests.in_process import mount


class Pulling:
    """A Jira of 200 issues, one changed each minute, and the product that reads it ten at a time."""

    def __init__(self, deployment: str, folder: Path) -> None:
        self.now = datetime(2026, 11, 23, 10, tzinfo=UTC)
        self.jira = JiraSandbox(deployment, now=lambda: self.now)
        for number in range(200):
            self.jira.add_issue("ML", f"Issue {number}")
            self.now += timedelta(minutes=1)
        client = JiraClient("http://jira.test", email=self.jira.email, token=self.jira.token, pat=self.jira.token,
                            deployment=deployment)  # fmt: skip
        mount(client, self.jira.app)
        database = open_empty(folder / "s.db")
        self.known_before = 0
        self.services = Services(database, lambda: self.now, tracker=client, jql="project = ML")

    def searches(self) -> int:
        return sum(call["operation"] == "search" for call in self.jira.calls)

    def known(self) -> int:
        with self.services.database.read() as connection:
            return sum(find_issue(connection, f"ML-{number}") is not None for number in range(1, 201))


@pytest.fixture(params=["cloud", "server"])
def pulling(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pulling]:
    monkeypatch.setattr(stand_in, "PAGE_ALL_FIELDS", 10)
    monkeypatch.setattr(stand_in, "SERVER_PAGE", 10)
    monkeypatch.setattr(sync, "BATCH", 10)
    made = Pulling(request.param, tmp_path)
    yield made
    made.services.database.close()


class Killed(BaseException):
    """The process dies."""


def die_after(pages: int) -> Callable[[int], None]:
    left = iter(range(pages))

    def step(_: int) -> None:
        if next(left, None) is None:
            raise Killed

    return step


@pytest.mark.parametrize("page", [0, 1, 9])
def test_a_first_pull_that_died_at_any_page_goes_on_from_there(pulling: Pulling, page: int) -> None:
    with pytest.raises(Killed):
        sync_backlog(pulling.services, step=die_after(page))
    assert pulling.known() >= 5 * page
    pulling.known_before = pulling.known()
    asked, pulling.now = pulling.searches(), pulling.now + timedelta(hours=3)
    pulling.jira.edit("ML-1", summary="changed while nobody read")
    done = sync_backlog(pulling.services)
    assert pulling.known() == 200
    pages = 20 if pulling.jira.cloud else 40  # the pages of Data Center overlap
    assert pulling.searches() - asked <= pages * (200 - pulling.known_before) / 200 + 6, "the rest, and the overlap"
    assert done.issues <= 220 - 5 * page
    with pulling.services.database.read() as connection:
        first = find_issue(connection, "ML-1")
    assert first is not None
    assert first.summary == "changed while nobody read"
    asked = pulling.searches()
    sync_backlog(pulling.services)
    assert pulling.searches() - asked <= 2, "the round has ended"


def test_what_changed_after_a_pull_began_is_read_by_the_next_one_although_it_died(pulling: Pulling) -> None:
    with pytest.raises(Killed):
        sync_backlog(pulling.services, step=die_after(3))
    pulling.jira.edit("ML-180", summary="in between")
    pulling.now += timedelta(days=2)
    sync_backlog(pulling.services)
    with pulling.services.database.read() as connection:
        found = find_issue(connection, "ML-180")
    assert found is not None
    assert found.summary == "in between"


def test_a_full_pull_begins_at_the_beginning(pulling: Pulling) -> None:
    with pytest.raises(Killed):
        sync_backlog(pulling.services, step=die_after(8))
    assert sync_backlog(pulling.services, full=True).issues == 200


def test_no_issue_slips_between_two_pages_while_people_write(pulling: Pulling) -> None:
    if pulling.jira.cloud:
        return  # its tokens are opaque; the stand-in counts, and nobody says that Cloud does

    def people_write(_: int) -> None:
        # Each edit moves an issue that was read already to the end: whoever counts would step over one.
        pulling.now += timedelta(seconds=1)
        pulling.jira.edit(f"ML-{people_write.number}", summary="edited")  # type: ignore[attr-defined]
        people_write.number += 1  # type: ignore[attr-defined]

    people_write.number = 1  # type: ignore[attr-defined]
    sync_backlog(pulling.services, step=people_write)
    assert pulling.known() == 200


def test_a_bulk_edit_of_one_moment_is_read_whole(pulling: Pulling) -> None:
    for number in range(1, 61):
        pulling.jira.edit(f"ML-{number}", summary="bulk")
    assert sync_backlog(pulling.services).issues >= 200
    assert pulling.known() == 200


def test_another_scope_is_read_from_its_beginning(pulling: Pulling) -> None:
    sync_backlog(pulling.services)
    pulling.jira.add_issue("NEW", "made long before the scope was widened")
    pulling.now += timedelta(days=3)
    wider: Any = Services(
        pulling.services.database, pulling.services.now, tracker=pulling.services.tracker, jql="project in (ML, NEW)"
    )
    sync_backlog(wider)
    with wider.database.read() as connection:
        assert find_issue(connection, "NEW-1") is not None


def test_how_many_wait_is_asked_in_one_request(pulling: Pulling) -> None:
    asked = len(pulling.jira.calls)
    assert count_changed(pulling.services) == 200
    assert len(pulling.jira.calls) - asked == 1
    sync_backlog(pulling.services)
    assert count_changed(pulling.services) <= 11


def test_a_person_at_a_terminal_sees_how_far_the_pull_is(tmp_path: Path) -> None:
    jira = JiraSandbox()
    for number in range(250):
        jira.add_issue("ML", f"Issue {number}")
    with serving(jira.app) as url:
        config = tmp_path / "config.toml"
        config.write_text(
            f'[jira]\nurl = "{url}"\nemail = "{jira.email}"\ntoken = "{jira.token}"\njql = "project = ML"\n'
            f'[database]\nurl = "sqlite:///{tmp_path}/s.db"\n'
        )
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "bot.cli", "sync", "--config", str(config)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, timeout=60, check=False)
        os.close(theirs)
        shown = os.read(ours, 65_536).decode()
        os.close(ours)
    assert done.returncode == 0
    assert "Read 250 issues from Jira." in done.stdout.decode()
    assert "reading Jira" in shown
    assert "100%" in shown
