"""What goes to the outside, kind by kind: how each is sent, and how an attempt in doubt is looked up.

A new kind of effect is one Delivery and one entry in DELIVERIES; when it is sent, and how often, is `deliver_outbox`'s.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection

from backlog.experiment import Kind
from backlog.issue import ISSUE_TYPE, Issue, Made
from bot.flows.link_issue import tie_created
from bot.flows.mail_report import KIND as MAIL
from bot.flows.mail_report import send_letter
from bot.flows.renew_cards import KIND as CARD
from bot.flows.renew_cards import digest_of, draw_card
from bot.flows.services import Messenger, Services, Tracker
from bot.flows.sync_issue import sync_issue
from integrations.http import IntegrationError
from reports.ladder import Ladder
from reports.pictures import to_png
from store import outbox
from store.outbox import Effect
from store.people import load_people

log = structlog.get_logger(__name__)

INDEX_LAG = timedelta(minutes=10)  # how long a new issue may be missing from searches before it is made again
Result = dict[str, Any]


class NotConfigured(Exception):
    """The service an effect was written for is not configured any more."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How one kind of effect is sent, and how an attempt in doubt is resolved.

    `find` asks the outside what arrived; without it, `harmless` says that sending twice changes nothing, and an
    effect that is neither stays unknown until a person decides. `resend_unseen` sends again, once, what may not be
    looked up: a report twice is better than none. `at_most_once` is for what nobody misses later. `then` remembers
    what came of it, in the transaction that settles it.
    """

    send: Callable[[Services, Effect], Result]
    find: Callable[[Services, Effect], Result | None] | None = None
    harmless: bool = False
    resend_unseen: bool = False
    at_most_once: bool = False
    then: Callable[[Connection, Services, Effect, Result], None] | None = None


def _slack(services: Services) -> Messenger:
    if services.messenger is None:
        raise NotConfigured("Slack is not configured. Set [slack] bot_token in config.toml.")
    return services.messenger


def _jira(services: Services) -> Tracker:
    if services.tracker is None:
        raise NotConfigured("Jira is not configured. Set [jira] url and token in config.toml.")
    return services.tracker


def _post(services: Services, effect: Effect) -> Result:
    """Post a message; on blocks that Slack refuses, the plainer forms of the same message, one after the other."""
    thread_ts = _thread(services, effect.payload)
    until = effect.deadline + services.quiet / 2  # what is on its way by then has arrived when somebody looks for it
    ladder = Ladder(effect.payload, partial(_upload, services, effect))
    while True:
        form = ladder.form
        try:
            landed = _slack(services).post(
                effect.payload["channel"], form["text"], form["blocks"], effect.key, thread_ts, until
            )
        except IntegrationError as error:
            if error.code != "invalid_blocks" or not ladder.step_down(error.what):
                raise
            log.warning("plainer form", target=effect.target, **ladder.rungs, why=error.what)
            continue
        if ladder.rungs:
            log.info("posted", target=effect.target, **ladder.rungs)
        return {"channel": landed.channel_id, "ts": landed.ts}


def _upload(services: Services, effect: Effect) -> str:
    """The chart as a picture, uploaded; empty where Slack refuses that too. A second upload leaves a file nobody
    sees."""
    picture = effect.payload["picture"]
    try:
        return _slack(services).upload("chart.png", to_png(picture["svg"]), picture["alt"])
    except IntegrationError as error:
        if error.unknown or error.retry_after:
            raise
        log.warning("chart not uploaded", target=effect.target, why=error.what)
        return ""


def _thread(services: Services, payload: Mapping[str, Any]) -> str:
    if not payload.get("thread"):
        return str(payload.get("thread_ts", ""))
    with services.database.read() as connection:
        found = outbox.find_message(connection, payload["thread"])
        coming = outbox.is_waiting(connection, payload["thread"])
    if found is None and coming:
        raise IntegrationError("Slack", "the message it answers is not posted yet.")
    if found is None:
        # Its first message went astray for good; an answer without it would stand alone in the channel.
        raise IntegrationError("Slack", "the message it answers was never posted.", permanent=True)
    return found[1]


def _find_post(services: Services, effect: Effect) -> Result | None:
    thread_ts = _thread(services, effect.payload)
    oldest = effect.created_at - timedelta(minutes=5)  # Slack's clock and ours differ
    landed = _slack(services).find(effect.payload["channel"], effect.key, oldest, thread_ts)
    return {"channel": landed.channel_id, "ts": landed.ts} if landed else None


def _card(services: Services, effect: Effect) -> Result:
    """Edit the experiment's one message to what it says now, or post it where there is none yet."""
    p = effect.payload
    with services.database.read() as connection:
        known = outbox.find_message(connection, p["name"])
        card = draw_card(connection, services, p["name"])
        before = outbox.result_before(connection, effect)
    digest = digest_of(card)
    if known and p.get("if_changed") and effect.attempt == 1 and before.get("card") == digest:
        return {"channel": known[0], "ts": known[1], "card": digest}
    return {**_shown_card(services, replace(effect, payload={**p, **card}), known), "card": digest}


