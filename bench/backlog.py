"""The backlog of a team of years: 10,000 experiments with 200,000 timeline entries."""

import random
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from backlog import lifecycle
from backlog.experiment import Entry, Experiment, Kind, Stage, apply
from store.database import Database
from store.transfer import Row, restore_rows

EXPERIMENTS, ENTRIES = 10_000, 20  # and entries of each
PEOPLE, GOALS = 40, 12
WORDS = (
    "focal", "loss", "recall", "tokens", "chars", "labels", "drift", "leakage", "sampler", "warmup", "dropout", "mixup",
    "embeddings", "calibration", "threshold", "holdout", "batch", "schedule", "window", "features", "encoder", "tree",
    "boosting", "ranking", "latency", "cache", "export", "quantile", "seed", "retry",
)  # fmt: skip


def fill_years(database: Database, now: datetime) -> None:
    """Write them, each with a whole way behind it; the timelines lead to the states, or this raises."""
    with database.write() as connection:
        restore_rows(connection, _rows(now))


def _rows(now: datetime) -> Iterator[Row]:
    rng = random.Random(7)
    made = [_way(rng, number, now) for number in range(1, EXPERIMENTS + 1)]
    for person in range(PEOPLE):
        yield "person", {"id": f"U{person}", "name": f"person {person}"}
    for goal in range(GOALS):
        empty: dict[str, Any] = {"anti_goals": [], "guardrails": [], "stakeholders": [], "readiness": {}}
        yield "goal", {"key": f"goal-{goal}", "created_at": now.isoformat(), "statement": "keep clients", **empty}
    for experiment, _ in made:
        yield "experiment", {name: _plain(value) for name, value in asdict(experiment).items()}
    ids = count(1)
    for experiment, entries in made:
        for entry in entries:
            changes = {name: _plain(value) for name, value in entry.changes.items()}
            told = {"at": entry.at.isoformat(), "who": entry.who, "act": entry.act, "text": entry.text}
            yield "timeline", {"id": next(ids), "subject": experiment.key, **told, "changes": changes}


def _way(rng: random.Random, number: int, now: datetime) -> tuple[Experiment, list[Entry]]:
    who, at = f"U{number % PEOPLE}", now - timedelta(days=3 * 365 * (1 - number / EXPERIMENTS))
    goal, title = f"goal-{number % GOALS}", f"{_sentence(rng, 5)} {number}"
    first = lifecycle.create(title, who, at, kind=rng.choice([*Kind]), goal=goal, appetite="M")
    experiment, entries = apply(Experiment(number, title, at, who), first), [first]
    running = {"stage": Stage.RUNNING, "stage_since": at, "running_since": at, "bet_since": at}
    finished = {"stage": Stage.CONCLUDED, "learning": _sentence(rng, 8), "decided_at": at + timedelta(days=number % 30)}
    acts = [Entry(at, who, "started", "", running)] if number % 3 else []
    acts += [Entry(at, who, "noted", _sentence(rng, 12)) for _ in range(ENTRIES - 2 - len(acts))]
    acts.append(Entry(at, who, "decided", "stop: no gain", finished if number % 5 and number % 3 else {}))
    for entry in acts:
        experiment, entries = apply(experiment, entry), [*entries, entry]
    return experiment, entries


def _sentence(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(WORDS, k=words))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
