"""Delivers what waits in the outbox: claim, send, settle; look up first where it may have arrived already.

How each kind is sent and looked up is said in `deliveries`.
"""

from collections.abc import Callable
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from bot.flows.deliveries import DELIVERIES, Delivery, NotConfigured, Result
from bot.flows.renew_cards import KIND as CARD
from bot.flows.renew_cards import order_card_of
from bot.flows.report_plans import is_on
from bot.flows.services import Services
from integrations.http import NOT_FOUND, SIGNED_OUT, IntegrationError
from store import outbox
from store.outbox import Effect
from store.schedules import ALL_POSTS, load_pauses

log = structlog.get_logger(__name__)

BACKOFF = timedelta(seconds=2)  # doubled with every attempt
BACKOFF_MAX = timedelta(minutes=5)
UNSEEN_WAIT_S = 3600.0  # how often an issue out of sight is tried
GIVE_UP = timedelta(days=1)  # what could not be sent for a day needs a person

BY_ITSELF = {"slack.post", CARD}  # what nobody asked for; a report is withheld before it gets here
TO_ISSUE = {
    "jira.comment",
    "jira.remote_link",
    "jira.sync",
    "jira.untimebox",
}  # what the card of an experiment waits for
Ending = Callable[[Connection], object]  # writes down what became of an attempt


def deliver_all(services: Services, most: int | None = None) -> int:
    """Deliver until nothing is due, or that many times; returns how many attempts were made. What became of one is
    written down in the transaction that claims the next: a commit that waits for the disk costs as much as a post."""
    attempts, effect = 0, _claim(services)
    while effect is not None:
        end = _attempt(services, effect)
        attempts += 1
        with services.database.write() as connection:
            end(connection)
            effect = None if attempts == most else _claim_wanted(connection, services)
    return attempts


def _claim(services: Services) -> Effect | None:
    with services.database.read() as connection:
        due = outbox.next_due(connection, services.quiet)
    if due is None or due > services.now():
        return None  # the common case takes no lock
    with services.database.write() as connection:
        return _claim_wanted(connection, services)


def _claim_wanted(connection: Connection, services: Services) -> Effect | None:
    """Claim the next effect; what nobody asked for is dropped on the way while the bot's own posts are off."""
    while effect := outbox.claim(connection, services.now(), services.timeout, services.quiet):
        if effect.doubtful or effect.kind not in BY_ITSELF or not _are_off(connection, services):
            return effect
        outbox.settle(connection, effect, outbox.DROPPED, error="the bot's own posts are off")
    return None


def _are_off(connection: Connection, services: Services) -> bool:
    until = load_pauses(connection).get(ALL_POSTS)
    return until is not None and is_on(until, services.now().date().isoformat())


def _attempt(services: Services, effect: Effect) -> Ending:
    """Send, or look up what may have arrived; returns what is to be written down of it."""
    delivery = DELIVERIES[effect.kind]
    try:
        result = _resolve(services, delivery, effect) if effect.doubtful else _send(services, delivery, effect)
    except IntegrationError as error:
        reason = _patient(error) if effect.kind.startswith("jira.") else error
        return _with_lag(services, effect, _failed(services, delivery, effect, reason), not effect.error)
    except NotConfigured as error:
        return _ended(effect, outbox.DEAD, error)
    except Exception as error:  # a bug of ours must not hold back what waits behind it for ever
        log.exception("delivery failed", kind=effect.kind, target=effect.target)
        broken = IntegrationError("scrumbut", f"{type(error).__name__}: {error}", unknown=True)
        return _failed(services, delivery, effect, broken)
    return _with_lag(services, effect, _done(services, delivery, effect, result), bool(effect.error))


def _with_lag(services: Services, effect: Effect, end: Ending, changed: bool) -> Ending:
    """Have the card tell that Jira waits, or waits no more."""
    if not (changed and effect.kind in TO_ISSUE):
        return end

    def end_and_tell(connection: Connection) -> None:
        end(connection)
        order_card_of(connection, services, effect.payload["issue"])

    return end_and_tell


def _send(services: Services, delivery: Delivery, effect: Effect) -> Result | None:
    if services.now() > effect.deadline - services.timeout / 2:
        # The claim is stale (the process was stopped meanwhile): another one may hold the row by now.
        return None
    return delivery.send(services, effect)


def _resolve(services: Services, delivery: Delivery, effect: Effect) -> Result | None:
    """What became of an attempt in doubt: its result, or None when it must be sent again."""
    if delivery.harmless:
        return _send(services, delivery, effect)
    if delivery.find is None:
        raise IntegrationError(effect.kind, "its outcome cannot be looked up", permanent=True, unknown=True)
    return delivery.find(services, effect)


def _done(services: Services, delivery: Delivery, effect: Effect, result: Result | None) -> Ending:
    if result is None:
        return lambda connection: outbox.retry(connection, effect, services.now(), "it had not arrived")
    log.info("delivered", kind=effect.kind, target=effect.target, attempt=effect.attempt)

    def end(connection: Connection) -> None:
        settled = outbox.settle(connection, effect, outbox.SENT, result=result)
        if settled and effect.payload.get("name") and "ts" in result:
            outbox.remember_message(connection, effect.payload["name"], result["channel"], result["ts"])
        if settled and delivery.then:
            delivery.then(connection, services, effect, result)

    return end


def _failed(services: Services, delivery: Delivery, effect: Effect, error: IntegrationError) -> Ending:
    now = services.now()
    log.warning("not delivered", kind=effect.kind, target=effect.target, attempt=effect.attempt, why=str(error))
    if delivery.at_most_once and (error.permanent or error.unknown):
        return _ended(effect, outbox.DROPPED, error)
    hopeless = error.permanent or now - effect.created_at > GIVE_UP
    if hopeless and effect.doubtful and not delivery.harmless:
        if delivery.resend_unseen and not effect.resent:
            log.warning("sent again, possibly double", target=effect.target)
            return lambda connection: outbox.resend(connection, effect, now, f"possibly double: {error}")
        return _ended(effect, outbox.UNKNOWN, error)
    if hopeless:
        return _ended(effect, outbox.DEAD, error)
    if error.unknown or effect.doubtful:
        return lambda connection: outbox.leave_doubtful(connection, effect, str(error))
    wait = max(_backoff(effect.attempt), timedelta(seconds=error.retry_after or 0))
    return lambda connection: outbox.retry(connection, effect, now + wait, str(error))


def _patient(error: IntegrationError) -> IntegrationError:
    """An issue out of sight may come back, and an account that is not let in is again once its token is renewed: what
    was to be written waits for a day."""
    if error.code not in (NOT_FOUND, SIGNED_OUT):
        return error
    wait = UNSEEN_WAIT_S if error.code == NOT_FOUND else None
    return IntegrationError(error.service, error.what, error.remedy, unknown=error.unknown, retry_after=wait)


def _ended(effect: Effect, state: str, error: Exception) -> Ending:
    if state != outbox.DROPPED:
        log.error("needs a person", kind=effect.kind, target=effect.target, state=state, why=str(error))
    return lambda connection: outbox.settle(connection, effect, state, error=str(error))


def _backoff(attempt: int) -> timedelta:
    return min(BACKOFF * (1 << min(attempt - 1, 10)), BACKOFF_MAX)