def _shown_card(services: Services, effect: Effect, known: tuple[str, str] | None) -> Result:
    if known is None:
        return _post(services, effect)
    try:
        _slack(services).update(*known, effect.payload["text"], effect.payload["blocks"])
    except IntegrationError as error:
        if error.code != "message_not_found":
            raise
        return _post(services, effect)  # somebody deleted the card; the next change brings it back
    return {"channel": known[0], "ts": known[1]}


def _find_card(services: Services, effect: Effect) -> Result | None:
    with services.database.read() as connection:
        known = outbox.find_message(connection, effect.payload["name"])
    return None if known else _find_post(services, effect)  # an edit is simply made again


def _respond(services: Services, effect: Effect) -> Result:
    """Answer where a person asked, or in a message to them where that place takes no answers any more."""
    p = effect.payload
    try:
        if p["response_url"]:
            _slack(services).respond(p["response_url"], p["text"], p["blocks"], p.get("in_channel", False))
            return {}
    except IntegrationError as error:
        if error.code != "expired" or not p.get("user"):
            raise
    _slack(services).post(p["user"], p["text"], p["blocks"], effect.key)
    return {}


def _home(services: Services, effect: Effect) -> Result:
    _slack(services).publish_home(effect.payload["user"], effect.payload["view"])
    return {}


def _unfurl(services: Services, effect: Effect) -> Result:
    _slack(services).unfurl(effect.payload["where"], effect.payload["unfurls"])
    return {}


def _comment(services: Services, effect: Effect) -> Result:
    """Edit the comment that is remembered, where this one edits, or write a new one."""
    p, jira, accounts = effect.payload, _jira(services), _accounts(services)
    known = _known_comment(services, effect)
    if known:
        jira.edit_comment(p["issue"], known, p["text"], accounts)
    landed = known or jira.add_comment(p["issue"], p["text"], effect.key, accounts)
    return {"channel": p["issue"], "ts": landed}


def _accounts(services: Services) -> dict[str, str]:
    """The account in Jira behind each name that may be mentioned, the names in small letters."""
    with services.database.read() as connection:
        people = load_people(connection)
    paired = _jira(services).people().by_owner
    return {name.casefold(): paired[person] for person, name in people.items() if person in paired}


def _known_comment(services: Services, effect: Effect) -> str:
    if not effect.payload.get("edits"):
        return ""
    with services.database.read() as connection:
        found = outbox.find_message(connection, effect.payload["name"])
    return found[1] if found else ""


def _find_comment(services: Services, effect: Effect) -> Result | None:
    p = effect.payload
    if _known_comment(services, effect):
        return None  # an edit is simply made again
    found = _jira(services).find_comment(p["issue"], effect.key, effect.created_at - timedelta(minutes=5))
    return {"channel": p["issue"], "ts": found} if found else None


def _remote_link(services: Services, effect: Effect) -> Result:
    _jira(services).put_remote_link(effect.payload["issue"], effect.payload)
    return {}


def _sync(services: Services, effect: Effect) -> Result:
    sync_issue(services, _jira(services), effect.payload["issue"])
    return {}


def _untimebox(services: Services, effect: Effect) -> Result:
    _jira(services).clear_timebox(effect.payload["issue"])
    return {}


def _create_issue(services: Services, effect: Effect) -> Result:
    p, jira = effect.payload, _jira(services)
    account = jira.people().account(p["owner"])
    fields = {"title": p["title"], **({"owner": account} if account else {})}
    kind = services.issue_types.get(Kind(p["kind"]), ISSUE_TYPE)
    return _linking(jira.create_issue(p["project"], kind, fields, effect.key))


def _find_created(services: Services, effect: Effect) -> Result | None:
    since = effect.created_at - timedelta(minutes=5)
    found = _jira(services).find_created(effect.payload["project"], effect.key, since)
    if found is None and services.now() - effect.sent_at < INDEX_LAG:
        # Jira's index lags behind its writes: nothing found is not nothing yet.
        raise IntegrationError("Jira", "the new issue is not in its index yet", unknown=True)
    return _linking(found) if found else None


def _linking(issue: Issue | Made) -> Result:
    return {"issue": issue.id, "key": issue.key, "url": issue.url}


DELIVERIES: Mapping[str, Delivery] = {
    MAIL: Delivery(lambda services, effect: send_letter(services, effect, effect.created_at), harmless=True),
    "slack.report": Delivery(_post, _find_post, resend_unseen=True),
    "slack.post": Delivery(_post, _find_post),
    CARD: Delivery(_card, _find_card),
    "slack.respond": Delivery(_respond, at_most_once=True),
    "slack.home": Delivery(_home, harmless=True),
    "slack.unfurl": Delivery(_unfurl, at_most_once=True),
    "jira.comment": Delivery(_comment, _find_comment),
    "jira.remote_link": Delivery(_remote_link, harmless=True),
    "jira.sync": Delivery(_sync, harmless=True),
    "jira.untimebox": Delivery(_untimebox, harmless=True),
    "jira.create": Delivery(_create_issue, _find_created, then=tie_created),
}
