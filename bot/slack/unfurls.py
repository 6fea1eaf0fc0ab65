"""What links to experiments, reports and linked Jira issues lead to, shown under the message that shares them.

Not twice within half an hour in one channel, not where three links or more stand together, and nothing outside our own
workspace.
"""

import re
from datetime import timedelta
from hashlib import sha256
from urllib.parse import urlsplit

from sqlalchemy import Connection

from backlog.errors import NotFound
from bot.flows.renew_cards import draw_experiment
from bot.flows.services import Services
from bot.slack.blocks import Block, paragraph
from bot.slack.desk import Payload, told
from reports.contents.phrases import bottom_line
from store import outbox
from store.experiments import find_experiment
from store.people import first_within
from store.reports import StoredReport, find_report

AGAIN_AFTER = timedelta(minutes=30)
LINKS_MAX = 2
EXPERIMENT = re.compile(r"/experiments/(EXP-\d+)/?", re.IGNORECASE)
REPORT = re.compile(r"/reports/([^/?]+)/?")
ISSUE = re.compile(r"/browse/([A-Z][A-Z0-9_]+-\d+)/?", re.IGNORECASE)


def unfurl_links(services: Services, body: Payload) -> None:
    """Show what the links of one message lead to, as far as it is ours."""
    event = body.get("event")
    links = event.get("links") if isinstance(event, dict) else None
    if not isinstance(links, list) or len(links) > LINKS_MAX or body.get("is_ext_shared_channel"):
        return
    inside = bool(isinstance(event, dict) and event.get("is_bot_user_member"))
    channel, urls = told(event, "channel"), [told(link, "url") for link in links]
    with services.database.write() as connection:
        shown = {url: blocks for url in urls if (blocks := _shown(connection, services, url, inside))}
        fresh = {
            url: {"blocks": blocks} for url, blocks in shown.items() if _is_fresh(connection, services, channel, url)
        }
        if fresh:
            payload = {"where": _where(event), "unfurls": fresh}
            outbox.put(connection, f"slack:unfurl:{channel}", "slack.unfurl", payload, services.now())


def _is_fresh(connection: Connection, services: Services, channel: str, url: str) -> bool:
    digest = sha256(url.encode()).hexdigest()[:32]
    return first_within(connection, f"unfurl:{channel}:{digest}", services.now(), AGAIN_AFTER)


def _where(event: object) -> dict[str, str]:
    if told(event, "unfurl_id"):
        return {"unfurl_id": told(event, "unfurl_id"), "source": told(event, "source")}
    return {"channel": told(event, "channel"), "ts": told(event, "message_ts")}


def _shown(connection: Connection, services: Services, url: str, inside: bool) -> list[Block]:
    """What stands there; empty for what is not ours. A report is shown only where the bot is a member: it may be meant
    for few."""
    path, ours = urlsplit(url).path, url.startswith(f"{services.public_url}/")
    try:
        if ours and (match := EXPERIMENT.fullmatch(path)):
            return _card(connection, services, match[1])
        if ours and inside and (match := REPORT.fullmatch(path)):
            return _report(find_report(connection, match[1]))
        if match := ISSUE.fullmatch(path):
            issue_url = find_experiment(connection, match[1]).issue_url
            same = urlsplit(issue_url).netloc == urlsplit(url).netloc
            return _card(connection, services, match[1]) if same else []
    except NotFound:
        return []
    return []


def _report(found: StoredReport) -> list[Block]:
    named = paragraph(f"{found.report.capitalize()} report {found.period}, {found.audience}", bold=True)
    return [named, paragraph(found.snapshot.bottom_line or bottom_line(found.snapshot))]


def _card(connection: Connection, services: Services, key: str) -> list[Block]:
    card = draw_experiment(connection, services, find_experiment(connection, key))
    return [block for block in card["blocks"] if block["type"] != "actions"]
