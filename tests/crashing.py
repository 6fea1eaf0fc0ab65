"""A process of its own that does what is due and delivers it, and dies at its n-th effect: right
before a commit, right before a request leaves, or right after one was answered. No clean-up runs, as with kill -9."""

import multiprocessing
import os
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from bot.config import load_settings
from bot.flows.run_due import Schedule
from bot.flows.services import Services
from bot.schedule import schedules_of
from bot.wiring import open_services
from bot.work import run_until_settled
from tests.conftest import TestClock

DIED = 9
CHILDREN = multiprocessing.get_context("forkserver")
CHILDREN.set_forkserver_preload(["tests.crashing"])


class Fate:
    """Counts effects down and ends the process."""

    def __init__(self, effects: int | None) -> None:
        self._left = effects

    def step(self, *_: Any) -> None:
        """One more effect is about to happen."""
        if self._left is not None:
            if self._left == 0:
                os._exit(DIED)
            self._left -= 1


class Mortal:
    """A client whose process may die before a call leaves and after it was answered."""

    def __init__(self, client: Any, fate: Fate) -> None:
        self._client, self._fate = client, fate

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        if not callable(call):
            return call

        def mortal(*args: Any, **kwargs: Any) -> Any:
            self._fate.step()
            try:
                return call(*args, **kwargs)
            finally:
                self._fate.step()

        return mortal


REPORTS = ("report:", "review:")  # what goes out by itself


def chosen(services: Services, names: tuple[str, ...] = REPORTS) -> list[Schedule]:
    """The schedules whose names begin so, and nothing else that recurs."""
    return [s for s in schedules_of(services, timedelta(minutes=10)) if s.name.startswith(names)]


def live(
    config: Path, now: datetime, dies_at: int | None, real_time: bool = False, names: tuple[str, ...] = REPORTS
) -> None:
    """Do what is due by `now` of the schedules whose names begin so, with a clock that only waiting moves; in real time
    it runs on by itself."""
    fate, start = Fate(dies_at), time.monotonic()
    clock = TestClock(now)
    running = lambda: now + timedelta(seconds=time.monotonic() - start)  # noqa: E731
    services = open_services(load_settings(config), running if real_time else clock)
    mailer = Mortal(services.mailer, fate) if services.mailer else None
    tracker = Mortal(services.tracker, fate) if services.tracker else None
    messenger = Mortal(services.messenger, fate) if services.messenger else None
    services = replace(services, messenger=messenger, mailer=mailer, tracker=tracker)
    schedules = chosen(services, names)
    event.listen(Engine, "commit", fate.step)
    # In real time a twin may finish what this one waits for long before it would be taken over.
    wait = (lambda _: time.sleep(0.1)) if real_time else lambda seconds: clock.forward(seconds=seconds)
    run_until_settled(services, schedules, wait=wait)
    services.database.close()


def run_process(config: Path, now: datetime, dies_at: int | None = None, names: tuple[str, ...] = REPORTS) -> bool:
    """Live once in a process of its own; whether it died."""
    child = CHILDREN.Process(target=live, args=(config, now, dies_at, False, names))
    child.start()
    child.join(60)
    assert child.exitcode in (0, DIED), child.exitcode
    return child.exitcode == DIED
