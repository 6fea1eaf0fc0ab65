"""Verbs for those who write their own templates: report context, report eject."""

import click

from bot.flows.services import require_role
from bot.flows.show_report import eject
from bot.roles import Role
from bot.verbs.answer import Answer, table_of
from bot.verbs.experiments import pass_request
from bot.verbs.grammar import Request
from bot.verbs.reporting import report
from reports.contents import REPORTS
from reports.describe import describe


@report.command("context")
@click.argument("name", type=click.Choice([*REPORTS]), default="weekly")
@pass_request
def context(request: Request, /, name: str) -> Answer:
    """What a template of that report may use."""
    told = describe(name)
    return Answer(
        f"The {name} report: {REPORTS[name].about}.",
        table=table_of(("name", "type", "meaning"), told),
        data=[dict(zip(("name", "type", "meaning"), row, strict=True)) for row in told],
    )


@report.command("eject")
@click.argument("name", type=click.Choice([*REPORTS]), default="weekly")
@pass_request
def eject_templates(request: Request, /, name: str) -> Answer:
    """Copy the built-in templates to your folder, where yours win."""
    require_role(request.services, request.caller, "copy templates", Role.ADMIN)
    files = [str(path) for path in eject(request.services, name)]
    text = f"Copied {len(files)} templates of {name}." if files else f"All templates of {name} are there already."
    return Answer(text, more=tuple(files), data=files)
