"""What to look at first: learning value × impact × confidence ÷ effort, with the arithmetic in sight.

The weights are the team's, from its configuration; nothing here orders or starts anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from backlog.experiment import Experiment

FACTORS = ("learning_value", "impact", "confidence")  # each from 1 to 5, more is better
SCORES = (*FACTORS, "effort")


@dataclass(frozen=True, slots=True)
class Weights:
    """The exponent of each score; 0 leaves it out, 2 makes it count twice."""

    learning_value: float = 1
    impact: float = 1
    confidence: float = 1
    effort: float = 1


@dataclass(frozen=True, slots=True)
class Priority:
    """A score, or None while something is missing, and how it came about."""

    score: float | None
    arithmetic: str


def priority_of(experiment: Experiment, weights: Weights) -> Priority:
    """The weighted product of the scores that count. Where one of them is not given there is no number: the
    arithmetic says which, with the command that supplies it."""
    counted = {name: weight for name in SCORES if (weight := getattr(weights, name))}
    given = {name: value for name in counted if (value := getattr(experiment, name)) is not None}
    lacking = [name for name in counted if name not in given]
    if not given:
        return Priority(None, "")
    if lacking:
        options = " ".join(f"--{option_of(name)} 3" for name in lacking)
        return Priority(None, f"needs {', '.join(map(_word, lacking))}: /exp edit {experiment.key} {options}")
    score = 1.0
    for name, value in given.items():
        score *= value ** (-counted[name] if name == "effort" else counted[name])
    return Priority(round(score, 2), f"{_formula(given, counted)} = {score:.3g}")


def option_of(name: str) -> str:
    """The command's option for a score."""
    return name.removesuffix("_value")


def _formula(given: Mapping[str, int], weights: Mapping[str, float]) -> str:
    def term(name: str) -> str:
        power = f"^{weights[name]:g}" if weights[name] != 1 else ""
        return f"{given[name]}{power} {_word(name)}"

    product = " × ".join(term(name) for name in given if name != "effort") or "1"
    return f"{product} ÷ {term('effort')}" if "effort" in given else product


def _word(name: str) -> str:
    return name.replace("_", " ")
