"""Writes a week's report: take the snapshot, put it into words, remember both and what must be posted, at once.

A report's identity is (report, audience, period): writing it again returns the one there is, unchanged.
"""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from backlog.errors import BacklogError
from backlog.risk import Situation
from backlog.snapshot import Snapshot, SourceLine
from backlog.week import Known, Occasion, period_of, take_snapshot
from bot.flows.services import ReportPlan, Services
from bot.flows.sync_backlog import JIRA
from reports.rendering import SURFACES, Format, Rendered, render_weekly
from store import outbox
from store.experiments import last_acts, load_entries, load_experiments
from store.goals import load_goals
from store.issues import load_linked_issues
from store.metrics import load_metrics, read_times, run_values, source_states
from store.people import load_people
from store.reports import StoredReport, add_report, find_report_of, previous_report

POST = "slack.report"


def find_plan(services: Services, name: str, audience: str = "") -> ReportPlan:
    """The configured report of that name. Raises BacklogError naming those there are."""
    plans = [p for p in services.reports if p.name == name and (not audience or p.audience == audience)]
    if plans:
        return plans[0]
    known = ", ".join(f"{p.name} ({p.audience})" for p in services.reports) or "none"
    raise BacklogError(f'There is no report "{name}". Configured: {known}.', "Add it as [[reports]] in config.toml.")


def preview_report(services: Services, plan: ReportPlan) -> Snapshot:
    """The snapshot as the report would be due now; nothing is stored."""
    with services.database.read() as connection:
        return _snapshot(connection, services, plan, services.now())


def render(snapshot: Snapshot, plan: ReportPlan, surface: Format) -> Rendered:
    """One surface of a report: "slack", "html" or "text"."""
    return render_weekly(snapshot, surface, plan.templates)


def write_report(services: Services, plan: ReportPlan, due_at: datetime) -> tuple[StoredReport, bool]:
    """The report of the period that `due_at` belongs to, and whether this call wrote it. A new one goes to its
    channel through the outbox, in the transaction that stores it."""
    with services.database.read() as connection:
        known = _find(connection, plan, due_at)
        if known:
            return known, False
        snapshot = _snapshot(connection, services, plan, due_at)
    report = _put_into_words(snapshot, plan)
    with services.database.write() as connection:
        if not add_report(connection, report):
            return _find(connection, plan, due_at) or report, False
        _post(connection, services, report, plan.channel or services.channel)
    return report, True


def _find(connection: Connection, plan: ReportPlan, due_at: datetime) -> StoredReport | None:
    period = period_of(due_at, plan.schedule.zone)
    return find_report_of(connection, plan.name, plan.audience, period.key)


def _snapshot(connection: Connection, services: Services, plan: ReportPlan, due_at: datetime) -> Snapshot:
    zone = plan.schedule.zone
    occasion = Occasion(plan.name, plan.audience, due_at, zone, str(plan.schedule), services.public_url)
    period = period_of(due_at, zone)
    previous = previous_report(connection, plan.name, plan.audience, period.key)
    metrics = load_metrics(connection)
    situation = Situation(
        now=services.now(),
        goals=load_goals(connection),
        experiments=load_experiments(connection),
        metrics=metrics,
        runs={metric.id: run_values(connection, metric) for metric in metrics},
        issues=load_linked_issues(connection),
        rules=services.rules,
    )
    known = Known(
        situation=situation,
        entries=load_entries(connection, period.start, period.end),
        read_at=read_times(connection),
        updated_at=last_acts(connection),
        sources=_source_lines(connection, services),
        people=load_people(connection),
        previous=previous.snapshot if previous else None,
    )
    return take_snapshot(occasion, known)


def _source_lines(connection: Connection, services: Services) -> list[SourceLine]:
    states = source_states(connection)
    kinds = {plan.name: plan.kind for plan in services.sources.values()}
    if services.tracker is not None:
        kinds[JIRA] = "jira"
    return [SourceLine(name, kind, *states.get(name, (None, ""))) for name, kind in kinds.items()]


def _put_into_words(snapshot: Snapshot, plan: ReportPlan) -> StoredReport:
    slack, html, text = (render(snapshot, plan, surface) for surface in SURFACES)
    return StoredReport(
        id=snapshot.id,
        report=plan.name,
        audience=plan.audience,
        period=snapshot.period.key,
        made_at=snapshot.made_at,
        snapshot=snapshot,
        slack=slack.body,
        html=html.body,
        text=text.body,
        note=slack.note or html.note or text.note,
    )


def _post(connection: Connection, services: Services, report: StoredReport, channel: str) -> None:
    if not channel:
        return
    target = f"slack:report:{report.id}"
    payload: dict[str, Any] = json.loads(report.slack)
    head = {"channel": channel, "text": payload["text"], "blocks": payload["blocks"], "name": target}
    outbox.put(connection, target, POST, head, services.now())
    for reply in payload.get("thread", ()):
        outbox.put(connection, target, POST, {"channel": channel, **reply, "thread": target}, services.now())
