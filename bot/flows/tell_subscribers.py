"""Tells subscribers what happened, at once or as a digest: each thing once, and nobody of their own acts."""

from dataclasses import dataclass

from sqlalchemy import Connection

from backlog.experiment import Experiment, replay
from backlog.subscription import (
    GOAL,
    News,
    Subscription,
    concerns,
    digest_lines,
    fitting,
    is_digest_due,
    is_told_now,
    last_due,
    notice_lines,
)
from bot.flows.services import Services
from reports.notice import notice
from store import ledger, outbox
from store.dialect import serialise
from store.experiments import load_by_numbers, load_news, load_timeline_until
from store.people import load_people
from store.subscriptions import load_quiet_hours, load_subscriptions, mark_told
from store.timeline import last_entry_id, settled_until


@dataclass(frozen=True, slots=True)
class Due:
    """What one subscription is told now, perhaps nothing: `until` is the id of the timeline that it is told up to,
    `period` the digest's, empty for an immediate notice."""

    subscription: Subscription
    news: list[News]
    until: int
    period: str = ""


def tell_subscribers(services: Services) -> int:
    """Put what is due into the outbox; returns how many messages there were."""
    with services.database.read() as connection:
        if not _due(connection, services, last_entry_id(connection)):
            return 0  # the common case takes no lock
    with services.database.write() as connection:
        serialise(connection, "subscriptions")
        until = settled_until(connection)
        if until is None:
            return 0  # an act is under way whose entry may go before those that are there: all are told next time
        return sum(_tell(connection, services, due) for due in _due(connection, services, until))


def _due(connection: Connection, services: Services, until: int) -> list[Due]:
    now, quiet = services.now(), load_quiet_hours(connection)
    found = []
    for subscription in load_subscriptions(connection):
        hours = None if subscription.channel else quiet.get(subscription.person)
        period = ""
        if subscription.digest is not None:
            period = last_due(subscription.digest, now).date().isoformat()
            is_due = is_digest_due(subscription, hours, now)
            if not is_due or ledger.has_occurred(connection, _name(subscription), period):
                continue
        told, news = _news(connection, subscription, until)
        # What concerns nobody is passed over, so that the next look does not read it again.
        if period or (told > subscription.told and (not news or is_told_now(news, hours, now))):
            found.append(Due(subscription, news, told, period))
    return found


def _name(subscription: Subscription) -> str:
    return f"digest:{subscription.id}"


def _news(connection: Connection, subscription: Subscription, until: int) -> tuple[int, list[News]]:
    """Up to which id there is anything new, and what of it concerns the subscription."""
    entries = load_news(connection, subscription.told, until)
    numbers = {int(subject.removeprefix("EXP-")) for _, subject, _ in entries if not subject.startswith(GOAL)}
    known = {experiment.key: experiment for experiment in load_by_numbers(connection, sorted(numbers))}
    news = []
    for id_, subject, entry in entries:
        experiment = known.get(subject)
        goal = experiment.goal if experiment else subject.removeprefix(GOAL)
        news.append(News(id_, subject, goal, entry, experiment))
    last = news[-1].id if news else subscription.told
    return last, [one for one in news if concerns(subscription, one)]


def _tell(connection: Connection, services: Services, due: Due) -> bool:
    subscription, now = due.subscription, services.now()
    if due.period and not ledger.claim_occurrence(connection, _name(subscription), due.period, now, now):
        return False
    mark_told(connection, [subscription.id], due.until)
    lines = _lines(connection, due)
    if not lines:
        return False
    rhythm = f", {subscription.digest}" if subscription.digest else ""
    hint = f"You follow {subscription.scope}{rhythm}. Hear no more: /exp unsubscribe {subscription.id}"
    offer = ("Unsubscribe", f"unsubscribe {subscription.id}")
    headline = "What is different" if due.period else "News" if len(lines) > 1 else lines[0]
    message = notice(headline, lines if headline != lines[0] else (), hint, [offer])
    target = f"slack:notice:{subscription.target}"
    outbox.put(connection, target, "slack.post", {"channel": subscription.target, **message}, now)
    return True


def _lines(connection: Connection, due: Due) -> list[str]:
    people = load_people(connection)
    if not due.period:
        return fitting(notice_lines(due.news, people))
    keys = {one.subject for one in due.news if one.experiment is not None}
    before = {key: state for key in keys if (state := _before(connection, key, due.subscription.told))}
    return fitting(digest_lines(due.news, before, people))


def _before(connection: Connection, key: str, told: int) -> Experiment | None:
    entries = load_timeline_until(connection, key, told)
    return replay(int(key.removeprefix("EXP-")), entries) if entries else None
