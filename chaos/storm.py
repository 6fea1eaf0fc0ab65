"""What is done to the processes, and what people do meanwhile."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx2

from chaos.place import STALL_S, Place, Replica
from sandbox.faults import Weather

BAD = 0.30  # of the answers to what is sent
PAUSE_S = STALL_S * 1.6
BEAT_S = 0.25
NOTES_EVERY_S = 3.0


@dataclass
class Driver:
    """People who write notes: what was acknowledged, and what they do not know of."""

    place: Place
    acknowledged: set[str] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)

    def note(self, replica: Replica, number: int, experiment: str) -> None:
        """Type one note, to whichever process answers; nobody types it again."""
        said = f"seen {number:05d}"
        try:
            ack = self.place.edge(replica).command(f"note {experiment} {said}")
        except (httpx2.TransportError, OSError):
            self.doubtful.add(said)
            return
        known = ack.status == 200 and "noted" in str(ack.body).lower()
        (self.acknowledged if known else self.doubtful).add(said)


@dataclass
class Storm:
    """Counts what it did."""

    place: Place
    seconds: float
    every_s: float
    pauses: float  # of all blows; the others kill
    restart_database: Callable[[], None] | None
    kills: int = 0
    stops: int = 0
    dice: random.Random = field(default_factory=lambda: random.Random(8))

    def run(self, driver: Driver, experiments: list[str]) -> None:
        """Strike every few seconds for as long as it lasts, while people go on writing."""
        self.place.slack.faults = Weather(BAD, seconds=TIMEOUT_AND_MORE)
        self.place.jira.faults = Weather(BAD / 2, seconds=TIMEOUT_AND_MORE)
        began = time.monotonic()
        strike_at, note_at, number = began + self.every_s, began, 0
        restart_at = began + self.seconds / 2 if self.restart_database else float("inf")
        while (now := time.monotonic()) < began + self.seconds:
            for replica in self.place.replicas:
                replica.tend()
            if now >= strike_at:
                strike_at = now + self.every_s
                self._strike()
            if now >= restart_at and self.restart_database:
                restart_at = float("inf")
                self.restart_database()
            if now >= note_at:
                note_at = now + NOTES_EVERY_S
                up = [replica for replica in self.place.replicas if replica.is_up()]
                if up:
                    number += 1
                    driver.note(self.dice.choice(up), number, self.dice.choice(experiments))
            time.sleep(BEAT_S)

    def _strike(self) -> None:
        standing = [replica for replica in self.place.replicas if replica.is_up()]
        if not standing:
            return
        replica = self.dice.choice(standing)
        if self.dice.random() < self.pauses:
            self.stops += 1
            replica.pause(PAUSE_S)
        else:
            self.kills += 1
            replica.kill()


TIMEOUT_AND_MORE = 3.0  # how long Slack thinks about what it has taken in already
