"""One message through every pair of (where the process dies or pauses, what Slack does), twice in a row, on a clock
that stands: it arrives exactly once, and the outbox knows. The real client, over loopback; the channel is the judge.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from bot.flows.deliver_outbox import deliver_all
from bot.flows.services import Services
from store import outbox
from store.database import Database
from tests.conftest import CONFIG, World
from tests.test_sync_mutants import copy_project

DEATHS = {  # of one attempt: the transaction, the moment in it, and whether the process goes on after a pause
    "lives": None,
    "dies before the claim is kept": (1, "before", False),
    "dies after the claim": (1, "after", False),
    "dies while sending": (0, "sending", False),
    "dies before the end is kept": (2, "before", False),
    "is paused after the claim": (1, "after", True),
    "is paused before it sends": (0, "about to send", True),
    "is paused before the end": (2, "begin", True),
}
ANSWERS = ("reset_after", "late", "unseen", "ok", "reset_before", "429")  # what mutants trip over comes first
PAIRS = list(product(DEATHS, ANSWERS))
LATER = timedelta(seconds=30)  # after the client has gone, and before the quiet time is over
QUIET_CONFIG = CONFIG.replace("timeout_s = 2\nquiet_s = 0.2", "timeout_s = 10\nquiet_s = 60")


class Died(BaseException):
    """The process is no more: nothing catches it, and open transactions are rolled back."""


@dataclass
class Outside:
    """Slack, and what it is to do with the next messages."""

    world: World
    answers: list[str]
    late: list[tuple[datetime, tuple[Any, ...]]] = field(default_factory=list)

    def post(self, *message: Any) -> Any:
        """Send, and be answered as planned; after the plan all goes well."""
        faults, client = self.world.slack.faults, self.world.services.messenger
        assert client is not None
        if message[-1] < self.world.clock.at:
            return client.post(*message)  # it does not send, so Slack has nothing to answer
        answer = self.answers.pop(0) if self.answers else "ok"
        if answer == "late":
            faults.add("chat.postMessage", "reset_before")
            self.late.append((self.world.clock.at + self.world.services.timeout + LATER, message))
        elif answer == "unseen":
            faults.add("chat.postMessage", "reset_after")
            faults.add("conversations.history", "503", times=4)
        elif answer != "ok":
            faults.add("chat.postMessage", answer)
        try:
            return client.post(*message)
        finally:
            self.world.clock.at += self.world.services.timeout if answer == "late" else timedelta(0)

    def catch_up(self) -> None:
        """What Slack took in after the client had gone is in the channel now."""
        for due, message in [one for one in self.late if one[0] <= self.world.clock.at]:
            self.late.remove((due, message))
            assert self.world.services.messenger is not None
            self.world.services.messenger.post(*message[:-1])  # it was sent in time


@dataclass
class Process:
    """Delivers through a database and a client that let it die at the planned moment of each attempt."""

    outside: Outside
    deaths: list[str]
    transactions: int = 0
    death: tuple[int, str, bool] | None = None

    def attempt(self) -> bool:
        """One call of the outbox's worker; whether there was something to do."""
        self.transactions, self.death = 0, None
        try:
            return deliver_all(replace(self.outside.world.services, database=self, messenger=self), most=1) > 0  # type: ignore[arg-type]
        except Died:
            return True

    def step(self, transaction: int, moment: str) -> None:
        """Die or pause here, if that is the plan."""
        if (transaction, moment) == (1, "begin"):
            self.death = DEATHS[self.deaths.pop(0)] if self.deaths else None
        if self.death is None or self.death[:2] != (transaction, moment):
            return
        pauses, self.death = self.death[2], None
        if not pauses:
            raise Died
        live(Process(self.outside, self.deaths))  # meanwhile another one works

    # What the flow sees of the database and of Slack

    @contextmanager
    def write(self) -> Iterator[Connection]:
        self.transactions += 1
        number = self.transactions
        self.step(number, "begin")
        with self.outside.world.services.database.write() as connection:
            yield connection
            self.step(number, "before")
        self.step(number, "after")

    def __getattr__(self, name: str) -> Any:
        services: Services = self.outside.world.services
        return getattr(services.database if hasattr(Database, name) else services.messenger, name)

    def post(self, *message: Any) -> Any:
        self.step(0, "about to send")
        try:
            return self.outside.post(*message)
        finally:
            self.step(0, "sending")


