"""Predictions beside their outcomes, and what they are worth. Every figure is a macro-average: each history counts the
same however long it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backlog.numbers import Floats

OURS = "scrumbut"
COLUMNS = ("part", "method", "series", "origin", "horizon", "target", "prediction", "outcome")
BINS = 10


@dataclass(frozen=True, slots=True)
class Scored:
    """What one part found: its own figures, those of each rival, how much they rest on, and every prediction (a frame
    of COLUMNS). `why` is set where there was nothing to score, `wrong` too where that is a
    fault of the files."""

    figures: Mapping[str, float] = field(default_factory=dict)
    rivals: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    n: Mapping[str, int] = field(default_factory=dict)
    predictions: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=COLUMNS))
    why: str = ""
    wrong: bool = False

    def as_json(self) -> dict[str, Any]:
        """The figures as plain data."""
        if self.why:
            return {"why": self.why, "rivals": {}, "n": {}}
        rivals = {name: _rounded(figures) for name, figures in self.rivals.items()}
        return {**_rounded(self.figures), "rivals": rivals, "n": dict(self.n)}


def _rounded(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in told_figures(figures).items()}


def told_figures(figures: Mapping[str, float]) -> dict[str, float]:
    """The figures for which there was a case."""
    return {name: value for name, value in figures.items() if np.isfinite(value)}


def frame_of(part: str, cases: pd.DataFrame, methods: Mapping[str, Any], outcome: str) -> pd.DataFrame:
    """Every prediction of every method as one frame of COLUMNS; `cases` has series, origin, horizon, target and the
    outcome, `methods` one prediction a case."""
    told = cases[["series", "origin", "horizon", "target"]].assign(part=part, outcome=cases[outcome])
    frames = [told.assign(method=name, prediction=np.asarray(values, float)) for name, values in methods.items()]
    return pd.concat(frames, ignore_index=True)[list(COLUMNS)]


def weights(series: pd.Series) -> Floats:
    """The weight of each row, summing to 1, such that every series weighs the same."""
    each = 1 / series.groupby(series).transform("size").to_numpy(float)
    return np.asarray(each / each.sum())


def chance_figures(cases: pd.DataFrame, chances: Any, outcome: str, least: float = 0.005) -> dict[str, float]:
    """Brier score, log loss and expected calibration error (ten bins) of chances, held within `least` of 0 and 1."""
    held = np.clip(np.asarray(chances, float), least, 1 - least)
    hit, weight = cases[outcome].to_numpy(float), weights(cases["series"])
    place = np.minimum((held * BINS).astype(int), BINS - 1)
    apart = np.bincount(place, weight * (held - hit), BINS)
    return {
        "brier": float((weight * (held - hit) ** 2).sum()),
        "log": float(-(weight * (hit * np.log(held) + (1 - hit) * np.log(1 - held))).sum()),
        "ece": float(abs(apart).sum()),
    }


def others_rate(cases: pd.DataFrame, by: list[str], outcome: str) -> Floats:
    """The base rate of each case's kind over the *other* series, each weighing the same: no history helps to predict
    itself."""
    weighed = cases.assign(weight=weights(cases["series"]))
    weighed["hits"] = weighed["weight"] * weighed[outcome]
    everybody = weighed.groupby(by)[["hits", "weight"]].transform("sum")
    own = weighed.groupby([*by, "series"])[["hits", "weight"]].transform("sum")
    rest = everybody - own
    overall = float(weighed["hits"].sum())
    alone = rest["weight"] <= 1e-12
    return np.where(alone, overall, rest["hits"] / rest["weight"].where(~alone, 1.0))


def pinball(outcome: Floats, quantile: Floats, share: float) -> Floats:
    """The pinball loss of a predicted quantile."""
    over = outcome - quantile
    return np.asarray(np.where(over >= 0, share * over, (share - 1) * over))


def flag_figures(flags: NDArray[Any], truth: NDArray[Any], weight: Floats) -> dict[str, float]:
    """Precision, recall and the share of false alarms among what was no stall."""
    flags, truth = flags.astype(bool), truth.astype(bool)
    both = float(weight[flags & truth].sum())
    false = float(weight[flags & ~truth].sum())
    return {
        "precision": both / max(both + false, 1e-9),
        "recall": both / max(float(weight[truth].sum()), 1e-9),
        "false_alarm": false / max(float(weight[~truth].sum()), 1e-9),
    }
