"""Job names and triggers: turns plans into schedules, and ticks. The only importer of APScheduler.

One beat asks what is due. A job per schedule would tick by the machine's clock, be lost when nobody
is awake, and need the same sweep besides.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.interval import IntervalTrigger

from backlog.cadence import MOST
from bot.flows.report_plans import load_plans, period_for
from bot.flows.run_due import Schedule
from bot.flows.services import ReportPlan, Services
from store.schedules import load_version

BEAT_S = 0.25  # how late a due time is noticed at most
THIN_EVERY = timedelta(days=1)  # how often readings grow old
CENSUS_EVERY = timedelta(days=1)  # how long a deleted issue may go unnoticed
GROUPS_EVERY = timedelta(minutes=5)  # how long a change of a user group takes to count here
TELL_EVERY = timedelta(seconds=30)  # how long news may lie, besides the burst they are part of
REMIND_EVERY = timedelta(minutes=15)  # how exactly a reminder's time is met
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def schedules_of(services: Services, sync_every: timedelta) -> list[Schedule]:
    """One schedule for each source, for Jira and for user groups where they are configured, for the appetites, for
    those who follow something where Slack is configured, and for each report, as of now: people add reports while
    this runs."""
    with services.database.read() as connection:
        plans = load_plans(connection, services)
    interval = partial(_interval, services.database.workspace)
    polls = [
        interval(f"poll:{plan.name}", "poll_source", plan.every, plan.name, source=plan.name)
        for plan in services.sources.values()
    ]
    census = interval("census:jira", "take_census", CENSUS_EVERY)
    hook = interval("webhook:jira", "keep_webhook", CENSUS_EVERY)
    syncs = [interval("sync:jira", "sync_backlog", sync_every), census, hook] if services.tracker else []
    thinning = interval("thin:readings", "thin_readings", THIN_EVERY, "thin")
    dropping = interval("drop:old", "drop_old", THIN_EVERY, "drop")
    appetites = interval("watch:appetites", "watch_appetites", timedelta(hours=1))
    risks = interval("watch:risks", "watch_risks", timedelta(hours=1))
    groups = [interval("roles:groups", "refresh_groups", GROUPS_EVERY)] if services.roles.groups else []
    told = [
        interval("tell:subscribers", "tell_subscribers", TELL_EVERY),
        interval("remind:people", "remind_people", REMIND_EVERY),
    ]
    return [
        *polls,
        *syncs,
        *groups,
        thinning,
        dropping,
        appetites,
        risks,
        *(told if services.messenger else ()),
        *(schedule for plan in plans for schedule in _report(plan)),
    ]


def schedules_version(services: Services) -> object:
    """Something that differs once people changed what recurs."""
    with services.database.read() as connection:
        return load_version(connection)


def jitter_of(name: str, every: timedelta) -> timedelta:
    """When within its interval something happens, so that not everything happens at once; by its name, for a drawn
    number would differ from process to process, and with it the due times."""
    return timedelta(seconds=zlib.crc32(name.encode()) % max(1, int(every.total_seconds())))


def _interval(workspace: str, name: str, task: str, every: timedelta, spread: str = "", **args: str) -> Schedule:
    # From a fixed start, so that every process agrees on the due times and their keys; in each workspace another one.
    by = f"{workspace}{spread or name}" if workspace or spread else ""
    jitter = jitter_of(by, every) if by else timedelta(0)
    trigger = IntervalTrigger(seconds=int(every.total_seconds()), start_date=EPOCH + jitter, timezone=UTC)
    return Schedule(name, task, args, _times(trigger), lambda at: at.astimezone(UTC).isoformat(), every, latest=True)


def _report(plan: ReportPlan) -> Iterator[Schedule]:
    key = f"{plan.name}-{plan.audience}" + (f"-{plan.number}" if plan.number else "")
    args = {"report": plan.name, "audience": plan.audience, "number": plan.number}
    # By local period: a clock that goes back repeats none.
    yield Schedule(
        f"report:{key}",
        "write_report",
        args,
        plan.schedule.times,
        lambda at: period_for(plan, at).key,
        plan.schedule.reach,
    )
    if plan.reviewer:
        yield _ahead(f"review:{key}", "ask_reviewer", args, plan)


def _ahead(name: str, task: str, args: Mapping[str, Any], plan: ReportPlan) -> Schedule:
    def times(after: datetime, until: datetime) -> list[datetime]:
        return [at - plan.preview for at in plan.schedule.times(after + plan.preview, until + plan.preview)]

    reach = plan.schedule.reach
    return Schedule(name, task, args, times, lambda at: period_for(plan, at + plan.preview).key, reach, latest=True)


def _times(trigger: BaseTrigger) -> Callable[[datetime, datetime], Sequence[datetime]]:
    def times(after: datetime, until: datetime) -> Sequence[datetime]:
        due: list[datetime] = []
        at = trigger.get_next_fire_time(None, after + timedelta(microseconds=1))
        while at is not None and at <= until and len(due) < MOST:
            due.append(at)
            at = trigger.get_next_fire_time(at, at + timedelta(microseconds=1))
        return due

    return times


def start_clock(tick: Callable[[], None], beat_s: float = BEAT_S) -> BackgroundScheduler:
    """Call `tick` at every beat in a thread of its own until `shutdown()`; ticks never overlap."""
    scheduler = BackgroundScheduler(timezone=UTC)
    scheduler.add_job(
        tick, IntervalTrigger(seconds=beat_s), id="tick", max_instances=1, coalesce=True, misfire_grace_time=None
    )
    scheduler.start()
    return scheduler
