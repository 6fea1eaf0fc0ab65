"""A named person sees a report some hours before it goes out: may write its bottom line, approve it or skip it.

Without an answer it goes out. A report that is written does not change any more.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from backlog.cadence import told
from backlog.errors import BacklogError
from backlog.week import report_id
from bot.flows.report_plans import load_plans, period_for, why_paused
from bot.flows.services import Caller, ReportPlan, Services, acting
from bot.flows.write_report import SKIPPED, draft_report, render
from bot.roles import Role
from reports.contents.phrases import BOTTOM_LINE_MAX, bottom_line
from reports.filters import printable
from reports.review import review_message
from store import outbox
from store.reports import claim_place, find_report_of, save_review

APPROVED = "approved"


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A report that is not written yet: its plan, id and due time."""

    plan: ReportPlan
    id: str
    due_at: datetime

    @property
    def when(self) -> str:
        """`Mon 30 Nov 09:00 Europe/Berlin`."""
        return f"{told([self.due_at])} {self.plan.schedule.zone}"


def ask_reviewer(services: Services, plan: ReportPlan, due_at: datetime) -> bool:
    """Send the reviewer what would go out; False where nobody is to be asked, or it is too late or done already."""
    upcoming = _upcoming(plan, due_at)
    if not plan.reviewer or services.now() >= due_at:
        return False
    snapshot = draft_report(services, plan, due_at)
    line = snapshot.bottom_line or bottom_line(snapshot)
    message = review_message(render(snapshot, plan, "slack").body, upcoming.id, upcoming.when, plan.channel, line)
    with services.database.write() as connection:
        if _is_written(connection, upcoming) or why_paused(connection, plan, due_at):
            return False
        if not claim_place(connection, upcoming.id, f"review:{plan.reviewer}", services.now()):
            return False
        payload = {"channel": plan.reviewer, **message}
        outbox.put(connection, f"slack:review:{upcoming.id}", "slack.post", payload, services.now())
    return True


def find_upcoming(services: Services, name: str, audience: str = "", id_: str = "") -> Upcoming:
    """The next report of that name and audience, or of that id. Raises BacklogError where it is written already or
    none is due."""
    with services.database.read() as connection:
        plans = load_plans(connection, services)
        for plan in plans:
            upcoming = _upcoming(plan, plan.schedule.next_times(services.now(), 1)[0])
            if id_ == upcoming.id or (not id_ and plan.name == name and audience in ("", plan.audience)):
                if _is_written(connection, upcoming):
                    break
                return upcoming
    what = id_ or f"{name}{f' for {audience}' if audience else ''}"
    raise BacklogError(f'"{what[:80]}" does not wait to go out: it is written, or not scheduled.', "/exp schedule next")


def write_line(services: Services, caller: Caller, upcoming: Upcoming, text: str) -> str:
    """Put a person's bottom line in the place of the rule's; an empty one brings the rule's back. Returns it."""
    line = printable(text)
    if len(line) > BOTTOM_LINE_MAX:
        raise BacklogError(
            f"That bottom line has {len(line)} characters; {BOTTOM_LINE_MAX} fit.", '/exp report line "one sentence"'
        )
    _say(services, caller, upcoming, line=line, line_by=caller.id if line else "")
    return line


def approve_report(services: Services, caller: Caller, upcoming: Upcoming) -> None:
    """Let it go out as planned; takes a skip back."""
    _say(services, caller, upcoming, verdict=APPROVED, verdict_by=caller.id)


def skip_report(services: Services, caller: Caller, upcoming: Upcoming) -> None:
    """Let it be written but not sent by itself."""
    _say(services, caller, upcoming, verdict=SKIPPED, verdict_by=caller.id)


def _say(services: Services, caller: Caller, upcoming: Upcoming, **said: str) -> None:
    """The plan's own reviewer may whatever their role; others must be deciders."""
    needs = Role.MEMBER if caller.id == upcoming.plan.reviewer else Role.DECIDER
    with acting(services, caller, "review a report", needs) as connection:
        if _is_written(connection, upcoming):
            raise BacklogError(f"{upcoming.id} is written and does not change any more.")
        save_review(connection, upcoming.id, **said)


def _upcoming(plan: ReportPlan, due_at: datetime) -> Upcoming:
    return Upcoming(plan, report_id(plan.name, plan.audience, period_for(plan, due_at)), due_at)


def _is_written(connection: Connection, upcoming: Upcoming) -> bool:
    plan = upcoming.plan
    return find_report_of(connection, plan.name, plan.audience, period_for(plan, upcoming.due_at).key) is not None
