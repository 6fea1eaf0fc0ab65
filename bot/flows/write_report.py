"""Writes a period's report: take the snapshot, put it into words, remember both and what must be posted, at once.

A report's identity is (report, audience, period): writing it again returns the one there is, unchanged, and sends it
only to places that have not got it.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from backlog.errors import NotFound
from backlog.reliability import reliability_of
from backlog.snapshot import Snapshot
from backlog.week import Known, Occasion, take_snapshot
from bot.flows.gather_situation import gather_situation, source_lines
from bot.flows.mail_report import mail_report
from bot.flows.report_plans import period_for, why_paused
from bot.flows.services import ReportPlan, Services
from reports.feedback import feedback_row, reader_buttons
from reports.rendering import SURFACES, Format, Rendered, render_report
from store import outbox
from store.experiments import find_experiment, first_observed, last_acts, load_entries, load_timeline
from store.forecasts import load_forecasts
from store.goals import load_moves
from store.metrics import read_times
from store.people import load_people
from store.reports import (
    StoredReport,
    add_report,
    claim_place,
    find_report,
    find_report_of,
    find_review,
    list_reports,
    previous_report,
)
from store.risks import load_health_calls, load_register, load_settled

POST = "slack.report"
SKIPPED = "skipped"
SUMMARY = "Summary"  # what the head of the message is called among the sections
HISTORY_SPAN = timedelta(days=365)  # how far back iteration times look


@dataclass(frozen=True, slots=True)
class Written:
    """A stored report: whether this call wrote it, the places it goes to now, and why it goes nowhere by itself."""

    report: StoredReport
    fresh: bool
    sent: tuple[str, ...] = ()
    withheld: str = ""


def preview_report(services: Services, plan: ReportPlan, subject: str = "") -> Snapshot:
    """The snapshot as the report would be due now; nothing is stored. `subject` is the experiment of a card."""
    return draft_report(services, plan, services.now(), subject)


def draft_report(services: Services, plan: ReportPlan, due_at: datetime, subject: str = "") -> Snapshot:
    """The snapshot of now for a report that is due then; nothing is stored."""
    with services.database.read() as connection:
        return _snapshot(connection, services, plan, due_at, subject)


def render(snapshot: Snapshot, plan: ReportPlan, surface: Format) -> Rendered:
    """One surface of a report: "slack", "html" or "text"."""
    return render_report(snapshot, surface, plan.templates)


def write_report(services: Services, plan: ReportPlan, due_at: datetime, *, by_hand: bool = False) -> Written:
    """The report of the period that `due_at` belongs to, written where there is none yet, and sent through the outbox
    in the transaction that stores it. A pause or a reviewer's skip withholds it, unless somebody asks `by_hand`."""
    while (written := _write_once(services, plan, due_at, by_hand)) is None:
        pass
    return written


def _write_once(services: Services, plan: ReportPlan, due_at: datetime, by_hand: bool) -> Written | None:
    """The same; None where a person wrote the bottom line meanwhile, which the report must have."""
    with services.database.read() as connection:
        report = _find(connection, plan, due_at)
    made = report or put_into_words(draft_report(services, plan, due_at), plan)
    with services.database.write() as connection:
        if report is None and find_review(connection, made.id).line != made.snapshot.bottom_line:
            return None
        fresh = report is None and add_report(connection, made)
        report = made if fresh else _find(connection, plan, due_at) or made
        withheld = "" if by_hand else _why_withheld(connection, plan, report, due_at)
        sent = () if withheld else tuple(_send(connection, services, report, plan))
    return Written(report, fresh, sent, withheld)


def find_stored(services: Services, period: str, name: str, audience: str = "") -> StoredReport:
    """A report of the past by its period (`2026-W47`) or its id, the first of several audiences. Raises NotFound
    naming the latest there are."""
    with services.database.read() as connection:
        known = list_reports(connection)
        for id_, of, _ in known:
            if period in (id_, of) and (period == id_ or id_.startswith(f"{name}-{audience}")):
                return find_report(connection, id_)
    latest = ", ".join(id_ for id_, _, _ in known[:3]) or "none yet"
    raise NotFound(f'There is no {name} report of "{period[:60]}". The latest: {latest}.', "/exp report archive")


def _why_withheld(connection: Connection, plan: ReportPlan, report: StoredReport, due_at: datetime) -> str:
    review = find_review(connection, report.id)
    skipped = f"skipped by {review.verdict_by}" if review.verdict == SKIPPED else ""
    return skipped or why_paused(connection, plan, due_at)


def _find(connection: Connection, plan: ReportPlan, due_at: datetime) -> StoredReport | None:
    return find_report_of(connection, plan.name, plan.audience, period_for(plan, due_at).key)


def _snapshot(
    connection: Connection, services: Services, plan: ReportPlan, due_at: datetime, subject: str = ""
) -> Snapshot:
    zone = plan.schedule.zone
    cadence = str(plan.schedule)
    url, every = services.public_url, plan.schedule.every
    subject = find_experiment(connection, subject).key if subject else ""
    occasion = Occasion(plan.name, plan.audience, due_at, zone, cadence, url, every, subject, plan.team)
    period = period_for(plan, due_at)
    previous = previous_report(connection, plan.name, plan.audience, period.key)
    known = Known(
        situation=gather_situation(connection, services),
        entries=load_entries(connection, period.start, period.end),
        read_at=read_times(connection),
        updated_at=last_acts(connection),
        sources=source_lines(connection, services),
        people=load_people(connection),
        previous=previous.snapshot if previous else None,
        register=load_register(connection, standing=True),
        settled=load_settled(connection, period.start),
        calls=load_health_calls(connection),
        own=reliability_of(load_forecasts(connection, is_open=False)),
        moves=load_moves(connection),
        story=load_timeline(connection, subject) if subject else (),
        observed_at=first_observed(connection, services.now() - HISTORY_SPAN),
    )
    snapshot = take_snapshot(occasion, known)
    review = find_review(connection, snapshot.id)
    url = services.public_url + services.links.to(f"/reports/{snapshot.id}", services.now())
    return replace(snapshot, bottom_line=review.line, bottom_line_by=review.line_by, url=url)


def put_into_words(snapshot: Snapshot, plan: ReportPlan) -> StoredReport:
    """The report of a snapshot on every stored surface; nothing is stored yet."""
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


def _send(connection: Connection, services: Services, report: StoredReport, plan: ReportPlan) -> Iterator[str]:
    """Hand the report to the outbox for each place of the plan that has not got it; yields those places."""
    if plan.channel and claim_place(connection, report.id, plan.channel, services.now()):
        _post(connection, services, report, plan.channel)
        yield plan.channel
    yield from mail_report(connection, services, report, plan)


def _post(connection: Connection, services: Services, report: StoredReport, channel: str) -> None:
    target = f"slack:report:{report.id}:{channel}"
    payload: dict[str, Any] = json.loads(report.slack)
    said: dict[str, Any] = {part: payload[part] for part in ("text", "blocks", "picture") if part in payload}
    buttons = reader_buttons(report.report, report.audience, report.snapshot.url)
    head: dict[str, Any] = {"channel": channel, "name": target, **_with_row(said, report.id, SUMMARY, buttons)}
    outbox.put(connection, target, POST, head, services.now())
    for reply in payload.get("thread", ()):
        answer = {"channel": channel, "thread": target, **_with_row(reply, report.id, reply["text"])}
        outbox.put(connection, target, POST, answer, services.now())


def _with_row(
    message: dict[str, Any], report_id: str, section: str, before: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    return {**message, "blocks": [*message["blocks"], feedback_row(report_id, section, before)]}
