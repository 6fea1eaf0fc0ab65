"""Kill -9 between any two steps of a command: afterwards the act is wholly there, or it was never acknowledged."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from sqlalchemy import Engine, event, select

from bot.flows.services import Services
from bot.slack.app import open_app
from bot.slack.endpoint import SlackEndpoint
from bot.web import open_web
from bot.wiring import open_services
from sandbox import slack_payloads as payloads
from sandbox.slack_edge import FORM, sign
from store import tables
from store.database import open_database
from tests.conftest import World
from tests.in_process import InProcess

ACT = (tables.goal, tables.experiment, tables.timeline, tables.task, tables.subscription, tables.outbox)
OWN = {"key", "id"}  # of a row, made at random or counted
STEPS_MAX = 400  # far more than any command has


def command(text: str) -> dict[str, str]:
    return {
        "command": "/exp", "text": text, "user_id": "U0ANA", "user_name": "ana", "team_id": "T0SANDBOX",
        "channel_id": "C0ML", "trigger_id": "1.2.3", "response_url": "http://127.0.0.1:9/commands/none",
    }  # fmt: skip


def click(line: str) -> dict[str, str]:
    action = {"type": "button", "action_id": "line:0", "block_id": "b", "value": line, "action_ts": "1.1"}
    payload = payloads.envelope("block_actions", "T0SANDBOX", "U0ANA", "ana") | {
        "trigger_id": "1.2.3", "actions": [action], "channel": {"id": "C0ML"}, "container": {"type": "message"},
        "response_url": "http://127.0.0.1:9/commands/none",
    }  # fmt: skip
    return {"payload": json.dumps(payload)}


ASKED = {
    "a new experiment": command('new "Focal loss raises recall"'),
    "a block": command("block EXP-1 labels are late"),
    "a subscription": command("subscribe everything decisions"),
    "a slow verb": command("sync"),
    "a click": click("note EXP-1 leakage in fold 3"),
}


def rows(path: Path) -> dict[str, list[dict[str, Any]]]:
    """What an act leaves, without what is made at random; what one person is answered is not part of it."""
    database = open_database(f"sqlite:///{path}")
    with database.read() as connection:
        found = {table.name: [dict(row) for row in connection.execute(select(table)).mappings()] for table in ACT}
    database.close()
    found["outbox"] = [row for row in found["outbox"] if row["kind"] != "slack.respond"]
    return {name: [{k: v for k, v in row.items() if k not in OWN} for row in table] for name, table in found.items()}


def die_at(step: int) -> Callable[..., None]:
    """A listener that counts, and is killed at that call: no handler, no rollback, nothing flushed."""
    left = step

    def count(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return count


def handle(world: World, path: Path, fields: dict[str, str], step: int) -> tuple[bool, bool]:
    """Let a process of its own answer the request and be killed at that step of its work with the database. Returns
    whether it was killed, and whether it had acknowledged."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # nothing of pytest may run here, whatever happens
        try:
            _answer(world, path, fields, step, writing)
        finally:
            os._exit(0)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    acked = os.read(reading, 10)
    os.close(reading)
    assert acked in (b"", b"200"), acked
    return os.WIFSIGNALED(status), acked == b"200"


def _answer(world: World, path: Path, fields: dict[str, str], step: int, writing: int) -> None:
    settings = world.settings.model_copy(
        update={"database": world.settings.database.model_copy(update={"url": f"sqlite:///{path}"})}
    )
    services: Services = open_services(settings, world.clock)
    secret = settings.slack.signing_secret.get_secret_value()
    web = open_web(services, SlackEndpoint(open_app(settings.slack, services), secret).receive)
    if step:
        count = die_at(step)
        for moment in ("after_cursor_execute", "commit"):
            event.listen(Engine, moment, count)
        event.listen(services.database._engine.pool, "checkin", count)  # committed, and not yet acknowledged
    body = urlencode(fields).encode()
    headers = sign(secret, body, time.time()) | {"content-type": FORM}
    request = requests.Request("POST", "http://scrumbut/slack/events", headers=headers, data=body).prepare()
    answer = InProcess(web).send(request)
    os.write(writing, str(answer.status_code).encode())


@pytest.mark.parametrize("what", list(ASKED))
def test_kill_9_at_every_step_leaves_all_or_nothing(world: World, tmp_path: Path, what: str) -> None:
    world.type('new "Char-level tokens raise recall"')
    world.services.database.close()
    stored, path = tmp_path / "scrumbut.db", tmp_path / "killed.db"
    fields = ASKED[what]
    before = rows(stored)
    assert handle(world, copy(stored, path), fields, 0) == (False, True)
    after = rows(path)
    assert after != before
    states: list[dict[str, list[dict[str, Any]]]] = []
    for step in range(1, STEPS_MAX):
        killed, acked = handle(world, copy(stored, path), fields, step)
        if not killed:
            break
        left = rows(path)
        assert left in (before, after), f"half an act after step {step}"
        assert left == after or not acked, f"acknowledged and lost at step {step}"
        if left not in states[-1:]:  # the first kill on either side of the commit
            assert handle(world, path, fields, 0) == (False, True)
            assert rows(path) == after, f"the second delivery after step {step} did not bring it to its end, once"
        states.append(left)
    assert len(states) > 5
    assert (states[0], states[-1]) == (before, after), "it was killed on both sides of the commit"


def copy(stored: Path, path: Path) -> Path:
    """A fresh copy of a closed database."""
    for old in path.parent.glob(f"{path.name}*"):
        old.unlink()
    shutil.copy(stored, path)
    return path
