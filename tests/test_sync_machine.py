"""People editing both sides at random, under random faults: it converges, and no edit vanishes without a trace.

The mutants of the engine in `test_sync_mutants.py` are held against this same machine.
"""

import atexit
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
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from backlog import lifecycle
from backlog.errors import BacklogError
from backlog.experiment import Entry, Experiment, Kind, Stage
from backlog.goal import DATA_MARKS, Answer3, Goal, Mark
from backlog.merge import Agreed
from backlog.status import StatusMap, read_target
from bot.flows.change_experiment import (
    create_experiment,
    edit_experiment,
    frame_experiment,
    move_experiment,
    note_experiment,
)
from bot.flows.deliver_outbox import deliver_all
from bot.flows.link_issue import link_issue
from bot.flows.services import Caller, Services
from bot.flows.sync_backlog import hear_of, retry_issue, sync_backlog, take_census
from integrations.http import IntegrationError
from integrations.jira.client import JiraClient
from sandbox.jira import JiraSandbox
from sandbox.jira_shapes import document_text
from store import outbox
from store.database import Database, open_database, open_unchanged
from store.experiments import add_experiment, find_experiment, load_experiments, load_timeline
from store.goals import add_goal
from store.issues import load_agreed
from tests.conftest import MEMORY
from tests.in_process import mount

ANA = Caller("U0ANA", "ana")
PEOPLE = {"U0ANA": "acc-ana", "U0BEN": "acc-ben"}
STAGES = {Stage.READY: "To Do", Stage.RUNNING: "In Progress", Stage.OBSERVING: "In Progress", Stage.CONCLUDED: "Done"}
STATUSES = {"To Do": "new", "In Progress": "indeterminate", "Done": "done"}
WRITES = ["edit_issue", "create_issue", "add_comment", "do_transition"]
OPERATIONS = st.sampled_from([*WRITES, *WRITES, "read_issue", "search"])
FAULTS = st.sampled_from(["503", "429", "reset_before", "reset_after", "error_after", "html"])
LABELS = st.lists(st.sampled_from("abcd"), unique=True, max_size=3)
LAGS = st.sampled_from([0, 0, 30, 240])  # seconds that Jira's index is behind
SKEWS = st.sampled_from([0, 0, -300, 300])  # seconds between Jira's clock and ours
EDIT = timedelta(seconds=5)  # between two edits, so that clocks compared by whole seconds can tell them apart
BUDGET = 20  # writes to one issue within an hour


@contextmanager
def impatient() -> Iterator[None]:
    """Reads are not tried again by themselves; the next round does."""
    with stamina.set_testing(True, attempts=1):
        yield


