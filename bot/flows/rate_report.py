"""One click on what a report says: useful, not useful or unclear; counted per section, the latest of each person."""

from collections.abc import Mapping

from backlog.errors import BacklogError
from bot.flows.services import Caller, Services, acting
from bot.roles import Role
from reports.feedback import SECTION_MAX, VERDICTS
from store.reports import count_feedback, find_report, save_feedback


def rate_report(services: Services, caller: Caller, report_id: str, section: str, verdict: str) -> None:
    """Remember what a person thinks of one section of a report. Raises NotFound for an unknown report."""
    if verdict not in VERDICTS:
        raise BacklogError(f'"{verdict[:60]}" is no answer.', f"Say {', '.join(VERDICTS)}.")
    with acting(services, caller, "rate a report", Role.VIEWER) as connection:
        found = find_report(connection, report_id)
        save_feedback(connection, found.id, section[:SECTION_MAX], caller.id, verdict, services.now())


def report_stats(services: Services, name: str = "") -> Mapping[str, Mapping[str, int]]:
    """How many people said what, by section and verdict; only of that report where one is named."""
    with services.database.read() as connection:
        return count_feedback(connection, name)