def live(process: Process) -> None:
    """Work until nothing is pending, the clock going on to whatever comes next."""
    world = process.outside.world
    for _ in range(60):
        process.outside.catch_up()
        if process.attempt():
            continue
        with world.services.database.read() as connection:
            due = outbox.next_due(connection, world.services.quiet)
        if due is None:
            return
        world.clock.at = max(world.clock.at, due)
    raise AssertionError("it never settles")


@pytest.mark.parametrize("first", DEATHS)
def test_one_message_arrives_once(make_world: Callable[..., World], first: str) -> None:
    world = make_world(config=QUIET_CONFIG)
    for (_, answer), (death, then) in product([pair for pair in PAIRS if pair[0] == first], PAIRS):
        world.slack.messages("ml").clear()
        world.slack.faults.clear()
        world.clock.forward(days=1)
        with world.services.database.write() as connection:
            message = {"channel": "#ml", "text": "Leakage in fold 3", "blocks": []}
            number = outbox.put(connection, "slack:post:1", "slack.post", message, world.clock.at)
        outside = Outside(world, [answer, then])
        live(Process(outside, [first, death]))
        assert outside.late == [], "Slack had all the time it took"
        with world.services.database.read() as connection:
            row = outbox.find_row(connection, number)
        assert row is not None
        plan = f"{first}, {answer}; {death}, {then}"
        assert (len(world.slack.messages("ml")), row.state) == (1, outbox.SENT), plan


def test_there_are_enough_pairs() -> None:
    assert len(PAIRS) ** 2 >= 1_500


MUTANTS = {
    "resend on doubt": (
        "bot/flows/deliver_outbox.py",
        "    return delivery.find(services, effect)\n",
        "    return None\n",
        "dies while sending",
    ),
    "no quiet time": (
        "bot/wiring.py",
        "quiet=timedelta(seconds=settings.outbox.quiet_s)",
        "quiet=timedelta(0)",
        "lives",
    ),
    "the client's default retries": (
        "integrations/slack.py",
        "WebClient(base_url=api_url, timeout=int(timeout_s) or 1, retry_handlers=[])",
        "WebClient(base_url=api_url, timeout=int(timeout_s) or 1)",
        "lives",
    ),
    "no last look at the time": (
        "integrations/slack.py",
        "if until is not None and self._now() > until:",
        "if until is None:",
        "is paused before it sends",
    ),
    "mark before send": (
        "bot/flows/deliver_outbox.py",
        "    return delivery.send(services, effect)\n",
        "    with services.database.write() as connection:\n"
        "        outbox.settle(connection, effect, outbox.SENT)\n"
        "    return delivery.send(services, effect)\n",
        "dies while sending",
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_each_rule_left_out_is_noticed(name: str, tmp_path: Path) -> None:
    module, before, after, first = MUTANTS[name]
    folder = copy_project(tmp_path)
    text = (folder / module).read_text(encoding="utf-8")
    assert text.count(before) == 1, "the mutant no longer fits the module"
    (folder / module).write_text(text.replace(before, after), encoding="utf-8")
    chosen = f"tests/test_outbox_pairs.py::{test_one_message_arrives_once.__name__}[{first}]"
    command = [sys.executable, "-m", "pytest", "-q", "-x", chosen, "--show-capture=no", "-p", "no:cacheprovider"]
    env = {**os.environ, "PYTHONPATH": str(folder)}
    told = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert "AssertionError" in told.stdout, told.stdout[-2_000:]
