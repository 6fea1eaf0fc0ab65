"""What others hear of an act: the experiment's card, a line in its thread, a decision in the channel, Jira's side.

Writes outbox rows into the act's own transaction; nothing leaves before that is committed.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from backlog.experiment import Entry, Experiment
from bot.flows.links import JIRA_SPAN
from bot.flows.order_issue import order_comment, order_link, order_sync
from bot.flows.renew_cards import BURST, order_card
from bot.flows.services import Services
from reports.filters import cut, mrkdwn
from store import outbox
from store.people import load_names

# Framing and editing show on the card alone; a decision gets a message of its own.
ONLY_ON_CARD = {"created", "framed", "edited", "unlinked", "hill", "decided", "follows"}
MOVES = {"moved", "went back"}
SAID = {  # how the thread words an act that is no verb
    "checkpoint": "looked", "half-way": "asks for a look half-way",
    "appetite spent": "asks for a decision, the appetite is spent",
}  # fmt: skip
TOLD_IN_JIRA = {"noted", "outcome", "decided"}
JIRA = "Jira"  # who acts where a change comes from there
# What the issue shares or is told of; see `sync_issue`.
SHARED = {
    "title", "owner", "labels", "jira_priority", "stage", "issue_id", "hypothesis", "metric", "eval_set", "appetite",
    "extensions", "outcome", "learning", "decision",
}  # fmt: skip
CHANGES_LINK = {"linked", "started", "moved", "went back", "decided", "edited", "extended", "appetite spent", "undone"}


def announce(connection: Connection, services: Services, experiment: Experiment, entry: Entry) -> None:
    """Tell Slack and Jira what the act changed, each only where it is configured."""
    who = load_names(connection, {entry.who}).get(entry.who, entry.who)
    if services.channel:
        _tell_slack(connection, services, experiment, entry, who)
    if services.tracker is not None and experiment.issue_id:
        tell_jira(connection, services, experiment, entry, who)


def post(connection: Connection, services: Services, target: str, text: str) -> None:
    """Say one thing in the channel."""
    outbox.put(connection, target, "slack.post", {"channel": services.channel, **_sentences([text])}, services.now())


def _tell_slack(connection: Connection, services: Services, experiment: Experiment, entry: Entry, who: str) -> None:
    name = order_card(connection, services, experiment.key)
    if entry.act not in ONLY_ON_CARD:
        _tell_thread(connection, services, name, told_in_words(entry, who))
    if entry.act == "decided":
        said = f"{experiment.key} {experiment.title} is decided: {entry.text}"
        more = f"Learning: {experiment.learning}\nDecided by {who}"
        post(connection, services, f"slack:decision:{experiment.key}", f"{said}\n{more}")


def told_in_words(entry: Entry, who: str) -> str:
    """One line of the thread: who did what."""
    if entry.act == "outcome":
        return f"{who} found it {entry.text}"
    act = f"{entry.act} to {entry.changes['stage']}" if entry.act in MOVES and "stage" in entry.changes else entry.act
    return f"{who} {SAID.get(act, act)}: {entry.text}".rstrip(": ")


def _tell_thread(connection: Connection, services: Services, card: str, line: str) -> None:
    """Say it in the card's thread, in one message with what else happens within a moment."""
    target = f"{card}:thread"
    waiting = outbox.take_waiting(connection, target, "slack.post")
    lines = [*(waiting["lines"] if waiting else ()), line]
    reply = {"channel": services.channel, "thread": card, "lines": lines, **_sentences(lines)}
    outbox.put(connection, target, "slack.post", reply, services.now(), services.now() + BURST)


def _sentences(lines: Sequence[str]) -> dict[str, Any]:
    """A message that says just this; as rich text, so that nothing in it becomes markup or a mention."""
    text = cut("\n".join(lines), 2_900)
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return {"text": mrkdwn(text), "blocks": [{"type": "rich_text", "elements": [section]}]}


def tell_jira(connection: Connection, services: Services, experiment: Experiment, entry: Entry, who: str) -> None:
    """Order what the issue must hear of an act: a comment, a sync, the link back."""
    if entry.act in TOLD_IN_JIRA or (entry.act == "undone" and entry.text in TOLD_IN_JIRA):
        order_comment(connection, services, _comment(experiment, entry, who))
    if SHARED & {*entry.changes} and entry.who != JIRA:
        order_sync(connection, services, experiment.issue_id)
    if entry.act in CHANGES_LINK:
        order_link(connection, services, _link(services, experiment))


def _link(services: Services, experiment: Experiment) -> dict[str, Any]:
    """The link back, with the stage as its icon and in its title."""
    page = services.links.to(f"/experiments/{experiment.key}", services.now(), JIRA_SPAN)
    return {
        "issue": experiment.issue_id,
        "global_id": f"scrumbut:{experiment.key}",
        "url": services.public_url + page,
        "title": f"{experiment.key} ({experiment.stage}) {experiment.title}"[:255],
        "summary": experiment.hypothesis[:255],
        "icon": f"{services.public_url}/stages/{experiment.stage}.svg",
        "stage": str(experiment.stage),
        "finished": experiment.stage.finished,
    }


def _comment(experiment: Experiment, entry: Entry, who: str) -> dict[str, Any]:
    """A comment that names its author. A note is a comment of its own; what is said again, or taken back, edits the
    one that is there."""
    taken_back = entry.act == "undone"
    act = entry.text if taken_back else entry.act
    gap = "\n\n" if "\n" in entry.text else " "  # a list or a table begins on a line of its own
    return {
        "issue": experiment.issue_id,
        "name": f"jira:comment:{experiment.issue_id}:{act}",
        "edits": taken_back or act != "noted",
        "text": f"{who} in Slack took back: {act}" if taken_back else f"{who} in Slack, {act}:{gap}{entry.text}",
    }
