"""Reads a source's metrics into readings. One broken source stops nothing, nor does one broken metric; what is wrong is
kept to be seen."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from backlog.cadence import read_span
from backlog.metric import Metric, Reading
from bot.flows.renew_cards import order_progress
from bot.flows.services import Services, SourcePlan
from bot.flows.settle_worths import settle_worths
from bot.flows.watch_metrics import watch_metrics
from integrations.http import IntegrationError
from integrations.sources.source import Found
from store.experiments import numbers_by_key
from store.metrics import Saved, load_metrics, mark_polled, poll_starts, save_found, save_source_state

OVERLAP = timedelta(minutes=10)  # trackers write late and their clocks differ from ours
PART = 5_000  # readings a transaction
AHEAD = timedelta(days=1)  # how far a source's clock may go before ours

Part = list[tuple[Metric, Sequence[Reading]]]


@dataclass(frozen=True, slots=True)
class Polled:
    """What one poll of a source did; `error` is empty where it worked. `late` readings came from times that are kept by
    the hour or day, and counted for the extremes there. `busy`: it was being polled already, and nothing was done."""

    source: str
    metrics: int
    readings: int
    error: str = ""
    busy: bool = False
    late: int = 0


def poll_source(services: Services, plan: SourcePlan, all_due: bool = False) -> Polled:
    """Read what may be new of the source's metrics that are due, together where they were last read together."""
    if not plan.busy.acquire(blocking=False):
        return Polled(plan.name, 0, 0, busy=True)
    try:
        polled = _poll_source(services, plan, all_due)
    finally:
        plan.busy.release()
    settle_worths(services, plan.name)
    watch_metrics(services, plan.name)
    return polled


def _poll_source(services: Services, plan: SourcePlan, all_due: bool) -> Polled:
    groups = due_groups(services, plan, all_due)
    count, new, late, errors = sum(len(metrics) for _, metrics in groups), 0, 0, list[str]()
    try:
        for since, metrics in groups:
            saved, wrong = _poll(services, plan, metrics, since)
            new, late = new + saved.new, late + saved.late
            errors += wrong
    except IntegrationError as error:
        errors.append(str(error))
    with services.database.write() as connection:
        save_source_state(connection, plan.name, None if errors else services.now(), _summary(errors))
    return Polled(plan.name, count, new, _summary(errors), late=late)


def _summary(errors: Sequence[str]) -> str:
    return f"{errors[0]} And {len(errors) - 1} more." if len(errors) > 1 else "".join(errors)


def due_groups(services: Services, plan: SourcePlan, all_due: bool) -> list[tuple[datetime | None, list[Metric]]]:
    """(from when to read, those metrics): metrics never read need everything, the others go on where they ended."""
    with services.database.read() as connection:
        metrics = load_metrics(connection, source=plan.name)
        starts = poll_starts(connection, plan.name)
    groups: dict[datetime | None, list[Metric]] = defaultdict(list)
    for metric in metrics:
        start = starts.get(metric.id)
        if start is None or all_due or _is_due(metric, start, plan, services.now()):
            groups[start].append(metric)
    return [(start - OVERLAP if start else None, group) for start, group in groups.items()]


def _is_due(metric: Metric, start: datetime, plan: SourcePlan, now: datetime) -> bool:
    """A metric may be read less often than its source; the source's tick nearest to its time counts."""
    return not metric.every or now - start >= read_span(metric.every) - plan.every / 2


def _poll(
    services: Services, plan: SourcePlan, metrics: Sequence[Metric], since: datetime | None
) -> tuple[Saved, list[str]]:
    """What was saved, and what is wrong with single metrics; those are read from `since` again."""
    started, new, late, wrong = services.now(), 0, 0, dict[int, str]()
    believable = _believed(plan.source.fetch(metrics, since), services.now() + AHEAD, wrong)
    for part in _parts(believable):
        saved = _save(services, part)
        new, late = new + saved.new, late + saved.late
    with services.database.write() as connection:
        mark_polled(connection, [m for m in metrics if m.id not in wrong], services.now(), started)
    return Saved(new, late), list(wrong.values())


def _believed(
    found: Iterable[Found], latest: datetime, wrong: dict[int, str]
) -> Iterator[tuple[Metric, list[Reading]]]:
    """The readings that may be true; what is wrong with a metric goes into `wrong`."""
    for metric, readings in found:
        if isinstance(readings, IntegrationError):
            wrong[metric.id] = f"{metric.name} ({metric.environment}) from {readings}"
            continue
        past = [reading for reading in readings if reading.at <= latest]
        if len(past) < len(readings):
            ahead = max(reading.at for reading in readings)
            what = f"{metric.name} ({metric.environment}) from {metric.source}: a reading of {ahead:%Y-%m-%d %H:%M} UTC"
            wrong[metric.id] = f"{what} is in the future, and was left out. Mend the clock that wrote it."
        yield metric, past


def _parts(found: Iterable[tuple[Metric, list[Reading]]]) -> Iterator[Part]:
    """A long history is stored in short transactions, so that people's commands need not wait for its end."""
    part, held = Part(), 0
    for metric, readings in found:
        for start in range(0, len(readings), PART):
            piece = readings[start : start + PART]
            if held + len(piece) > PART:
                yield part
                part, held = Part(), 0
            part.append((metric, piece))
            held += len(piece)
    if part:
        yield part


def _save(services: Services, part: Part) -> Saved:
    with services.database.write() as connection:
        tags = {reading.experiment for _, readings in part for reading in readings}
        saved = save_found(connection, part, numbers_by_key(connection, tags))
        order_progress(connection, services, saved.news)
    return saved
