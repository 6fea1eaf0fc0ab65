"""A day of a busy company in ten minutes: its curve of commands against one process, in bad weather."""

import hashlib
import hmac
import http.client
import math
import os
import random
import threading
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from sqlalchemy import select

from chaos.place import Place, Replica, next_minute, open_place
from chaos.storm import BAD, TIMEOUT_AND_MORE
from chaos.verdict import Verdict, wait_for
from sandbox.faults import Weather
from sandbox.serving import free_port
from store import tables
from store.database import open_unchanged

COMMANDS = 100_000  # in ten minutes
PEOPLE = 8  # at once
ACTS = 0.08  # of the commands; the others read
GROWTH_MAX_MB = 50.0
KEYS = 40
TYPISTS = 2_000  # each of whom stays within what one person may ask
READS = ("show EXP-{n}", "list", "mine", "find leakage", "list running", "show EXP-{n}", "health churn")


@dataclass
class Counted:
    """What the people typed and what they were told."""

    typed: int = 0
    acknowledged: set[str] = field(default_factory=set)
    failed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def live_a_day(folder: Path, seconds: int) -> list[Verdict]:
    """Type it all, and hold the acknowledged acts against the timelines."""
    wanted = COMMANDS * seconds // 600
    with open_place(folder, f"sqlite:///{folder}/scrumbut.db", [free_port()], next_minute(0), 0) as place:
        replica = place.replicas[0]
        replica.start()
        if not wait_for(replica.is_up, 60, lambda: None):
            raise RuntimeError(replica.log.read_text()[-2_000:])
        edge = place.edge(replica)
        for number in range(1, KEYS + 1):
            edge.command(f'new "Experiment {number} on leakage"')
        place.slack.faults = Weather(BAD, seconds=TIMEOUT_AND_MORE)
        counted, memory = Counted(), list[tuple[float, float]]()
        took = _type_all(place, replica, counted, wanted, seconds, memory)
        entries = _noted(place)
        grown = max(mb for at, mb in memory if at > 0.2) - next(mb for at, mb in memory if at >= 0.2)
    missing, more = counted.acknowledged - entries, entries - counted.acknowledged
    return [
        Verdict(f"at least {wanted:,} commands", f"{counted.typed:,} in {took:.0f} s", counted.typed >= wanted),
        Verdict("every command is answered", f"{counted.failed} were not", not counted.failed),
        Verdict(f"memory grows by at most {GROWTH_MAX_MB:g} MB", f"{grown:.1f} MB", grown <= GROWTH_MAX_MB),
        Verdict(
            "acts acknowledged equal entries in the timelines",
            f"{len(counted.acknowledged):,} and {len(entries):,}: {len(missing)} lost, {len(more)} unasked",
            not missing and not more,
        ),
    ]


def _type_all(
    place: Place, replica: Replica, counted: Counted, wanted: int, seconds: int, memory: list[tuple[float, float]]
) -> float:
    began = time.monotonic()
    due = _day(wanted, seconds)
    people = [
        threading.Thread(target=_person, args=(place, replica, counted, due[first::PEOPLE], began, first))
        for first in range(PEOPLE)
    ]
    for person in people:
        person.start()
    while any(person.is_alive() for person in people):
        memory.append((counted.typed / wanted, _megabytes(replica)))
        time.sleep(1)
    memory.append((1.0, _megabytes(replica)))
    return time.monotonic() - began


def _day(wanted: int, seconds: int) -> list[float]:
    """When each command is typed, in seconds from the start: a morning and an afternoon, and quiet nights."""
    weights = [
        0.15 + math.exp(-(((hour - 10) / 2) ** 2)) + 0.9 * math.exp(-(((hour - 15) / 2.2) ** 2)) for hour in range(24)
    ]
    times, hour_s = list[float](), seconds / 24
    for hour, weight in enumerate(weights):
        count = math.ceil(wanted * weight / sum(weights))
        times += [(hour + part / count) * hour_s for part in range(count)]
    return times


def _person(place: Place, replica: Replica, counted: Counted, due: list[float], began: float, first: int) -> None:
    dice = random.Random(first)
    connection = http.client.HTTPConnection("127.0.0.1", replica.port, timeout=30)
    for number, at in enumerate(due):
        time.sleep(max(0.0, began + at - time.monotonic()))
        n, said = dice.randint(1, KEYS), ""
        line = dice.choice(READS).format(n=n)
        if dice.random() < ACTS:
            said = f"seen-{first}-{number}"
            line = f"note EXP-{n} {said}"
        answer = _type(connection, place, line, f"{first}.{number}")
        with counted.lock:
            counted.typed += 1
            counted.failed += answer is None
            if said and answer is not None and "noted" in answer.lower():
                counted.acknowledged.add(said)


def _type(connection: http.client.HTTPConnection, place: Place, line: str, trigger: str) -> str | None:
    who = f"U{zlib.crc32(trigger.encode()) % TYPISTS:07d}"
    fields = {
        "command": "/exp", "text": line, "user_id": who, "user_name": who.lower(), "team_id": place.slack.team,
        "channel_id": "C0ML", "channel_name": "ml", "trigger_id": trigger,
        "response_url": place.slack_url + place.slack.response_path("U0ANA", "C0ML"),
    }  # fmt: skip
    body, now = urlencode(fields).encode(), str(int(time.time()))
    signed = hmac.new(place.slack.signing_secret.encode(), b"v0:" + now.encode() + b":" + body, hashlib.sha256)
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": now,
        "x-slack-signature": f"v0={signed.hexdigest()}",
    }
    try:
        connection.request("POST", "/slack/events", body, headers)
        answer = connection.getresponse()
        said = answer.read().decode()
    except (OSError, http.client.HTTPException):
        connection.close()
        return None
    return said if answer.status == 200 else None


def _noted(place: Place) -> set[str]:
    database = open_unchanged(place.database)
    with database.read() as connection:
        texts = connection.scalars(select(tables.timeline.c.text).where(tables.timeline.c.act == "noted"))
        found = {str(text) for text in texts}
    database.close()
    return found


def _megabytes(replica: Replica) -> float:
    assert replica.process is not None
    pages = int(Path(f"/proc/{replica.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
