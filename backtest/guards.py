"""D (a metric in production leaves its range), the same by the rules of the NAB benchmark, and when a slow metric
changed. Series and labels are those of NAB and TCPD.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import TypeAdapter
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from backlog.drift import READINGS_NEEDED, change_points, confirmed, suspected_at, suspicion
from backlog.numbers import Floats, Places
from backtest.files import HistoryError, columns_of, filled, read_json, read_table
from backtest.scores import COLUMNS, OURS, Scored

PROBATION = 0.15  # of a series, in which nothing is scored
PROBATION_MOST = 750  # readings, by NAB's rules
EARLY = np.timedelta64(1, "h")  # an alarm may come this much before the window
EPISODE = np.timedelta64(24, "h")  # alarms closer than this are one
MONTH = 30.4  # days
NAB_SMOOTH, NAB_NEEDED, NAB_QUIET = 36, 100, 50  # readings of five minutes: three hours, eight hours, four hours
NAB_ABOVE = 0.05  # the best of ten tried on the tuning half
NAB_FALSE = 0.11  # weight of a false alarm in NAB's standard profile
MARGIN = 5  # points: how far a change point may be off

TOO_SHORT = f"no series has more than {READINGS_NEEDED} readings"
WINDOWS = TypeAdapter(dict[str, list[tuple[datetime, datetime]]])
Alarms = Callable[[Floats], Places]


class Standard(TypedDict):
    """A published score of NAB."""

    standard: float


class Changing(TypedDict):
    """One series of TCPD with the places that each annotator marked."""

    y: list[float | None]
    annotations: dict[str, list[int]]


BOARD = TypeAdapter(dict[str, Standard])
CHANGING = TypeAdapter(dict[str, Changing])


@dataclass(frozen=True)
class Labelled:
    """One series with the windows in which something was wrong."""

    name: str
    times: NDArray[np.datetime64]
    values: Floats
    windows: tuple[tuple[np.datetime64, np.datetime64], ...]

    @cached_property
    def days(self) -> float:
        """From its first reading to its last."""
        return float((self.times[-1] - self.times[0]) / np.timedelta64(1, "D"))

    def hourly(self) -> "Labelled":
        """The same as hourly means, hours without a reading left out."""
        means = pd.Series(self.values, pd.DatetimeIndex(self.times)).resample("1h").mean().dropna()
        return Labelled(self.name, means.index.to_numpy(), np.asarray(means, float), self.windows)


def read_labelled(folder: Path) -> list[Labelled]:
    """The series of nab/ with their combined windows."""
    found = []
    for name, spans in sorted(read_json(folder, "nab/combined_windows.json", WINDOWS).items()):
        if not (folder / "nab" / name).resolve().is_relative_to((folder / "nab").resolve()):
            raise HistoryError(f'nab/combined_windows.json names "{name[:80]}", which lies elsewhere.')
        rows = read_table(folder, f"nab/{name}", numbers=["value"], instants=["timestamp"])
        rows = rows.dropna().sort_values("timestamp", kind="stable")
        pairs = tuple((_plain(start), _plain(end)) for start, end in spans)
        if len(rows) > READINGS_NEEDED:
            found.append(Labelled(name, rows["timestamp"].to_numpy(), rows["value"].to_numpy(float), pairs))
    return found


def _plain(at: datetime) -> np.datetime64:
    return np.datetime64(at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at)


def score_guard(folder: Path) -> Scored:
    """D: alarms on hourly means. A window is hit by any alarm within it; alarms outside count once a day."""
    series = [hourly for one in read_labelled(folder) if len((hourly := one.hourly()).values) > READINGS_NEEDED]
    if not series:
        return Scored(why=TOO_SHORT)
    methods: dict[str, Alarms] = {
        OURS: lambda values: suspected_at(suspicion(values)),
        "scrumbut, confirmed": lambda values: _beginnings(confirmed(values)),
        "3-sigma": three_sigma,
        "robust z above 5": robust_z,
        "EWMA": ewma,
        "CUSUM": cusum,
    }
    found = {name: [_alarms_of(one, fire) for one in series] for name, fire in methods.items()}
    figures = {name: _guard_figures(per_series) for name, per_series in found.items()}
    rows = [row for name, per_series in found.items() for one in per_series for row in one.rows(name)]
    n = {"series": len(series), "windows": sum(one.windows for one in found[OURS])}
    return Scored(figures.pop(OURS), figures, n, pd.DataFrame(rows, columns=list(COLUMNS)))


@dataclass(frozen=True)
class Fired:
    """What one method did on one series: windows hit and missed, and the beginnings of false episodes."""

    series: str
    days: float
    hits: tuple[np.datetime64, ...]
    missed: tuple[np.datetime64, ...]
    false: tuple[np.datetime64, ...]

    @property
    def windows(self) -> int:
        """How many windows were to be hit."""
        return len(self.hits) + len(self.missed)

    def rows(self, method: str) -> list[tuple[object, ...]]:
        """One row for each window, and one for each false episode: the alarm against the truth."""
        kinds = ((self.hits, "window", 1, 1), (self.missed, "window", 0, 1), (self.false, "alarm", 1, 0))
        return [
            ("D", method, self.series, str(at), 1, kind, said, true)
            for times, kind, said, true in kinds
            for at in times
        ]


def _alarms_of(series: Labelled, fire: Alarms) -> Fired:
    probation = int(PROBATION * len(series.values))
    fired = fire(series.values)
    times = series.times[fired[fired >= probation]]
    used = np.zeros(len(times), bool)
    hits: list[np.datetime64] = []
    missed: list[np.datetime64] = []
    for start, end in series.windows:
        if end < series.times[probation]:
            continue
        inside = (times >= start - EARLY) & (times <= end)
        used |= inside
        (hits if inside.any() else missed).append(start)
    outside = times[~used]
    begins = outside[np.concatenate([[True], np.diff(outside) > EPISODE])] if len(outside) else outside
    scored_days = series.days * (1 - probation / len(series.values))
    return Fired(series.name, scored_days, tuple(hits), tuple(missed), tuple(begins))


def _guard_figures(fired: list[Fired]) -> dict[str, float]:
    hits, windows = sum(len(one.hits) for one in fired), sum(one.windows for one in fired)
    false = sum(len(one.false) for one in fired)
    precision, recall = hits / max(hits + false, 1), hits / max(windows, 1)
    return {
        "f1": 2 * precision * recall / max(precision + recall, 1e-9),
        "false_alarms_per_month": false / sum(one.days for one in fired) * MONTH,
        "precision": precision,
        "recall": recall,
    }


def _beginnings(level: NDArray[np.bool_]) -> Places:
    return suspected_at(level.astype(float))


def three_sigma(values: Floats) -> Places:
    """Three standard deviations from the mean of all before."""
    past = pd.Series(values).expanding(30)
    apart = (values - past.mean().shift(1)).abs()
    return np.flatnonzero(apart > 3 * past.std().shift(1))


def robust_z(values: Floats) -> Places:
    """Five median deviations from the median of the last hundred."""
    series = pd.Series(values)
    window = series.rolling(100, min_periods=20)
    middle = window.median().shift(1)
    scatter = 1.4826 * (series - middle).abs().rolling(100, min_periods=20).median().shift(1)
    whole = (series.expanding(20).max() - series.expanding(20).min()).shift(1)
    smallest = np.maximum(0.25 * window.std().shift(1), 0.01 * whole + 1e-9)
    return np.flatnonzero(((series - middle) / np.maximum(scatter, smallest)).abs() > 5)


def ewma(values: Floats, weight: float = 0.2, limit: float = 4) -> Places:
    """An exponentially weighted mean of robust z beyond its limits."""
    series = pd.Series(values)
    middle = series.expanding(30).median().shift(1)
    scatter = 1.4826 * (series - middle).abs().expanding(30).median().shift(1)
    z = ((series - middle) / scatter.clip(lower=1e-9)).clip(-5, 5).fillna(0)
    smoothed = z.ewm(alpha=weight, adjust=False).mean()
    return np.flatnonzero(smoothed.abs() > limit * np.sqrt(weight / (2 - weight)))


def cusum(values: Floats, needed: int = 20, slack: float = 0.5, limit: float = 5) -> Places:
    """Two-sided cumulative sums from the median of the first forty since the last alarm, which restarts it."""
    alarms, start, up, down = [], 0, 0.0, 0.0
    for place, value in enumerate(values):
        if place - start < needed:
            up = down = 0.0
            continue
        base = values[start : min(place, start + 40)]
        middle = np.median(base)
        scatter = max(1.4826 * np.median(abs(base - middle)), 0.6 * base.std(), 1e-12) * (1 + 2 / len(base))
        z = min(max((value - middle) / scatter, -4), 4)
        up, down = max(0.0, up + z - slack), max(0.0, down - z - slack)
        if max(up, down) > limit:
            alarms.append(place)
            start, up, down = place, 0.0, 0.0
    return np.array(alarms, int)


def score_nab(folder: Path) -> Scored:
    """The same guard on the full series, means of three hours beside single readings, by NAB's standard profile at one
    fixed threshold; the published scores chose theirs on the whole corpus."""
    series = read_labelled(folder)
    if not series:
        return Scored(why=TOO_SHORT)
    levels = [suspicion(one.values, smooth=NAB_SMOOTH, needed=NAB_NEEDED) for one in series]
    ours = [suspected_at(level, NAB_ABOVE, NAB_QUIET) for level in levels]
    plain = [suspected_at((level > 0).astype(float), 0, NAB_QUIET) for level in levels]
    published = folder / "nab_published_scoreboard.json"
    board = read_json(folder, published.name, BOARD) if published.exists() else {}
    rivals = {f"published: {name}": {"score": scores["standard"]} for name, scores in sorted(board.items())}
    rivals["any new extreme"] = {"score": nab_score(series, plain)}
    rows = [
        ("D_nab", OURS, one.name, str(one.times[at]), 1, "alarm", 1, int(_in_window(one, one.times[at])))
        for one, fired in zip(series, ours, strict=True)
        for at in fired[fired >= _nab_probation(one)]
    ]
    n = {"series": len(series), "readings": sum(len(one.values) for one in series)}
    return Scored({"score": nab_score(series, ours)}, rivals, n, pd.DataFrame(rows, columns=list(COLUMNS)))


def _in_window(series: Labelled, at: np.datetime64) -> bool:
    return any(start <= at <= end for start, end in series.windows)


def _nab_probation(series: Labelled) -> int:
    return int(min(PROBATION * len(series.values), PROBATION * 5_000, PROBATION_MOST))


def _sigmoid(place: Floats) -> Floats:
    """NAB's reward: 1 well before the window's end, 0 at it, towards -1 after."""
    return np.where(place > 3, -1.0, 2 / (1 + np.exp(5 * np.minimum(place, 3))) - 1)


def nab_score(series: list[Labelled], alarms: list[Places]) -> float:
    """NAB's score (Lavin & Ahmad 2015): 0 for saying nothing, 100 for each window hit at its start, no false alarm."""
    total, windows = 0.0, 0
    for one, fired in zip(series, alarms, strict=True):
        probation = _nab_probation(one)
        fired = fired[fired >= probation]
        spans = [
            (int(np.searchsorted(one.times, start)), int(np.searchsorted(one.times, end, side="right")) - 1)
            for start, end in one.windows
        ]
        inside = np.zeros(len(fired), bool)
        for start, end in spans:
            if end < probation:
                continue
            windows += 1
            within = (fired >= start) & (fired <= end)
            inside |= within
            if within.any():
                first = fired[within].min()
                total += float(_sigmoid(np.array(-(end - first + 1) / (end - start + 1)))) / float(
                    _sigmoid(np.array(-1))
                )
            else:
                total -= 1
        for at in fired[~inside]:
            total += NAB_FALSE * _false_reward(at, spans)
    return 100 * (total + windows) / (2 * windows) if windows else 0.0


