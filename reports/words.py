"""The words of a report that a manager may not know, each in one line."""

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


def explain(snapshot: Snapshot, context: dict[str, Any]) -> list[str]:
    """Explanations of the glossary's terms that this week's text uses."""
    said = " ".join(
        [*context["deck"], *context["learned"], *context["changes"], *context["bets"], *context["flow"]]
        + [goal["parity"] for goal in context["goals"]]
    ).lower()
    spoken = {word.strip(".,;:()") for word in said.split()}
    metrics = {goal.metric.lower() for goal in snapshot.goals}
    parts = {part for name in metrics for part in name.replace("-", "_").split("_")}
    return [f"{term}: {meaning}." for term, meaning in GLOSSARY.items() if term in spoken or term in parts]
