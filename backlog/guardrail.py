"""Guardrails: what must not get worse while a goal is pursued, judged where it names a metric and a bound."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from backlog.metric import RunValue

# "latency <= 200 ms", "precision at least 0.9", "p95_latency below 200"
FORM = re.compile(
    r"\s*(?P<metric>[\w.:/-]+)\s*(?P<word><=|>=|<|>|≤|≥|below|under|at most|above|over|at least)\s*"
    r"(?P<bound>[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?)\b.*",
    re.IGNORECASE,
)
UPPER = {"<", "<=", "≤", "below", "under", "at most"}
STRICT = {"<", ">", "below", "under", "above", "over"}


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A metric's name and the bound it must keep; `upper` bounds from above, `strict` leaves the bound itself out."""

    metric: str
    bound: float
    upper: bool
    strict: bool

    def __str__(self) -> str:
        sign = ("<" if self.upper else ">") + ("" if self.strict else "=")
        return f"{self.metric} {sign} {self.bound:g}"

    def holds(self, value: float) -> bool:
        """Whether a value keeps the bound."""
        if value == self.bound:
            return not self.strict
        return value < self.bound if self.upper else value > self.bound


def read_guardrail(text: str) -> Guardrail | None:
    """The guardrail in what a person typed; None for a sentence that only people can judge."""
    match = FORM.fullmatch(text)
    if match is None:
        return None
    word = match["word"].lower()
    return Guardrail(match["metric"], float(match["bound"]), word in UPPER, word in STRICT)


def latest_value(points: Sequence[tuple[datetime, float]], runs: Sequence[RunValue]) -> float | None:
    """The latest single reading, else the value of the latest finished run; None where there is neither."""
    if points:
        return points[-1][1]
    finished = [run for run in runs if not run.failed]
    return max(finished, key=lambda run: run.at).value if finished else None
