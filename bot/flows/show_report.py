"""A report on request, of any kind and on any surface, as it would be due now; nothing is stored or sent.

Also hands out the built-in templates, for users who write their own.
"""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from backlog.cadence import Every, read_cadence
from backlog.errors import BacklogError
from backlog.snapshot import Snapshot
from bot.flows.report_plans import find_plan, load_plans
from bot.flows.services import ReportPlan, Services
from bot.flows.write_report import find_stored, preview_report
from reports.contents import REPORTS
from reports.rendering import render_pdf, render_report
from reports.templating import source_of

Surface = Literal["slack", "html", "text", "md", "json", "pdf"]
TEMPLATED = ("slack", "html", "text", "md", "email", "email-text")  # surfaces that have a template
RHYTHM = {Every.WEEK: "mon 09:00 UTC", Every.MONTH: "first mon 09:00 UTC", Every.DAY: "daily 09:00 UTC"}


def draft(services: Services, name: str, audience: str = "", subject: str = "") -> tuple[Snapshot, ReportPlan]:
    """The snapshot of now, and the plan whose templates it uses. A kind that nobody scheduled is told on request;
    `subject` is the experiment of a card. Raises BacklogError for an unknown kind or a card without an experiment."""
    if name == "experiment" and not subject:
        raise BacklogError("A card is about one experiment.", "Name it: report experiment EXP-12.")
    with services.database.read() as connection:
        scheduled = any(p.name == name and audience in ("", p.audience) for p in load_plans(connection, services))
    if scheduled or name not in REPORTS:
        plan = find_plan(services, name, audience)
        return preview_report(services, plan, subject), plan
    every = next(iter(sorted(REPORTS[name].periods)), Every.WEEK)
    templates = next((plan.templates for plan in services.reports if plan.templates), None)
    plan = ReportPlan(name, audience or "manager", read_cadence(RHYTHM[every]), templates=templates)
    return replace(preview_report(services, plan, subject), schedule=""), plan


def write_out(snapshot: Snapshot, plan: ReportPlan, surface: Surface) -> tuple[bytes, str]:
    """(the file's bytes, a note about a template that failed). Raises NotInstalled for a PDF without its extra."""
    if surface == "pdf":
        return render_pdf(snapshot, plan.templates), ""
    rendered = render_report(snapshot, surface, plan.templates)
    return rendered.body.encode(), rendered.note


def write_out_stored(services: Services, period: str, audience: str, surface: Surface) -> tuple[bytes, str]:
    """The same of a report of the past, by its period or id: the bytes that were stored, and for other surfaces those
    that its snapshot gives."""
    report = find_stored(services, period, "weekly", audience)
    kept = {"slack": report.slack, "html": report.html, "text": report.text}
    if surface in kept:
        return kept[surface].encode(), ""
    return write_out(report.snapshot, find_plan(services, report.report, report.audience), surface)


def eject(services: Services, name: str) -> list[Path]:
    """Copy the report's built-in templates into the folder that the configuration names; those there already stay as
    they are. Returns the new files."""
    if name not in REPORTS:
        raise BacklogError(f'There is no report "{name[:60]}".', f"Reports: {', '.join(REPORTS)}.")
    folders = {plan.name: plan.templates for plan in reversed(services.reports) if plan.templates}
    folder = folders.get(name) or next(iter(folders.values()), None)
    if folder is None:
        raise BacklogError(
            f"No folder for templates of {name} is configured.",
            'Set templates = "report-templates" under [[reports]] in config.toml.',
        )
    folder.mkdir(parents=True, exist_ok=True)
    files = {folder / f"{name}.{surface}.j2": source_of(name, surface) for surface in TEMPLATED}
    new = [path for path in files if not path.exists()]
    for path in new:
        path.write_text(files[path], encoding="utf-8")
    return new
