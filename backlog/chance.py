"""Chances as people hear them: natural frequencies, a band in words, and never more sureness than the trials bore out.

Judgement never says 0 %, 100 % or, of a goal, more than 85 %: above that the formulas were over-confident.
"""

from fractions import Fraction
from typing import Any

import numpy as np

LEAST, MOST = 0.01, 0.85  # what is ever claimed of a goal
BANDS = ((0.10, "unlikely"), (0.30, "a long shot"), (0.60, "could go either way"))
LIKELY = "likely"
# The shares people can picture: 1 in 100 … 1 in 2, thirds, quarters and tenths above.
SHARES = (
    *(Fraction(1, many) for many in (100, 50, 30, 20, 15, 12, 10, 8, 7, 6, 5, 4, 3, 2)),
    *(Fraction(*pair) for pair in ((2, 5), (3, 5), (2, 3), (7, 10), (3, 4), (8, 10))),
)
PICTURED = {share: float(share) for share in SHARES}


def held_within(chance: Any) -> Any:
    """A chance, or an array of them, as it may be claimed: from 1 % to 85 %."""
    return np.clip(chance, LEAST, MOST)


def band(chance: float) -> str:
    """The chance as a word: under 10 % unlikely, to 30 % a long shot, to 60 % could go either way, else likely."""
    return next((word for below, word in BANDS if chance < below), LIKELY)


def frequency(chance: float) -> str:
    """The nearest share that people can picture: "about 1 in 3", "about 7 in 10"."""
    nearest = min(PICTURED, key=lambda share: abs(PICTURED[share] - chance))
    parts, whole = (8, 10) if nearest == Fraction(8, 10) else (nearest.numerator, nearest.denominator)
    return f"about {parts} in {whole}"


def told(chance: float, counted: str, base: float) -> str:
    """A chance by the rules of speech: its band, frequency, what it rests on, and the base rate beside it."""
    rests_on = f"from {counted}; {frequency(base)} in histories of others"
    return f"{band(chance)}, {frequency(chance)} ({rests_on})"
