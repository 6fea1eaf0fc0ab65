"""Whether an experiment has stalled: the next ten trials are unlikely to bring a gain worth having.

It offers a decision and never stops anything: "five without a new best" as a rule would lose two thirds of the gain
still to come.
"""

from backlog.chance import band, frequency
from backlog.forecast import Climb, gain_chance

TRIALS_NEEDED = 8
AHEAD = 10  # trials
WORTH = 0.05  # of the gain so far
FLAG_UNDER = 0.20  # chance; of such flags 8 to 9 in 10 were right, in trials
BASE_RATE = 0.5  # share of histories, at any moment, whose next ten trials brought no such gain


def worth_having(climb: Climb, noise: float = 0.0) -> float:
    """The gain that counts: 5 % of the gain so far, or the noise floor where that is larger."""
    return max(WORTH * climb.scale, noise)


def stall_chance(climb: Climb, noise: float = 0.0) -> float | None:
    """The chance that the next ten trials bring a gain worth having; None under eight finished trials."""
    if climb.trials < TRIALS_NEEDED:
        return None
    return float(gain_chance(climb, AHEAD, worth_having(climb, noise)))


def has_stalled(climb: Climb, noise: float = 0.0) -> bool:
    """Whether a decision should be offered; never under eight finished trials."""
    chance = stall_chance(climb, noise)
    return chance is not None and chance < FLAG_UNDER


def told_stall(climb: Climb, chance: float) -> str:
    """The sentence for a manager."""
    beside = f"others gained as much in {frequency(1 - BASE_RATE).removeprefix('about ')} such stretches"
    return (
        f"a gain worth having within the next {AHEAD} runs is {band(chance)}, {frequency(chance)} "
        f"(n = {climb.trials}, {climb.waiting} since the last new best; {beside})"
    )
