"""A person's rule on a metric: it fires once, says when it recovers, and takes silence for news.

It fires on the last of `needed` readings in a row beyond its bound, all of them newer than its last change; it recovers
at the first reading back at `recover` or better. What lies between the two bounds changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from backlog.errors import BacklogError
from backlog.metric import PROD

Point = tuple[datetime, float]
NEEDED = 3  # readings in a row, where nobody says otherwise
NEEDED_MOST = 50
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Side(StrEnum):
    """Which side of the bound is a breach."""

    BELOW = "below"
    ABOVE = "above"


class News(StrEnum):
    """What a watch has to say."""

    FIRED = "fired"
    RECOVERED = "recovered"
    SILENT = "silent"
    SPEAKS = "speaks again"


@dataclass(frozen=True, slots=True)
class Watch:
    """One rule on one metric of a goal in one environment. `since` is the time of the reading that last changed its
    state; only later ones count."""

    metric_id: int
    goal: str
    name: str
    environment: str
    side: Side
    bound: float
    needed: int
    recover: float
    made_by: str
    since: datetime
    fired: bool = False
    silent: bool = False
    number: int = 0

    def breaches(self, value: float) -> bool:
        """Whether a reading lies beyond the bound."""
        return value < self.bound if self.side is Side.BELOW else value > self.bound

    def is_back(self, value: float) -> bool:
        """Whether a reading is as good as it takes to recover."""
        return value >= self.recover if self.side is Side.BELOW else value <= self.recover

    @property
    def rule(self) -> str:
        """The rule in words."""
        return f"{self.name} ({self.goal}, {self.environment}) {self.side} {self.bound:g} for {self.needed}"


def check_watch(watch: Watch) -> Watch:
    """The watch, if it can work. Raises BacklogError for a count or a recovery that makes no sense."""
    if not 1 <= watch.needed <= NEEDED_MOST:
        raise BacklogError(f'"{watch.needed}" readings in a row cannot be waited for.', f"--for 1 to {NEEDED_MOST}")
    if watch.breaches(watch.recover):
        way = "at least" if watch.side is Side.BELOW else "at most"
        raise BacklogError(
            f"Recovering at {watch.recover:g} would still be {watch.side} {watch.bound:g}.",
            f"--recover {way} {watch.bound:g}",
        )
    return watch


def look(watch: Watch, points: Sequence[Point], now: datetime, silence: timedelta | None) -> tuple[Watch, list[News]]:
    """The watch after all there is to see, and its news in order. `points` are finite readings, oldest first; `silence`
    is how long the metric may be quiet, None where it has shown too little to tell."""
    news: list[News] = []
    run = 0  # breaches in a row
    for at, value in points:
        if at <= watch.since:
            continue
        run = run + 1 if watch.breaches(value) else 0
        if not watch.fired and run >= watch.needed:
            watch = replace(watch, fired=True, since=at)
            news.append(News.FIRED)
        elif watch.fired and watch.is_back(value):
            watch = replace(watch, fired=False, since=at)
            news.append(News.RECOVERED)
    quiet = bool(points) and silence is not None and now - points[-1][0] > silence
    if quiet != watch.silent:
        watch = replace(watch, silent=quiet)
        news.append(News.SILENT if quiet else News.SPEAKS)
    return watch, news


def begin(watch: Watch, points: Sequence[Point]) -> Watch:
    """The watch as it is made: a breach that is going on counts, one that is over does not."""
    past = [at for at, value in points if not watch.breaches(value)]
    return replace(watch, since=past[-1] if past else watch.since)


def worth_telling(news: Sequence[News]) -> list[News]:
    """The news without breaches that were over by the time anybody looked."""
    return [one for place, one in enumerate(news) if one is not News.FIRED or News.RECOVERED not in news[place:]]


def told(watch: Watch, news: News, points: Sequence[Point]) -> str:
    """The sentence for the channel; a breach in production comes with the experiment it proposes, which only a person
    makes."""
    where, latest = f"{watch.name} of {watch.goal} in {watch.environment}", points[-1]
    if news is News.SILENT:
        return f"{where} has been silent since {latest[0]:%d %b %H:%M} UTC, longer than ever. Is its source alive?"
    if news is News.SPEAKS:
        return f"{where} speaks again: {latest[1]:g} on {latest[0]:%d %b %H:%M} UTC."
    if news is News.RECOVERED:
        return f"{where} has recovered: {latest[1]:g}, back at {watch.recover:g}."
    values = ", ".join(f"{value:g}" for _, value in points[-watch.needed :])
    said = f"{where} is {watch.side} {watch.bound:g}, {watch.needed} readings in a row: {values}."
    return f"{said} {propose(watch.name, watch.goal)}" if watch.environment == PROD else said


def propose(metric: str, goal: str) -> str:
    """The experiment that a breach in production proposes; nobody but a person makes it."""
    title = f"Why did {metric} get worse in production?"
    return f'To find out why: /exp new "{title}" --goal {goal} --kind production-check'
