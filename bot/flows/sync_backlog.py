"""Pulls the issues in scope, page by page. A crash at any page loses nothing: the cursor moves at the end, and the next
round goes on from the last page that was stored."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from backlog.errors import BacklogError
from backlog.issue import Issue
from backlog.merge import People
from backlog.status import differs
from bot.flows.order_issue import order_sync
from bot.flows.read_comments import order_comments
from bot.flows.renew_cards import order_card_of, order_cards
from bot.flows.services import Caller, Services, acting
from integrations.http import NOT_FOUND, IntegrationError
from store import outbox
from store.experiments import find_experiment, linked_to
from store.issues import (
    Round,
    changed_among,
    forget_round,
    linked_among,
    load_agreed,
    load_linked_issues,
    load_round,
    mark_unreachable,
    pulled_until,
    save_issues,
    save_pulled_until,
    save_round,
    unreachable_among,
)
from store.metrics import save_source_state
from store.people import first_delivery

OVERLAP = timedelta(minutes=10)  # Jira's index lags behind writes by seconds to minutes
BATCH = 500  # issues written in one transaction
JIRA = "jira"


def _notice(connection: Connection, services: Services, people: People, page: Sequence[Issue]) -> None:
    """Have those issues brought in line that an experiment belongs to and that are not what was agreed, or that are
    back in sight: what was to be written meanwhile still waits."""
    linked = set(linked_among(connection, page))
    back = set(unreachable_among(connection, linked))
    for issue_id in back:
        outbox.revive(connection, outbox.issue_target(issue_id), services.now())
        order_card_of(connection, services, issue_id)
    for issue in changed_among(connection, [issue for issue in page if issue.id in linked]):
        order_comments(connection, services, issue)
    for issue in (issue for issue in page if issue.id in linked):
        if issue.id in back or differs(issue, load_agreed(connection, issue.id), people):
            order_sync(connection, services, issue.id)


def hear_of(services: Services, issue_id: str, delivery: str) -> bool:
    """Take a hint that an issue changed: it is read again soon. False for an issue of no experiment, and for a hint
    that was taken before."""
    with services.database.write() as connection:
        if delivery and not first_delivery(connection, f"jira:{delivery}"[:160], services.now()):
            return False
        if linked_to(connection, issue_id) is None:
            return False
        order_sync(connection, services, issue_id)
    return True


def take_census(services: Services) -> list[str]:
    """Ask for the ids of all issues in scope, and read each linked one that is not among them or was out of sight: it
    may only have left the scope. What answers 404 is unreachable from now on, deleted or out of our sight; nothing is
    deleted here. Returns the keys of those. Raises IntegrationError where Jira or the account does not answer."""
    if services.tracker is None:
        return []
    seen, people = services.tracker.census(services.jql), services.tracker.people()
    with services.database.read() as connection:
        linked = load_linked_issues(connection)
    doubted = [issue for issue in linked.values() if issue.id not in seen or issue.unreachable_since]
    found = {issue.id: _find(services, issue.id) for issue in doubted}
    with services.database.write() as connection:
        there = [issue for issue in found.values() if issue]
        _notice(connection, services, people, there)
        order_cards(connection, services, save_issues(connection, there))
        mark_unreachable(connection, [id_ for id_, issue in found.items() if issue is None], services.now())
    return [issue.key for issue in doubted if found[issue.id] is None]


def _find(services: Services, issue_id: str) -> Issue | None:
    assert services.tracker is not None
    try:
        return services.tracker.fetch_issue(issue_id)
    except IntegrationError as error:
        if error.code == NOT_FOUND:
            return None
        raise


def retry_issue(services: Services, caller: Caller, key: str) -> str:
    """Try again what failed on one experiment's issue, and bring both in line; returns the issue's key."""
    with acting(services, caller, "try a sync again") as connection:
        experiment = find_experiment(connection, key)
        if not experiment.issue_id:
            raise BacklogError(f"{experiment.key} has no linked issue.", f"/exp link {experiment.key} ML-345")
        outbox.revive(connection, outbox.issue_target(experiment.issue_id), services.now())
        order_cards(connection, services, [experiment.key])
        order_sync(connection, services, experiment.issue_id)
    return experiment.issue_key


@dataclass(frozen=True, slots=True)
class Synced:
    """How many issues a pull read, over how many pages."""

    issues: int
    pages: int


def sync_backlog(services: Services, full: bool = False, step: Callable[[int], None] = lambda _: None) -> Synced:
    """Read what changed since the last complete pull (`full`: everything in scope), the oldest change first. One that
    was cut short is gone on with from its last page. `step` hears how many issues each page brought.

    Raises BacklogError where Jira is not configured, IntegrationError where it does not answer; pages read before
    that are kept.
    """
    if services.tracker is None:
        raise BacklogError("Jira is not configured.", "Set [jira] url and token in config.toml.")
    start, since = _begin(services, full)
    issues = pages = 0
    try:
        people = services.tracker.people()
        for batch in _batches(_ahead(services.tracker.pull(services.jql, since))):
            _store(services, people, start, batch)
            brought = sum(map(len, batch))
            issues, pages = issues + brought, pages + len(batch)
            step(brought)
    except IntegrationError as error:
        with services.database.write() as connection:
            save_source_state(connection, JIRA, None, str(error))
        raise
    with services.database.write() as connection:
        save_pulled_until(connection, services.jql, start)
        save_source_state(connection, JIRA, services.now(), "")
    return Synced(issues, pages)


def _ahead(pages: Iterator[list[Issue]]) -> Iterator[list[Issue]]:
    """The pages, each asked for while the one before it is stored."""
    page = next(pages, None)  # mostly there is none
    with ThreadPoolExecutor(1, "pull") as reader:
        while page is not None:
            coming = reader.submit(next, pages, None)
            yield page
            page = coming.result()


def _batches(pages: Iterator[list[Issue]]) -> Iterator[list[list[Issue]]]:
    """Pages in groups that are worth a transaction; those that came before an error come first."""
    batch: list[list[Issue]] = []
    try:
        for page in pages:
            batch.append(page)
            if sum(map(len, batch)) >= BATCH:
                yield batch
                batch = []
    except IntegrationError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _store(services: Services, people: People, start: datetime, batch: Sequence[Sequence[Issue]]) -> None:
    issues = [issue for page in batch for issue in page]
    # The index lags: an issue just edited may stand in its old place with its new time. The earliest is safe.
    mark = min(issue.updated for issue in batch[-1])
    with services.database.write() as connection:
        _notice(connection, services, people, issues)
        order_cards(connection, services, save_issues(connection, issues))
        save_round(connection, services.jql, Round(start, mark))


def _begin(services: Services, full: bool) -> tuple[datetime, datetime | None]:
    """When this round began, and from which change on it reads; None reads everything."""
    now, jql = services.now(), services.jql
    if full:
        with services.database.write() as connection:
            forget_round(connection, jql)
        return now, None
    with services.database.read() as connection:
        until, unfinished = pulled_until(connection, jql), load_round(connection, jql)
    if unfinished:
        return unfinished.start, unfinished.mark - OVERLAP
    return now, until - OVERLAP if until else None


def count_changed(services: Services, full: bool = False) -> int:
    """About how many issues the next pull will read. Raises what `sync_backlog` raises."""
    if services.tracker is None:
        raise BacklogError("Jira is not configured.", "Set [jira] url and token in config.toml.")
    return services.tracker.count(services.jql, _begin(services, full)[1])
