"""People editing both sides at random, under random faults: it converges, and no edit vanishes without a trace."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import stamina
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from backlog import lifecycle
from backlog.experiment import Entry, Experiment
from bot.flows.change_experiment import edit_experiment
from bot.flows.deliver_outbox import deliver_next
from bot.flows.link_issue import link_issue
from bot.flows.services import Caller, Services
from bot.flows.sync_backlog import sync_backlog
from integrations.http import IntegrationError
from integrations.jira.client import JiraClient
from sandbox.jira import JiraSandbox
from store.database import open_database
from store.experiments import add_experiment, find_experiment, load_timeline
from tests.in_process import InProcess

ANA = Caller("U0ANA", "ana")
PEOPLE = {"U0ANA": "acc-ana", "U0BEN": "acc-ben"}
FAULTS = ("503", "429", "reset_before", "reset_after", "error_after", "html")
LABELS = st.lists(st.sampled_from("abcd"), unique=True, max_size=3)


@contextmanager
def impatient() -> Iterator[None]:
    """Reads are not tried again by themselves; the next round does."""
    stamina.set_testing(True, attempts=1)
    try:
        yield
    finally:
        stamina.set_testing(False)


class Both(RuleBasedStateMachine):
    template: Path | None = None

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sync-machine-"))
        if Both.template is None:
            Both.template = Path(tempfile.mkdtemp(prefix="sync-template-")) / "s.db"
            open_database(f"sqlite:///{Both.template}").close()
        shutil.copy(Both.template, self.folder / "s.db")
        self.now, self.number, self.edits = datetime(2026, 11, 23, 10, tzinfo=UTC), 0, 0
        self.jira = JiraSandbox(now=lambda: self.now)
        tracker = JiraClient("http://jira.test", email=self.jira.email, token=self.jira.token, users=PEOPLE)
        tracker._jira._session.mount("http://jira.test", InProcess(self.jira.app))
        self.tracker, self.person_in_the_way = tracker, ""
        write = tracker.edit_issue

        def edit_issue(issue_id: str, fields: Any) -> None:
            if self.person_in_the_way:
                self.jira.edit("ML-1", summary=self.person_in_the_way)
                self.person_in_the_way = ""
            write(issue_id, fields)

        tracker.edit_issue = edit_issue  # type: ignore[method-assign]
        database = open_database(f"sqlite:///{self.folder}/s.db")
        self.services = Services(
            database, lambda: self.now, tracker=tracker, jql="project = ML",
            timeout=timedelta(seconds=2), quiet=timedelta(seconds=1),
        )  # fmt: skip
        self.jira.add_issue("ML", "t0")
        self.jira.edit("ML-1", assignee=self.jira.person("ana"))
        with database.write() as connection:
            add_experiment(connection, lifecycle.create("t0", "U0ANA", self.now))
        link_issue(self.services, ANA, "EXP-1", "ML-1")
        self.settle()
        self.asked_before = self.writes()

    def teardown(self) -> None:
        if hasattr(self, "services"):
            try:
                self.check_end()
            finally:
                self.services.database.close()
                shutil.rmtree(self.folder)

    # What people and the network do

    def fresh(self) -> str:
        self.number += 1
        self.edits += 1
        self.now += timedelta(seconds=1)
        return f"t{self.number}"

    @rule()
    def title_here(self) -> None:
        edit_experiment(self.services, ANA, "EXP-1", {"title": self.fresh()})

    @rule()
    def title_there(self) -> None:
        self.jira.edit("ML-1", summary=self.fresh())

    @rule(labels=LABELS)
    def labels_here(self, labels: list[str]) -> None:
        self.fresh()
        edit_experiment(self.services, ANA, "EXP-1", {"labels": tuple(sorted(labels))})

    @rule(labels=LABELS)
    def labels_there(self, labels: list[str]) -> None:
        self.fresh()
        self.jira.edit("ML-1", labels=labels)

    @rule(owner=st.sampled_from([*PEOPLE]))
    def owner_here(self, owner: str) -> None:
        self.fresh()
        edit_experiment(self.services, ANA, "EXP-1", {"owner": owner})

    @rule(name=st.sampled_from(["ana", "ben", ""]))
    def owner_there(self, name: str) -> None:
        self.fresh()
        self.jira.edit("ML-1", assignee=self.jira.person(name) if name else None)

    @rule()
    def title_there_in_the_very_second_of_our_write(self) -> None:
        self.person_in_the_way = self.fresh()

    @rule()
    def both_at_the_very_same_second(self) -> None:
        self.title_there_in_the_very_second_of_our_write()
        self.title_here()
        self.deliver(2)

    @rule(operation=st.sampled_from(["edit_issue", "edit_issue", "read_issue", "search"]), kind=st.sampled_from(FAULTS))
    def fault(self, operation: str, kind: str) -> None:
        self.jira.faults.add(operation, kind)

    @rule(seconds=st.integers(1, 900))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def pull(self) -> None:
        with impatient():
            try:
                sync_backlog(self.services)
            except IntegrationError:
                return

    @rule(count=st.integers(1, 4))
    def deliver(self, count: int) -> None:
        with impatient():
            for _ in range(count):
                deliver_next(self.services)

    @rule()
    def crash_after_writing(self) -> None:
        """The process dies after Jira took a write and before we remembered it: the claim's end is all that is left."""
        self.jira.faults.add("edit_issue", "reset_after")
        self.jira.faults.add("read_issue", "reset_before", times=2)

    # What must hold

    def settle(self) -> None:
        for _ in range(12):
            self.now += timedelta(minutes=11)
            self.pull()
            while deliver_next(self.services):
                self.now += timedelta(seconds=1)

    def writes(self) -> int:
        return sum(call["operation"] == "edit_issue" and call.get("status") == 204 for call in self.jira.calls)

    def state(self) -> tuple[Experiment, list[Entry], Any]:
        with self.services.database.read() as connection:
            found = find_experiment(connection, "EXP-1")
            return found, load_timeline(connection, "EXP-1"), self.jira.issue("ML-1")["fields"]

    def check_end(self) -> None:
        self.jira.faults.clear()
        self.person_in_the_way = ""
        self.settle()
        experiment, timeline, fields = self.state()
        account = (fields["assignee"] or {}).get("accountId", "")
        assert experiment.title == fields["summary"], "it converges"
        assert sorted(experiment.labels) == sorted(fields["labels"])
        assert PEOPLE.get(experiment.owner, "") == account
        self.check_nothing_vanished(timeline)
        quiet = len(self.jira.calls), self.writes()
        self.settle()
        assert self.writes() == quiet[1], "in line is quiet"
        assert quiet[1] - self.asked_before <= self.edits, "no more writes than edits"

    def check_nothing_vanished(self, timeline: list[Entry]) -> None:
        told = (
            " ".join(f"{entry.text} {entry.changes.get('title', '')}" for entry in timeline).replace('"', " ").split()
        )
        lines = [
            (entry["author"].get("name"), item)
            for entry in self.jira.history(self.jira.issue("ML-1")["id"])
            for item in entry["items"]
            if item["field"] == "summary"
        ]
        for author, item in lines:
            if author == "scrumbut":
                assert item["fromString"] in told, f"{item['fromString']} of a person in Jira was written over untold"
        there = {item[end] for _, item in lines for end in ("fromString", "toString")}
        titles = [(entry, entry.changes["title"]) for entry in timeline if "title" in entry.changes]
        for (_, lost), (taken, _) in pairwise(titles):
            if taken.who == "Jira":
                conflict = any(e.act == "conflict" and f'"{lost}"' in e.text for e in timeline)
                assert lost in there or conflict, f"{lost} of a person here was written over untold"


Both.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestBoth = Both.TestCase