class Both(RuleBasedStateMachine):
    """EXP-1 and ML-1, and whatever issues are made meanwhile."""

    template: Path | None = None
    database: Database  # one for all histories, so that its statements are compiled once

    @initialize(lag=LAGS, skew=SKEWS, busy=st.integers(0, 9), outage=st.integers(0, 4))
    def open(self, lag: int, skew: int, busy: int, outage: int) -> None:
        self.busy, self.outage = busy == 0, outage == 0
        self.empty_database()
        self.now, self.number, self.edits = datetime(2026, 11, 23, 10, tzinfo=UTC), 0, 0
        self.jira = JiraSandbox(now=lambda: self.now + timedelta(seconds=skew))
        self.written = list[datetime]()
        self.services = self.open_services()
        self.later, self.buried, self.notes, self.gone = "t0", False, list[str](), set[str]()
        self.before_write, self.after_write = list[str](), list[str]()
        self.prepare()
        self.settle()
        self.jira.index_lag = timedelta(seconds=lag)
        self.asked_before = self.writes()

    def empty_database(self) -> None:
        if Both.template is None:
            folder = Path(tempfile.mkdtemp(prefix="sync-machine-", dir=MEMORY))
            atexit.register(shutil.rmtree, folder)
            Both.template = folder / "empty.db"
            open_database(f"sqlite:///{Both.template}").close()
            Both.database = open_unchanged(f"sqlite:///{folder}/s.db")
        shutil.copy(Both.template, Both.template.with_name("s.db"))

    def open_services(self) -> Services:
        tracker = JiraClient("http://jira.test", email=self.jira.email, token=self.jira.token, users=PEOPLE)
        mount(tracker, self.jira.app)
        write = tracker.edit_issue

        def edit_issue(issue_id: str, fields: Any) -> None:
            self.somebody_types(self.before_write)
            if issue_id == self.jira.issue("ML-1")["id"]:
                self.written.append(self.now)
            write(issue_id, fields)
            self.somebody_types(self.after_write)

        tracker.edit_issue = edit_issue  # type: ignore[method-assign]
        return Services(
            self.database, lambda: self.now, tracker=tracker, jql="project = ML",
            statuses=StatusMap({stage: read_target(text) for stage, text in STAGES.items()}),
            timeout=timedelta(seconds=2), quiet=timedelta(seconds=1),
        )  # fmt: skip

    def somebody_types(self, titles: list[str]) -> None:
        while titles:
            self.jira.edit("ML-1", summary=titles.pop())

    def prepare(self) -> None:
        self.jira.add_issue("ML", "t0")
        self.jira.edit("ML-1", assignee=self.jira.person("ana"))
        data = {name: Mark(Answer3.YES) for name in DATA_MARKS}
        with self.services.database.write() as connection:
            add_goal(connection, Goal("churn", "keep active clients", self.now, "ana", readiness=data))
            created = lifecycle.create("t0", "U0ANA", self.now, kind=Kind.INFRASTRUCTURE, goal="churn", appetite="M")
            add_experiment(connection, created)
        frame_experiment(self.services, ANA, "EXP-1", {"hypothesis": "we believe", "serves": "which?"})
        link_issue(self.services, ANA, "EXP-1", "ML-1")

    def teardown(self) -> None:
        if hasattr(self, "services"):
            try:
                self.check_end()
            finally:
                self.database.close()

    # What people and the network do

    def fresh(self) -> str:
        self.number += 1
        self.edits += 1
        self.now += EDIT
        return f"t{self.number}"

    @rule()
    def title_here(self) -> None:
        self.later = self.fresh()
        edit_experiment(self.services, ANA, "EXP-1", {"title": self.later})

    @rule()
    def title_there(self) -> None:
        self.later = self.fresh()
        self.jira.edit("ML-1", summary=self.later)

    @rule()
    def title_there_and_a_pull_before_the_index_knows(self) -> None:
        self.title_there()
        self.pull()

    @rule(labels=LABELS)
    def labels_here(self, labels: list[str]) -> None:
        self.fresh()
        before = set(self.experiment().labels)
        self.note_labels(before, set(labels))
        edit_experiment(self.services, ANA, "EXP-1", {"labels": tuple(sorted(labels))})

    @rule(labels=LABELS)
    def labels_there(self, labels: list[str]) -> None:
        self.fresh()
        self.note_labels(set(self.jira.issue("ML-1")["fields"]["labels"]), set(labels))
        self.jira.edit("ML-1", labels=labels)

    @rule(here=LABELS, there=LABELS)
    def labels_on_both_sides(self, here: list[str], there: list[str]) -> None:
        self.labels_here(here)
        self.labels_there(there)

    def note_labels(self, before: set[str], after: set[str]) -> None:
        """Only a label that both sides once agreed on can be taken out; one that both put in apart stays as it is."""
        with self.services.database.read() as connection:
            known = load_agreed(connection, self.jira.issue("ML-1")["id"]).get("labels", Agreed((), ()))
        shared = set(known.ours) & set(known.theirs)
        self.gone = (self.gone | (before - after) & shared) - (after - before)

    @rule(owner=st.sampled_from([*PEOPLE]))
    def owner_here(self, owner: str) -> None:
        self.fresh()
        edit_experiment(self.services, ANA, "EXP-1", {"owner": owner})

    @rule(name=st.sampled_from(["ana", "ben", ""]))
    def owner_there(self, name: str) -> None:
        self.fresh()
        self.jira.edit("ML-1", assignee=self.jira.person(name) if name else None)

    @rule(stage=st.sampled_from([Stage.READY, Stage.RUNNING, Stage.OBSERVING, Stage.DECIDING]))
    def stage_here(self, stage: Stage) -> None:
        self.fresh()
        try:
            move_experiment(self.services, ANA, "EXP-1", stage, over="a try")
        except BacklogError:
            return  # a gate holds, or it is there already

    @rule(status=st.sampled_from([*STATUSES]))
    def status_there(self, status: str) -> None:
        self.fresh()
        self.jira.edit("ML-1", status=(status, STATUSES[status]))

    @rule()
    def note(self) -> None:
        self.notes.append(self.fresh())
        note_experiment(self.services, ANA, "EXP-1", self.notes[-1])

    @rule()
    def issue_ordered(self) -> None:
        create_experiment(self.services, ANA, self.fresh(), kind=Kind.IMPROVEMENT, project="ML")

    @rule(noted=st.booleans())
    def something_new_is_written_and_its_answer_is_lost(self, noted: bool) -> None:
        self.jira.faults.add("add_comment" if noted else "create_issue", "reset_after")
        if noted:
            self.note()
        else:
            self.issue_ordered()

    @rule(before=st.booleans(), crash=st.booleans())
    def both_at_the_very_same_second(self, before: bool, crash: bool) -> None:
        """A person types in Jira between our reading and our writing, or between our writing and our look at it."""
        self.title_here()
        (self.before_write if before else self.after_write).append(self.fresh())
        self.buried = True  # who is later cannot be told any more
        if crash:
            self.crash_after_writing()
        self.deliver(3)

    @precondition(lambda self: self.busy)
    @rule()
    def a_burst(self) -> None:
        for _ in range(BUDGET + 2):
            self.title_here()
            self.deliver(2)
        self.busy = False

    @rule()
    def out_of_sight(self) -> None:
        self.jira.hide("ML-1")

    @rule()
    def back_in_sight(self) -> None:
        self.jira.show("ML-1")

    @rule(operation=OPERATIONS, kind=FAULTS)
    def fault(self, operation: str, kind: str) -> None:
        self.jira.faults.add(operation, kind)

    @rule(seconds=st.integers(1, 900))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(rounds=st.integers(1, 3), edited=st.booleans())
    def searches_fail_for_a_while(self, rounds: int, edited: bool) -> None:
        if edited:
            self.title_there()
        for _ in range(rounds):
            self.jira.faults.add("search", "503")
            self.pull()
            self.now += timedelta(minutes=11)

    @rule()
    def pull(self) -> None:
        with impatient():
            try:
                sync_backlog(self.services)
            except IntegrationError:
                return

    @rule()
    def hint(self) -> None:
        """A webhook, perhaps of long ago."""
        hear_of(self.services, self.jira.issue("ML-1")["id"], "")

    @rule()
    def census(self) -> None:
        with impatient():
            try:
                take_census(self.services)
            except IntegrationError:
                return

    @rule(count=st.integers(1, 4))
    def deliver(self, count: int) -> None:
        with impatient():
            for _ in range(count):
                deliver_all(self.services, most=1)

    @rule()
    def crash_after_writing(self) -> None:
        """The process dies after Jira took a write and before we remembered it: the claim's end is all that is left."""
        self.jira.faults.add("edit_issue", "reset_after")
        self.jira.faults.add("read_issue", "reset_before", times=2)

    # What must hold

    @invariant()
    def no_gate_is_passed(self) -> None:
        if hasattr(self, "services"):
            assert not self.experiment().stage.finished, "a pull passes no gate"

    @invariant()
    def the_budget_holds(self) -> None:
        if hasattr(self, "services"):
            hour = self.now - timedelta(hours=1)
            assert sum(at > hour for at in self.written) <= BUDGET, "the budget holds"

    def settle(self) -> None:
        """Go on until two rounds had nothing to do, and nothing waits any more."""
        idle = 0
        for _ in range(8):
            self.now += timedelta(minutes=11)
            self.pull()
            idle += 1
            while deliver_all(self.services, most=1):
                self.now += timedelta(seconds=1)
                idle = 0
            if idle >= 2 and self.states().keys().isdisjoint(outbox.UNSETTLED):
                return

    def writes(self) -> int:
        done = [c for c in self.jira.calls if c["operation"] == "edit_issue" and c.get("status") == 204]
        return len(done)

    def experiment(self) -> Experiment:
        with self.services.database.read() as connection:
            return find_experiment(connection, "EXP-1")

    def states(self) -> dict[str, int]:
        with self.services.database.read() as connection:
            return outbox.count_by_state(connection)

    def check_end(self) -> None:
        self.jira.faults.clear()
        self.jira.show("ML-1")
        self.somebody_types(self.before_write + self.after_write)
        if self.outage:
            self.searches_fail_for_a_while(2, edited=True)  # no later edit makes up for one that is lost
        take_census(self.services)
        self.settle()
        if outbox.DEAD in self.states():  # what a person was asked to mend, and nothing else
            self.now += timedelta(hours=1)  # by then there may be writes again
            retry_issue(self.services, ANA, "EXP-1")
            self.settle()
        with self.services.database.read() as connection:
            timeline = load_timeline(connection, "EXP-1")
        self.check_both_agree()
        self.check_nothing_vanished(timeline)
        self.check_once()
        quiet = self.writes()
        self.hint()
        self.settle()
        assert self.writes() == quiet, "in line is quiet"

    def check_both_agree(self) -> None:
        experiment, fields = self.experiment(), self.jira.issue("ML-1")["fields"]
        assert experiment.issue_id, "what is out of sight keeps its experiment"
        assert experiment.title == fields["summary"], "it converges"
        assert sorted(experiment.labels) == sorted(fields["labels"]), "it converges"
        assert not self.gone & set(experiment.labels), "what was taken out does not come back"
        assert PEOPLE.get(experiment.owner, "") == (fields["assignee"] or {}).get("accountId", ""), "it converges"
        if not self.buried:
            assert experiment.title == self.later, "the later change stands"

    def check_nothing_vanished(self, timeline: list[Entry]) -> None:
        told = " ".join(f"{e.text} {e.changes.get('title', '')}" for e in timeline).replace('"', " ").split()
        lines = [
            (entry["author"].get("name"), item)
            for entry in self.jira.history(self.jira.issue("ML-1")["id"])
            for item in entry["items"]
            if item["field"] == "summary"
        ]
        for author, item in lines:
            if author == "scrumbut":
                assert item["fromString"] in told, f"no edit vanishes: {item['fromString']}, a person's in Jira"
        there = {item[end] for _, item in lines for end in ("fromString", "toString")}
        titles = [(entry, entry.changes["title"]) for entry in timeline if "title" in entry.changes]
        for (_, lost), (taken, _) in pairwise(titles):
            if taken.who == "Jira":
                conflict = any(e.act == "conflict" and f'"{lost}"' in e.text for e in timeline)
                assert lost in there or conflict, f"no edit vanishes: {lost}, a person's here"

    def check_once(self) -> None:
        said = [document_text(comment["body"]) for comment in self.jira.comments("ML-1")]
        with self.services.database.read() as connection:
            ours = [e.issue_id for e in load_experiments(connection)]
        states = self.states()
        unknown = states.get(outbox.UNKNOWN, 0)
        named = unknown + states.get(outbox.DEAD, 0)
        for text in self.notes:
            count = sum(f"noted: {text}\n" in f"{words.strip()}\n" for words in said)
            assert count == 1 or (count == 0 and named), f"one comment a note: {count} of {text}"
        made = [issue for issue in self.jira.issues() if issue["id"] not in ours]
        assert len(made) <= unknown, "one issue an experiment"
        assert ours.count("") <= named, "one issue an experiment, or it is named"


TestBoth = Both.TestCase
if settings.get_current_profile_name() != "mutants":
    TestBoth.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
