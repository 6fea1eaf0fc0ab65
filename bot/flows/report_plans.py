"""Which reports go out when, to whom and where: those of [[reports]] and those that people scheduled in the chat."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from backlog.cadence import Cadence, Every, read_cadence
from backlog.errors import BacklogError
from backlog.snapshot import Period
from backlog.week import period_of
from bot.flows.services import ReportPlan, Services
from reports import contents
from store.schedules import ALL_POSTS, ALL_REPORTS, StoredSchedule, load_pauses, load_schedules

# The periods that each report can speak of.
REPORTS: Mapping[str, frozenset[Every]] = {name: kind.periods for name, kind in contents.REPORTS.items()}


def check_rhythm(report: str, cadence: Cadence) -> None:
    """Raise BacklogError where there is no such report, or not for such a period."""
    if report not in REPORTS:
        raise BacklogError(f'There is no report "{report[:60]}".', f"Reports: {', '.join(sorted(REPORTS))}.")
    if cadence.every not in REPORTS[report]:
        each = " or ".join(sorted(REPORTS[report]))
        raise BacklogError(f'The {report} report speaks of a {each}; "{cadence}" is another rhythm.')


def load_plans(connection: Connection, services: Services) -> list[ReportPlan]:
    """Every plan with its place, those of the configuration first."""
    configured = [replace(plan, channel=plan.channel or services.channel) for plan in services.reports]
    return [*configured, *(_plan(stored, configured) for stored in load_schedules(connection))]


def _plan(stored: StoredSchedule, configured: list[ReportPlan]) -> ReportPlan:
    templates = next((plan.templates for plan in configured if plan.name == stored.report), None)
    same = (plan for plan in configured if (plan.name, plan.audience) == (stored.report, stored.audience))
    return ReportPlan(
        stored.report,
        stored.audience,
        read_cadence(stored.cadence),
        stored.channel,
        templates,
        stored.emails,
        stored.reviewer,
        timedelta(hours=stored.preview_hours),
        stored.number,
        next((plan.team for plan in same), None),
    )


def find_plan(services: Services, name: str, audience: str = "", number: int | None = None) -> ReportPlan:
    """The first plan of that report, audience and number, each where it is given. Raises BacklogError naming those
    there are."""
    with services.database.read() as connection:
        plans = load_plans(connection, services)
    for plan in plans:
        if plan.name == name and audience in ("", plan.audience) and number in (None, plan.number):
            return plan
    known = ", ".join(dict.fromkeys(f"{p.name} ({p.audience})" for p in plans)) or "none"
    raise BacklogError(
        f'There is no report "{name[:60]}"{f" for {audience[:60]}" if audience else ""}. There are: {known}.',
        f"/exp schedule {name[:60]} mon 09:00 Europe/Berlin, or add it as [[reports]] in config.toml.",
    )


def period_for(plan: ReportPlan, due_at: datetime) -> Period:
    """The period that a report due then speaks of."""
    return period_of(due_at, plan.schedule.zone, plan.schedule.every)


def why_paused(connection: Connection, plan: ReportPlan, due_at: datetime) -> str:
    """Why a report due then does not go out by itself; empty where it does."""
    pauses = load_pauses(connection)
    today = due_at.astimezone(ZoneInfo(plan.schedule.zone)).date().isoformat()
    for what in (ALL_POSTS, ALL_REPORTS, plan.key):
        if what in pauses and is_on(pauses[what], today):
            return f"paused until {pauses[what]}" if pauses[what] else "paused until it is resumed"
    return ""


def is_on(until: str, today: str) -> bool:
    """Whether a pause until that day (`2026-12-28`, empty for no end) holds today."""
    return not until or today < until
