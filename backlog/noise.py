"""Whether a gain is real: held against how much the same setting scatters when it is run again.

The noise floor is pooled over a team's own repeated settings; a new best that it does not clear stays unconfirmed.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from backlog.chance import frequency
from backlog.experiment import Experiment, Kind
from backlog.metric import Better, RunValue
from backlog.numbers import Numbers
from backlog.student import t_share, t_value

FREEDOM_NEEDED = 3  # degrees of freedom: four runs of one setting, or two each of three
BETTER_ABOVE, PROBABLY_FROM = 0.95, 0.80
SEED = re.compile(r"(.*?)[-_ .]?(?:seed|repeat|rep|run)[-_ .=]?\d+", re.IGNORECASE)


class Verdict(StrEnum):
    """What may be said of a difference."""

    BETTER = "better"
    PROBABLY = "probably better, run again"
    UNCONFIRMED = "unconfirmed"
    WORSE = "worse"


@dataclass(frozen=True, slots=True)
class Noise:
    """The scatter of repeated runs: a pooled standard deviation in the metric's unit, and its degrees of freedom."""

    deviation: float
    freedom: int

    @property
    def floor(self) -> float:
        """The difference of two single runs that chance alone exceeds once in 20 times."""
        return t_value(BETTER_ABOVE, self.freedom) * self.deviation * math.sqrt(2)


def noise_of(repeats: Iterable[Numbers]) -> Noise | None:
    """The noise pooled over groups of runs of the same setting; None under three degrees of freedom."""
    groups = [np.asarray(values, float) for values in repeats]
    groups = [values for values in groups if len(values) >= 2 and np.isfinite(values).all()]
    freedom = sum(len(values) - 1 for values in groups)
    if freedom < FREEDOM_NEEDED:
        return None
    squares = sum(float(((values - values.mean()) ** 2).sum()) for values in groups)
    # Where every repeat gave the very same value, 1e-9 of it stands in for a scatter of nothing.
    smallest = 1e-9 * max(float(abs(values).max()) for values in groups) or 1e-12
    return Noise(max(math.sqrt(squares / freedom), smallest), freedom)


def repeats_of(experiments: Iterable[Experiment], runs: Iterable[RunValue]) -> list[list[float]]:
    """The values of runs of the same setting: those of each baseline experiment, and elsewhere those of one experiment
    whose names differ in a trailing seed only ("wide-seed1", "wide-seed2")."""
    baselines = {e.key for e in experiments if e.kind is Kind.BASELINE}
    groups: dict[tuple[str, str], list[float]] = defaultdict(list)
    for run in runs:
        seeded = SEED.fullmatch(run.run)
        if run.failed or not run.experiment:
            continue
        if run.experiment in baselines:
            groups[run.experiment, ""].append(run.value)
        elif seeded:
            groups[run.experiment, seeded[1]].append(run.value)
    return list(groups.values())


def chance_real(gain: float, noise: Noise, runs_before: int = 1, runs_after: int = 1) -> float:
    """The chance that a gain between two means (positive is better) is more than noise.

    T_df(D / (s sqrt(1/m1 + 1/m2)))
    """
    return t_share(gain / (noise.deviation * math.sqrt(1 / runs_before + 1 / runs_after)), noise.freedom)


def verdict_on(chance: float) -> Verdict:
    """What may be said at that chance: "better" above .95, "probably better, run again" from .80, "worse" under .05."""
    if chance > BETTER_ABOVE:
        return Verdict.BETTER
    if chance < 1 - BETTER_ABOVE:
        return Verdict.WORSE
    return Verdict.PROBABLY if chance >= PROBABLY_FROM else Verdict.UNCONFIRMED


def compare_runs(
    before: Sequence[float], after: Sequence[float], noise: Noise | None, better: Better
) -> tuple[Verdict, str]:
    """Whether the later runs are better, and the sentence for a manager; without a noise floor it is unconfirmed."""
    if noise is None:
        return (
            Verdict.UNCONFIRMED,
            f"unconfirmed: no noise floor yet, it takes {FREEDOM_NEEDED + 1} runs of one setting",
        )
    sign = 1 if better is Better.UP else -1
    gain = sign * (float(np.mean(after)) - float(np.mean(before)))
    chance = chance_real(gain, noise, len(before), len(after))
    verdict = verdict_on(chance)
    beside = f"{len(before)} against {len(after)} runs, noise from {noise.freedom + 1} or more; 1 in 2 by chance"
    sure = _sureness(1 - chance if verdict is Verdict.WORSE else chance)
    return verdict, f"{verdict}: {gain:+.4g}, noise {noise.deviation:.2g}, real with {sure} ({beside})"


def confirmation_of(runs: Iterable[RunValue], noise: Noise | None, better: Better) -> tuple[Verdict, str] | None:
    """Whether the best of the runs clears the noise above the best before it; None where there was none before."""
    finished = sorted((run for run in runs if not run.failed), key=lambda run: (run.at, run.run))
    best = better.best(run.value for run in finished)
    place = next((place for place, run in enumerate(finished) if run.value == best), 0)
    before = better.best(run.value for run in finished[:place])
    return None if best is None or before is None else compare_runs([before], [best], noise, better)


def _sureness(chance: float) -> str:
    return "more than 19 in 20" if chance > BETTER_ABOVE else frequency(min(max(chance, 0.01), BETTER_ABOVE))
