"""Student's t for whole degrees of freedom: exact, by the finite sums of Abramowitz & Stegun, 26.7.3 and 26.7.4."""

import math
from functools import lru_cache

NARROW = 1e-12  # where the bisection of a quantile ends
PRACTICALLY_NORMAL = 2_000  # degrees of freedom from which the normal distribution serves


def t_share(value: float, freedom: int) -> float:
    """The probability of at most `value`; `freedom` is at least 1."""
    if freedom >= PRACTICALLY_NORMAL:
        return (1 + math.erf(value / math.sqrt(2))) / 2
    angle = math.atan(value / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = term if freedom > 1 else 0.0
    for power in range(2 + odd, freedom - 1, 2):
        term *= cosine**2 * (power - 1) / power
        total += term
    within = (angle + sine * total) * 2 / math.pi if odd else sine * total
    return (1 + within) / 2


@lru_cache(1_000)  # a report asks the same of every experiment of a goal
def t_value(share: float, freedom: int) -> float:
    """The value that is not exceeded with probability `share`, which lies between 0 and 1."""
    low, high = -1.0, 1.0
    while t_share(low, freedom) > share:
        low *= 2
    while t_share(high, freedom) < share:
        high *= 2
    while high - low > NARROW * max(1.0, abs(high)):
        middle = (low + high) / 2
        low, high = (middle, high) if t_share(middle, freedom) < share else (low, middle)
    return (low + high) / 2
