"""What one measurement says, and how two are compared."""

import time
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
    return judged(name, [mine for mine, _ in pairs], [bare for _, bare in pairs], unit, bar)


def judged(name: str, ours: list[float], floor: list[float], unit: str, bar: float | None) -> Measured:
    """The medians of two rows of figures that were taken by turns."""
    mine, bare = median(ours), median(floor)
    ratio = mine / bare
    return Measured(name, mine, bare, ratio, unit, bar, len(ours), bar is None or ratio <= bar)


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
