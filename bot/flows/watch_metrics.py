"""Watches: make and end them, and after every poll see which fired, recovered or fell silent."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection

from backlog.cadence import read_span
from backlog.drift import GAPS_KEPT, stale_after
from backlog.errors import BacklogError, NotFound
from backlog.metric import Metric
from backlog.watch import News, Point, Watch, begin, check_watch, look, told, worth_telling
from bot.flows.announce import post
from bot.flows.report_plans import is_on
from bot.flows.services import Caller, Services, acting
from store.metrics import load_metrics, load_points
from store.schedules import ALL_POSTS, load_pauses
from store.watches import delete_watches, keep_state, load_watches, save_watch

SEEN = GAPS_KEPT + 1  # latest readings a look takes in


def watch_metric(services: Services, caller: Caller, metric: Metric, wanted: Watch) -> Watch:
    """Watch a metric by a person's rule; the same metric and side again changes the rule and starts afresh."""
    checked = check_watch(wanted)
    with acting(services, caller, "watch a metric") as connection:
        return save_watch(connection, begin(checked, load_points(connection, metric, None, SEEN)))


def find_metric(services: Services, name: str, goal: str, environment: str) -> Metric:
    """The one metric that is meant. Raises NotFound, or BacklogError where it could be several."""
    with services.database.read() as connection:
        metrics = load_metrics(connection, name=name, goal=goal)
    named = [m for m in metrics if environment in ("", m.environment)]
    if not named:
        raise NotFound(f'There is no metric "{name[:60]}" there.', f"/exp metric add {name[:60]} --goal GOAL …")
    if len(named) > 1:
        known = ", ".join(f"--goal {m.goal} --env {m.environment}" for m in named)
        raise BacklogError(f'"{name[:60]}" is read in {len(named)} places.', f"Say which: {known}")
    return named[0]


def unwatch_metric(services: Services, caller: Caller, metric: Metric) -> int:
    """End all watches of a metric; returns how many there were. Raises NotFound where there was none."""
    with acting(services, caller, "end a watch") as connection:
        watches = load_watches(connection, [metric.id])
        if not watches:
            raise NotFound(f"Nothing watches {metric.name} of {metric.goal} in {metric.environment}.", "/exp watch")
        delete_watches(connection, [watch.number for watch in watches])
    return len(watches)


def list_watches(services: Services) -> list[Watch]:
    """All watches, oldest first."""
    with services.database.read() as connection:
        return load_watches(connection)


def watch_metrics(services: Services, source: str = "") -> int:
    """Look at every watch, or at those of one source; returns how many had news. Looking twice tells nothing twice."""
    with services.database.read() as connection:
        metrics = {metric.id: metric for metric in load_metrics(connection, source=source)}
        watches = load_watches(connection, list(metrics))
        due = [watch for watch in watches if _look(connection, services, metrics[watch.metric_id], watch)[1]]
    return sum(_tell(services, metrics[watch.metric_id]) for watch in due)


def _look(
    connection: Connection, services: Services, metric: Metric, watch: Watch
) -> tuple[Watch, list[News], Sequence[Point]]:
    points = load_points(connection, metric, None, SEEN)
    after, news = look(watch, points, services.now(), _silence(metric, points))
    return after, news, points


def _silence(metric: Metric, points: Sequence[Point]) -> timedelta | None:
    cadence = read_span(metric.every) if metric.every else None
    return stale_after([at for at, _ in points], cadence)


def _tell(services: Services, metric: Metric) -> bool:
    """Remember and tell the news in one transaction, as it is by then: another worker may have told it."""
    said = False
    with services.database.write() as connection:
        for watch in load_watches(connection, [metric.id]):
            after, news, points = _look(connection, services, metric, watch)
            said |= bool(news)
            if news:
                keep_state(connection, after)
            for one in worth_telling(news):
                say(connection, services, f"slack:watch:{watch.number}", told(after, one, points))
    return said


def say(connection: Connection, services: Services, target: str, text: str) -> None:
    """Tell the channel, unless there is none or the bot's own posts are paused."""
    pauses = load_pauses(connection)
    paused = ALL_POSTS in pauses and is_on(pauses[ALL_POSTS], services.now().date().isoformat())
    if services.channel and not paused:
        post(connection, services, target, text)
