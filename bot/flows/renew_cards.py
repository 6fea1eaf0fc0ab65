"""The card of an experiment: what it says, when it is drawn anew, and drawing it.

It is drawn in the moment in which it is sent, so it shows the latest state however long Slack was away.
"""

import json
from collections.abc import Collection, Iterable
from datetime import timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection

from backlog.experiment import Experiment, Kind, Wanted
from bot.flows.progress import progress_lines
from bot.flows.services import Services
from reports.card import Card, next_acts
from reports.rendering import render_card
from store import outbox
from store.experiments import find_experiment, linked_to, load_by_numbers, load_experiments
from store.metrics import RunNews
from store.people import load_names

KIND = "slack.card"
NAME = "slack:card:"  # and the experiment's key: how the message is called, and where it stands in line
BURST = timedelta(seconds=15)  # how long a line of a thread, or new readings, wait for more that is shown with them


def order_card(connection: Connection, services: Services, key: str) -> str:
    """Have the card shown as it is after an act; returns its name."""
    name = NAME + key
    outbox.put_latest(connection, name, KIND, {"channel": services.channel, "name": name}, services.now())
    return name


def order_cards(connection: Connection, services: Services, keys: Iterable[str], wait: timedelta = timedelta()) -> None:
    """Have the cards of those experiments that have one shown as they are, after something that was no act on them;
    nothing is sent where that shows no other card."""
    names = outbox.named_or_coming(connection, [NAME + key for key in keys]) if services.channel else set()
    payloads = {name: {"channel": services.channel, "name": name, "if_changed": True} for name in sorted(names)}
    now = services.now()
    outbox.put_unless_waiting(connection, KIND, payloads, now, now + wait)


def order_progress(connection: Connection, services: Services, news: Collection[RunNews]) -> None:
    """The same for the experiments whose progress those runs are a part of, together with what else comes within a
    moment: their own runs, and those of their goal's baselines, which tell what is noise. Finished ones are let be."""
    if not news or not services.channel:
        return
    touched = load_by_numbers(connection, sorted({run.experiment for run in news}))
    keys = {e.key for e in touched if not e.stage.finished and RunNews(e.goal, e.metric, e.number) in news}
    for baseline in (e for e in touched if e.kind is Kind.BASELINE):
        others = load_experiments(connection, Wanted(goal=baseline.goal, unfinished=True))
        keys |= {e.key for e in others if RunNews(e.goal, e.metric, baseline.number) in news}
    order_cards(connection, services, sorted(keys), BURST)


def order_card_of(connection: Connection, services: Services, issue_id: str) -> None:
    """The same for the experiment that an issue belongs to."""
    experiment = linked_to(connection, issue_id)
    order_cards(connection, services, [experiment.key] if experiment else [])


def draw_card(connection: Connection, services: Services, name: str) -> dict[str, Any]:
    """The card of that name as it stands now: `{"text", "blocks"}`."""
    experiment = find_experiment(connection, name.removeprefix(NAME))
    return draw_experiment(connection, services, experiment)


def draw_experiment(connection: Connection, services: Services, e: Experiment) -> dict[str, Any]:
    """The experiment's card: `{"text", "blocks"}`. Nothing in it changes by the passing of time alone."""
    people = load_names(connection, {e.owner})
    took = e.age_days(services.now()) if e.decided_at else None
    begun = f"begun {e.running_since:%d %b %Y}" if e.running_since else ""
    appetite = services.rules.appetite_days.get(e.appetite)
    ages = [begun if took is None else f"took {took} d", f"appetite {e.appetite} ({appetite} d)" if appetite else ""]
    found = f"{e.outcome}: {e.learning}" if e.outcome else ""
    decided = f"{e.decision}: {e.decision_reason}" if e.decision else ""
    return render_card(
        Card(
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
    )


def _waits(connection: Connection, e: Experiment) -> str:
    """Since when something could not be written to the issue; empty where all is on its way."""
    since = outbox.failing_since(connection, outbox.issue_target(e.issue_id)) if e.issue_id else None
    return f"Jira waits since {since:%d %b %H:%M} UTC" if since else ""


def digest_of(card: dict[str, Any]) -> str:
    """What is kept of a card that was sent, to see whether the next one would show anything else."""
    return sha256(json.dumps(card, sort_keys=True).encode()).hexdigest()
