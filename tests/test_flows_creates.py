"""Two hundred issues made while every tenth answer is lost: none twice, and none missing unnamed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backlog.experiment import Kind
from bot.flows.change_experiment import create_experiment
from bot.flows.deliver_outbox import deliver_all
from bot.flows.read_sync import show_sync
from bot.flows.services import Caller, Services
from integrations.jira.client import JiraClient
from sandbox.jira import JiraSandbox
from store import outbox
from store.experiments import load_experiments
from tests.conftest import open_empty
from tests.in_process import mount
from tests.test_sync_machine import impatient

MANY = 200
pytestmark = pytest.mark.long  # half a minute of work


@pytest.mark.parametrize("denied", [False, True], ids=["looked up", "look-up denied"])
@pytest.mark.parametrize("deployment", ["cloud", "server"])
def test_two_hundred_issues_are_made_once_whatever_gets_lost(tmp_path: Path, deployment: str, denied: bool) -> None:
    now = datetime(2026, 11, 23, 10, tzinfo=UTC)
    jira = JiraSandbox(deployment, now=lambda: now)
    jira.index_lag = timedelta(seconds=30)
    tracker = JiraClient("http://jira.test", email=jira.email, token=jira.token, pat=jira.token, deployment=deployment)
    mount(tracker, jira.app)
    database = open_empty(tmp_path / "s.db")
    services = Services(database, lambda: now, tracker=tracker, jql="project = ML")
    if denied:
        jira.faults.add("search", "403", times=MANY * 10)
    with impatient():
        for number in range(MANY):
            create_experiment(services, Caller("U0ANA", "ana"), f"e{number}", kind=Kind.IMPROVEMENT, project="ML")
            if number % 10 == 9:
                jira.faults.add("create_issue", "reset_after")
            deliver_all(services, most=1)
        for _ in range(MANY):
            now += timedelta(seconds=20)
            while deliver_all(services, most=1):
                now += timedelta(seconds=1)
    with database.read() as connection:
        linked = {e.issue_id for e in load_experiments(connection) if e.issue_id}
        unknown = outbox.count_by_state(connection).get(outbox.UNKNOWN, 0)
    named = {stuck.key for stuck in show_sync(services).stuck}
    database.close()
    assert len({issue["id"] for issue in jira.issues()}) == MANY, "each once"
    lost = MANY // 10 if denied else 0
    assert (len(linked), unknown, len(named)) == (MANY - lost, lost, lost), "each that is missing is named"
