"""A report arrives exactly once, wherever the process dies and whatever Slack answers; Slack's own log is the judge."""

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from sandbox.serving import free_port, serving
from sandbox.slack import SlackSandbox
from tests.conftest import World
from tests.crashing import CHILDREN, run_process

CONFIG = """
[slack]
bot_token = "xoxb-sandbox"
signing_secret = "0123456789abcdef0123456789abcdef"
api_url = "{slack}/api/"
channel = "#ml"
[database]
url = "sqlite:///{folder}/scrumbut.db"
[[reports]]
schedule = "mon 09:00 Europe/Berlin"
[outbox]
timeout_s = 2
quiet_s = 1
"""
BEFORE = datetime(2026, 11, 23, 7, 59, 59, tzinfo=UTC)
DUE = BEFORE + timedelta(seconds=3)
BAD = ("503", "html", "reset_before", "reset_after")
MESSAGES = 4  # the report's head and the three answers in its thread


@dataclass
class Place:
    """A configuration and its database on disk as they were a second before the report is due."""

    slack: SlackSandbox
    config: Path

    def back_to_before(self) -> None:
        """The same moment again, with an empty channel."""
        self.slack.messages("ml").clear()
        for path in self.config.parent.glob("scrumbut.db*"):
            path.unlink()
        shutil.copy(self.config.parent / "before.db", self.config.parent / "scrumbut.db")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    slack = SlackSandbox(now=lambda: DUE.timestamp())  # its clock and ours must agree, whatever day it is
    with serving(slack.app) as url:
        config = tmp_path / "config.toml"
        config.write_text(CONFIG.format(slack=url, folder=tmp_path))
        assert not run_process(config, BEFORE)
        shutil.copy(tmp_path / "scrumbut.db", tmp_path / "before.db")
        yield Place(slack, config)


def posts(slack: SlackSandbox) -> list[str]:
    return [message["text"] for message in slack.messages("ml")]


def test_a_process_that_dies_between_any_two_effects_leaves_one_report(place: Place) -> None:
    deaths = 0
    while True:
        place.back_to_before()
        died = run_process(place.config, DUE, dies_at=deaths)
        assert run_process(place.config, DUE + timedelta(minutes=30)) is False
        said = posts(place.slack)
        assert (len(said), len(set(said))) == (MESSAGES, MESSAGES), f"died at effect {deaths}: {said}"
        if not died:
            break
        deaths += 1
    assert deaths > 2 * MESSAGES, "every message has a moment before it leaves and one after"


class Mailbox:
    """A server on loopback that takes everything."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's
        assert isinstance(envelope.content, bytes)
        self.ids.append(str(message_from_bytes(envelope.content)["Message-ID"]))
        return "250 taken"


def test_a_letter_arrives_with_one_message_id_wherever_the_process_dies(place: Place) -> None:
    mailbox = Mailbox()
    server = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    mail = f'emails = ["ana@example.com"]\n[mail]\nhost = "127.0.0.1"\nport = {server.port}\nfrom = "bot@example.com"\n'
    place.config.write_text(place.config.read_text().replace("[outbox]", mail + "[outbox]"))
    server.start()
    deaths, copies = 0, 0
    while True:
        place.back_to_before()
        mailbox.ids.clear()
        died = run_process(place.config, DUE, dies_at=deaths)
        assert run_process(place.config, DUE + timedelta(minutes=30)) is False
        assert len(set(mailbox.ids)) == 1, f"died at effect {deaths}"
        assert len(posts(place.slack)) == MESSAGES
        copies = max(copies, len(mailbox.ids))
        if not died:
            break
        deaths += 1
    server.stop()
    assert copies == 2, "in doubt the same letter goes again"


def test_a_process_that_dies_again_and_again_leaves_one_report(place: Place) -> None:
    now, lives, dice = DUE, 0, random.Random(7)
    while run_process(place.config, now, dies_at=dice.randrange(2, 6)):
        now, lives = now + timedelta(minutes=20), lives + 1
        assert lives < 60
    assert lives > 3
    said = posts(place.slack)
    assert (len(said), len(set(said))) == (MESSAGES, MESSAGES)


def test_two_processes_at_once_leave_one_report(place: Place) -> None:
    for _ in range(2):
        place.back_to_before()
        twins = [CHILDREN.Process(target=_live, args=(place.config, DUE)) for _ in range(2)]
        for twin in twins:
            twin.start()
        for twin in twins:
            twin.join(60)
        assert [twin.exitcode for twin in twins] == [0, 0]
        said = posts(place.slack)
        assert (len(said), len(set(said))) == (MESSAGES, MESSAGES)


def _live(config: Path, now: datetime) -> None:
    from tests.crashing import live

    live(config, now, None, real_time=True)


def test_whatever_slack_answers_to_any_message_each_week_has_one_report(world: World) -> None:
    world.settle()
    world.clock.at = datetime(2026, 11, 30, 8, 59, tzinfo=UTC)
    weeks = 0
    for nth in range(MESSAGES):
        for kind in BAD:
            world.settle()
            before = len(world.channel())
            world.slack.faults.clear()
            world.clock.forward(minutes=2)
            world.slack.faults.add("chat.postMessage", kind, skip=nth)
            world.settle()
            assert len(world.channel()) - before == MESSAGES, f"{kind} at message {nth}"
            weeks += 1
            world.clock.forward(days=7)
            world.clock.at = world.clock.at.replace(hour=8, minute=59)
    heads = [text.splitlines()[0] for text in world.channel() if text.startswith("Weekly report")]
    assert len(heads) == len(set(heads)) == weeks
