"""What others hear of an act: the experiment's card, a line in its thread, a decision in the channel, Jira's side.

Writes outbox rows into the act's own transaction; nothing leaves before that is committed.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from backlog.experiment import Entry, Experiment
from bot.flows.links import JIRA_SPAN
from bot.flows.order_issue import order_comment, order_link, order_sync
from bot.flows.progress import progress_lines
from bot.flows.services import Services
from reports.card import Card, next_acts
from reports.filters import cut, mrkdwn
from reports.rendering import render_card
from store import outbox
from store.people import load_people

# Framing and editing show on the card alone; a decision gets a message of its own.
ONLY_ON_CARD = {"created", "framed", "edited", "unlinked", "hill", "decided", "follows"}
MOVES = {"moved", "went back"}
SAID = {  # how the thread words an act that is no verb
    "checkpoint": "looked", "half-way": "asks for a look half-way",
    "appetite spent": "asks for a decision, the appetite is spent",
}  # fmt: skip
TOLD_IN_JIRA = {"noted", "outcome", "decided"}
BURST = timedelta(seconds=15)  # how long a line waits for others that go into the same message
JIRA = "Jira"  # who acts where a change comes from there
# What the issue shares or is told of; see `sync_issue`.
SHARED = {
    "title", "owner", "labels", "jira_priority", "stage", "issue_id", "hypothesis", "metric", "eval_set", "appetite",
    "extensions", "outcome", "learning", "decision",
}  # fmt: skip
CHANGES_LINK = {"linked", "started", "moved", "went back", "decided", "edited", "extended", "appetite spent", "undone"}


def announce(connection: Connection, services: Services, experiment: Experiment, entry: Entry) -> None:
    """Tell Slack and Jira what the act changed, each only where it is configured."""
    people = load_people(connection)
    who = people.get(entry.who, entry.who)
    if services.channel:
        _tell_slack(connection, services, experiment, entry, who, people)
    if services.tracker is not None and experiment.issue_id:
        tell_jira(connection, services, experiment, entry, who)


def post(connection: Connection, services: Services, target: str, text: str) -> None:
    """Say one thing in the channel."""
    outbox.put(connection, target, "slack.post", {"channel": services.channel, **_sentences([text])}, services.now())


def _tell_slack(
    connection: Connection,
    services: Services,
    experiment: Experiment,
    entry: Entry,
    who: str,
    people: dict[str, str],
) -> None:
    name = renew_card(connection, services, experiment, people)
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


def renew_card(connection: Connection, services: Services, experiment: Experiment, people: Mapping[str, str]) -> str:
    """Have the experiment's card show the latest state; returns its name."""
    name = f"slack:card:{experiment.key}"
    message = render_card(card_of(connection, services, experiment, people))
    payload = {"channel": services.channel, "name": name, **message}
    outbox.put_latest(connection, name, "slack.card", payload, services.now())
    return name


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


def card_of(connection: Connection, services: Services, e: Experiment, people: Mapping[str, str]) -> Card:
    """The experiment's card as it stands now."""
    age = e.age_days(services.now())
    appetite = services.rules.appetite_days.get(e.appetite)
    ages = [f"{age} d old" if age is not None else "", f"appetite {e.appetite} ({appetite} d)" if appetite else ""]
    found = f"{e.outcome}: {e.learning}" if e.outcome else ""
    decided = f"{e.decision}: {e.decision_reason}" if e.decision else ""
    return Card(
        key=e.key,
        title=e.title,
        stage=str(e.stage),
        goal=e.goal,
        owner=people.get(e.owner, e.owner),
        issue_key=e.issue_key,
        issue_url=e.issue_url,
        question=e.hypothesis,
        progress="; ".join(progress_lines(connection, e)),
        age=", ".join(part for part in ages if part),
        waits=_waits(connection, e),
        blocked=e.blocked_reason or (f"parked, {e.parked_reason}" if e.parked_since else ""),
        result=". ".join(part for part in (found, decided) if part),
        offers=next_acts(e),
    )


def _waits(connection: Connection, e: Experiment) -> str:
    """Since when something could not be written to the issue; empty where all is on its way."""
    since = outbox.failing_since(connection, outbox.issue_target(e.issue_id)) if e.issue_id else None
    return f"Jira waits since {since:%d %b %H:%M} UTC" if since else ""


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
