"""What a report of the past says, or would have said: told again by today's code from what is stored.

Experiments are replayed from their timelines and goals are put back as they were. What nobody kept is left out: which
source was down then, and what Jira's issues looked like; a run that went on later is not in it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from difflib import unified_diff

from sqlalchemy import Connection

from backlog.errors import BacklogError
from backlog.experiment import Entry, replay
from backlog.metric import Metric, RunValue
from backlog.snapshot import Snapshot
from backlog.week import Known, Occasion, take_snapshot
from bot.flows.gather_situation import gather_situation
from bot.flows.report_plans import find_plan, period_for
from bot.flows.services import Caller, Progress, ReportPlan, Services, require_role, unseen
from bot.flows.write_report import find_stored, put_into_words, render
from bot.roles import Role
from store.experiments import first_observed, load_entries
from store.goals import load_goals_at, load_moves
from store.people import load_people
from store.reports import StoredReport, add_report, find_report_of, previous_report
from store.risks import load_health_calls, load_register

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
MOST = 120  # reports written at once, over two years of weeks


def rerun_report(services: Services, period: str, name: str, audience: str = "") -> tuple[StoredReport, list[str]]:
    """A stored report, and the lines in which today's code, from the data stored by then, says something else."""
    stored = find_stored(services, period, name, audience)
    plan = find_plan(services, stored.report, stored.audience)
    due_at = _due_time(plan, stored) or stored.made_at
    with services.database.read() as connection:
        again = snapshot_then(connection, services, plan, due_at, stored.snapshot.made_at, stored.snapshot)
    old = stored.snapshot
    kept = replace(
        again, sources=old.sources, url=old.url, bottom_line=old.bottom_line, bottom_line_by=old.bottom_line_by
    )
    today = render(kept, plan, "text").body
    lines = unified_diff(
        stored.text.splitlines(), today.splitlines(), "as it was sent", "as of today's code", lineterm=""
    )
    return stored, list(lines)


def backfill_reports(
    services: Services,
    caller: Caller,
    name: str,
    audience: str,
    first: str,
    last: str,
    progress: Progress = unseen,
) -> list[StoredReport]:
    """Write the reports of past periods that have none, for the archive only; returns the new ones, oldest first."""
    require_role(services, caller, "write reports of the past", Role.ADMIN)
    plan = find_plan(services, name, audience)
    times = [at for at in _times_back(plan, services.now()) if first <= period_for(plan, at).key <= last]
    if not times:
        raise BacklogError(
            f'No {name} report was due for "{first[:20]}" to "{last[:20]}".', "/exp report backfill 2026-W40 2026-W47"
        )
    written = []
    with progress("writing reports", len(times)) as step:
        for at in times:
            written.append(_write_then(services, plan, at))
            step(1)
    return [report for report in written if report]


def _times_back(plan: ReportPlan, now: datetime) -> list[datetime]:
    span = (plan.schedule.times(now, now + timedelta(days=63))[1:2] or [now])[0] - now
    return plan.schedule.times(now - MOST * max(span, timedelta(days=1)), now)[-MOST:]


def _write_then(services: Services, plan: ReportPlan, due_at: datetime) -> StoredReport | None:
    with services.database.read() as connection:
        if find_report_of(connection, plan.name, plan.audience, period_for(plan, due_at).key):
            return None
        snapshot = snapshot_then(connection, services, plan, due_at, due_at)
    report = replace(put_into_words(snapshot, plan), made_at=services.now())
    with services.database.write() as connection:
        return report if add_report(connection, report) else None


def _due_time(plan: ReportPlan, stored: StoredReport) -> datetime | None:
    period = stored.snapshot.period
    times = plan.schedule.times(period.start, period.end + timedelta(days=16))
    return next((at for at in times if period_for(plan, at).key == period.key), None)


def snapshot_then(
    connection: Connection,
    services: Services,
    plan: ReportPlan,
    due_at: datetime,
    at: datetime,
    told: Snapshot | None = None,
) -> Snapshot:
    """The snapshot that today's code takes of what had happened up to `at`; `told` is the one that was taken then."""
    period = period_for(plan, due_at)
    entries = load_entries(connection, BEGINNING, at)
    experiments = [replay(int(key[4:]), own) for key, own in _by_experiment(entries)]
    today = gather_situation(connection, services)
    runs = {metric_id: [run for run in done if run.at < at] for metric_id, done in today.runs.items()}
    goal_of = {e.key: e.goal for e in experiments}
    previous = previous_report(connection, plan.name, plan.audience, period.key)
    known = Known(
        situation=replace(
            today,
            now=at,
            goals=load_goals_at(connection, at),
            experiments=experiments,
            runs=runs,
            watched={
                key: [(when, value) for when, value in points if when <= at] for key, points in today.watched.items()
            },
            sources=[],
        ),
        entries=[(key, entry) for key, entry in entries if period.start <= entry.at < period.end],
        read_at=_read_times(today.metrics, runs, told),
        updated_at={goal_of.get(key, key.removeprefix("goal:")): entry.at for key, entry in entries},
        sources=[],
        people=load_people(connection),
        previous=previous.snapshot if previous else None,
        register=[
            risk
            for risk in load_register(connection)
            if risk.opened_at <= at and (risk.resolved_at is None or risk.resolved_at > at)
        ],
        calls={key: call for key, call in load_health_calls(connection).items() if call.at <= at},
        moves={key: [move for move in moves if move.at <= at] for key, moves in load_moves(connection).items()},
        observed_at={key: seen for key, seen in first_observed(connection, BEGINNING).items() if seen <= at},
    )
    cadence = str(plan.schedule)
    zone, every = plan.schedule.zone, plan.schedule.every
    snapshot = take_snapshot(
        Occasion(plan.name, plan.audience, due_at, zone, cadence, services.public_url, every, team=plan.team), known
    )
    return replace(snapshot, url=services.public_url + services.links.to(f"/reports/{snapshot.id}", services.now()))


def _read_times(
    metrics: Iterable[Metric], runs: Mapping[int, Sequence[RunValue]], told: Snapshot | None
) -> dict[int, datetime]:
    """When each metric was last read, as it was told then; else, at the earliest, at its last run."""
    known = {(g.key, g.metric, t.environment): t.read_at for g in told.goals for t in g.tracks} if told else {}
    last = {m.id: max((run.at for run in runs.get(m.id, ())), default=None) for m in metrics}
    times = {m.id: known.get((m.goal, m.name, m.environment)) or last[m.id] for m in metrics}
    return {metric_id: at for metric_id, at in times.items() if at is not None}


def _by_experiment(entries: Sequence[tuple[str, Entry]]) -> list[tuple[str, list[Entry]]]:
    timelines: dict[str, list[Entry]] = defaultdict(list)
    for key, entry in entries:
        if key.startswith("EXP-"):
            timelines[key].append(entry)
    return sorted(timelines.items(), key=lambda pair: int(pair[0][4:]))
