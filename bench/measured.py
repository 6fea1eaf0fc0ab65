"""What one measurement says, and how two are compared."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

RUNS = 7  # alternating; the median counts


@dataclass(frozen=True)
class Measured:
    """One line of bench.json; a `bar` of None is not judged."""

    name: str
    ours: float
    floor: float
    ratio: float
    unit: str
    bar: float | None
    runs: int
    met: bool


def compare(name: str, ours: Callable[[], float], floor: Callable[[], float], unit: str, bar: float | None) -> Measured:
    """Medians of alternating runs; each callable returns its own figure in the unit, the smaller the better."""
    ours(), floor()  # warm both
    pairs = [(ours(), floor()) for _ in range(RUNS)]
    mine, bare = (median(column) for column in zip(*pairs, strict=True))
    ratio = mine / bare
    return Measured(name, mine, bare, ratio, unit, bar, RUNS, bar is None or ratio <= bar)
