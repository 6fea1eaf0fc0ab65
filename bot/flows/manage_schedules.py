"""Schedules of reports made in the chat: add or change, remove, pause, resume, list with their next times."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from backlog.address import check_address
from backlog.cadence import Cadence
from backlog.errors import BacklogError, NotFound
from bot.flows.report_plans import check_rhythm, is_on, load_plans, why_paused
from bot.flows.services import Caller, ReportPlan, Services, acting
from bot.roles import Role
from store.addresses import left_out
from store.schedules import (
    ALL_POSTS,
    ALL_REPORTS,
    StoredSchedule,
    drop_pauses,
    load_pauses,
    remove_schedule,
    save_pause,
    save_schedule,
)

ACT = "change schedules"
AUDIENCE = re.compile(r"[a-z][a-z0-9-]{0,39}")  # part of a report's id and address
PLACE = re.compile(r"#?[\w.-]{1,79}|")  # a channel's name, or an id


@dataclass(frozen=True, slots=True)
class Shown:
    """A plan with its next times, and why it is paused, empty where it is not."""

    plan: ReportPlan
    next_times: Sequence[datetime]
    paused: str


def add_schedule(
    services: Services,
    caller: Caller,
    report: str,
    audience: str,
    cadence: Cadence,
    channel: str,
    emails: Sequence[str] = (),
    reviewer: str = "",
    preview_hours: int = 4,
) -> Shown:
    """Schedule a report, or change the schedule of that report, audience and channel. Without a channel and without
    addresses it goes to the configured channel."""
    check_rhythm(report, cadence)
    if not AUDIENCE.fullmatch(audience):
        raise BacklogError(f'"{audience[:60]}" is no audience.', "Use small letters, digits, hyphens: --audience team")
    if not PLACE.fullmatch(channel):
        raise BacklogError(f'"{channel[:60]}" is no channel.', f"Write it as /exp schedule {report} {cadence} #ml")
    place = channel or ("" if emails else services.channel)
    if not place and not emails:
        raise BacklogError("Nobody would get it.", f"Name a channel: /exp schedule {report} {cadence} #ml")
    wanted = StoredSchedule(
        0, report, audience, str(cadence), place, tuple(map(check_address, emails)), reviewer, preview_hours
    )
    if emails and services.mailer is None:
        raise BacklogError("Mail is not configured.", "Set [mail] host and from in config.toml.")
    with acting(services, caller, ACT, Role.ADMIN) as connection:
        number = save_schedule(connection, wanted, caller.id, services.now())
        return _shown(connection, services, _find(connection, services, str(number)))


def drop_schedule(services: Services, caller: Caller, key: str) -> ReportPlan:
    """Remove a schedule that was made in the chat."""
    with acting(services, caller, ACT, Role.ADMIN) as connection:
        plan = _find(connection, services, key)
        if not plan.number:
            raise BacklogError(
                f'"{plan.key}" is set in config.toml.',
                f"Take it out of [[reports]] there, or /exp schedule pause {key}",
            )
        remove_schedule(connection, plan.number)
        drop_pauses(connection, [plan.key])
    return plan


def pause_reports(services: Services, caller: Caller, what: str, until: str) -> str:
    """Pause one schedule, "reports" for every one, or "posts" for all the bot says by itself. Returns its name."""
    if until and not is_on(until, services.now().date().isoformat()):
        raise BacklogError(f"{until} is not ahead.", "Name a later day: /exp schedule pause until 2026-12-28")
    with acting(services, caller, ACT, Role.ADMIN) as connection:
        name = what if what in (ALL_POSTS, ALL_REPORTS) else _find(connection, services, what).key
        save_pause(connection, name, until, caller.id, services.now())
    return name


def resume_reports(services: Services, caller: Caller, what: str = "") -> list[str]:
    """End one pause, or every one where none is named. What was due meanwhile is not made up for."""
    with acting(services, caller, ACT, Role.ADMIN) as connection:
        names = [what] if what in (ALL_POSTS, ALL_REPORTS) else [_find(connection, services, what).key] if what else []
        return drop_pauses(connection, names or [*load_pauses(connection)])


def left_out_addresses(services: Services) -> list[str]:
    """Which addresses get no mail or did not take it, in words."""
    with services.database.read() as connection:
        known = left_out(connection)
    return [
        f"{address}  left {left_at.day} {left_at:%b %Y}" if left_at else f"{address}  refused {at:%d %b %Y}: {reason}"
        for address, left_at, at, reason in known
    ]


def list_schedules(services: Services) -> tuple[list[Shown], Mapping[str, str]]:
    """Every plan with its next times, and what is paused until when."""
    with services.database.read() as connection:
        plans = load_plans(connection, services)
        return [_shown(connection, services, plan) for plan in plans], load_pauses(connection)


def _shown(connection: Connection, services: Services, plan: ReportPlan) -> Shown:
    times = plan.schedule.next_times(services.now())
    return Shown(plan, times, why_paused(connection, plan, times[0]))


def _find(connection: Connection, services: Services, key: str) -> ReportPlan:
    plans = load_plans(connection, services)
    for plan in plans:
        if key.lstrip("#") == plan.key:
            return plan
    known = ", ".join(plan.key for plan in plans)
    raise NotFound(f'There is no schedule "{key[:60]}".', f"Schedules: {known}. See /exp schedule list.")
