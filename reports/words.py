"""The words of a report that a manager may not know, each in one line."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backlog.snapshot import Snapshot

# Only the words that a week uses are explained.
GLOSSARY = {
    "recall": "of all real cases, the share that was found",
    "precision": "of all cases reported, the share that was real",
    "accuracy": "the share of answers that were right",
    "auc": "how well cases are ranked, 0.5 is chance and 1 is perfect",
    "f1": "one number for recall and precision together",
    "loss": "how wrong the model is, lower is better",
    "rmse": "the usual size of an error, lower is better",
    "mae": "the average size of an error, lower is better",
    "baseline": "the number to beat: where we stood before",
    "parity": "the model does as well in production as in development",
    "dev": "development data, where models are tried",
    "prod": "production data, what customers really do",
    "appetite": "the days we bet before looking again; not a deadline",
    "run": "one training of a model",
}


def explain(snapshot: Snapshot, context: Any) -> list[str]:
    """Explanations of the glossary's terms that this text uses."""
    spoken = {word.strip(".,;:()").lower() for text in _texts(context) for word in text.split()}
    spoken |= {word[:-1] for word in spoken if word.endswith("s")}
    parts = {part for goal in snapshot.goals for part in re.split(r"[-_/ ]", goal.metric.lower())}
    return [f"{term}: {meaning}." for term, meaning in GLOSSARY.items() if term in spoken | parts]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, Sequence):
        for part in value:
            yield from _texts(part)
