"""Rows of numbers as judgement takes and gives them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.intp]  # positions within a row
Numbers = Sequence[float] | NDArray[Any]