def _false_reward(at: int, spans: list[tuple[int, int]]) -> float:
    past = [(end, end - start + 1) for start, end in spans if end < at]
    if not past:
        return -1.0
    end, width = max(past)
    return float(_sigmoid(np.array(abs(end - at) / max(width - 1, 1))))


def score_changes(folder: Path) -> Scored:
    """When a slow metric changed: F1 against five annotators, five points off at most.

    The measure is that of van den Burg & Williams 2020.
    """
    series = {n: one for n, one in read_json(folder, "tcpd.json", CHANGING).items() if one["annotations"]}
    found = {name: change_points(filled(one["y"])) for name, one in series.items()}
    scores = {name: change_f1(series[name]["annotations"], points) for name, points in found.items()}
    if not scores:
        return Scored(why="no series")
    published = folder / "tcpdbench_published_default_f1.csv"
    rivals = {"never a change": {"f1": float(np.mean([change_f1(s["annotations"], []) for s in series.values()]))}}
    if published.exists():
        means = _published(folder, published.name, list(series))
        rivals |= {f"published: {name}": {"f1": float(value)} for name, value in means.items()}
    rows = [
        ("D_change", OURS, name, point, MARGIN, "change", 1, float(np.mean(_near(series[name], point))))
        for name, points in found.items()
        for point in points
    ]
    n = {"series": len(series), "points": sum(len(one["y"]) for one in series.values())}
    return Scored({"f1": float(np.mean(list(scores.values())))}, rivals, n, pd.DataFrame(rows, columns=list(COLUMNS)))


def _published(folder: Path, name: str, series: list[str]) -> pd.Series:
    """Each method's mean over those series."""
    methods = [column for column in columns_of(folder, name) if column != "series"]
    table = read_table(folder, name, text=["series"], numbers=methods)
    return table.loc[table["series"].isin(series), methods].mean().dropna()


def _near(series: Changing, point: int) -> list[bool]:
    return [any(abs(point - at) <= MARGIN for at in marks) for marks in series["annotations"].values()]


def change_f1(annotations: Mapping[str, list[int]], points: list[int]) -> float:
    """Precision against all annotators together, recall as the mean over them; the start counts as a change of all."""
    said = {*points, 0}
    truths = [{*marks, 0} for marks in annotations.values()]
    precision = _matched(set().union(*truths), said) / len(said)
    recall = float(np.mean([_matched(truth, said) / len(truth) for truth in truths]))
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _matched(truth: set[int], said: set[int]) -> int:
    left, count = set(said), 0
    for mark in sorted(truth):
        near = min(
            (point for point in left if abs(mark - point) <= MARGIN), key=lambda p: (abs(mark - p), p), default=None
        )
        if near is not None:
            left.remove(near)
            count += 1
    return count
