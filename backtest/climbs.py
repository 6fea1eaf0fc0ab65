"""A, A' and A'' (how far a history of experiments climbs) and B (whether it has stalled).

A case is a moment of a history, a horizon and a target. Targets are gaps of 0, 0.1, 0.25, 0.5 and 1 times the gain so
far, and relative ones from 1 % to 40 % beyond the best of the first five. At most 25 moments a history and horizon.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from backlog import pace, stall
from backlog.chance import held_within
from backlog.forecast import TRIALS_NEEDED, Climb, chance_over, climb_of, gain_after, gain_chance
from backlog.metric import Better
from backlog.numbers import Floats, Places
from backtest.files import HistoryError, read_table
from backtest.scores import OURS, Scored, chance_figures, flag_figures, frame_of, others_rate, pinball, weights

HORIZONS = (3, 5, 10, 20)  # trials
GAPS = (0.0, 0.1, 0.25, 0.5, 1.0)  # of the gain so far
RELATIVE = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)  # beyond the best of the first five
MOMENTS, MOMENTS_OF_STALL = 25, 40
WEEKS = (1, 2, 4, 13, 26)
QUANTILES = (0.1, 0.5, 0.9)
SURE, UNSURE = 0.9, 0.1  # what a rule of thumb claims
LEADERBOARDS = ("pwc", "ito")  # series in per cent: a relative target is a share of what is missing to 100


@dataclass(frozen=True, slots=True)
class Series:
    """One history; `values` are oriented (larger is better), `days` since its first trial, None where undated."""

    name: str
    values: Floats
    better: Better
    days: Floats | None


def read_series(folder: Path) -> list[Series]:
    """The histories of experiments.csv and experiments_meta.csv, trials without a value left out."""
    meta = read_table(folder, "experiments_meta.csv", text=["series_id", "direction"], numbers=["dated"])
    meta = meta.drop_duplicates("series_id")
    wrong = meta.loc[~meta["direction"].isin(["max", "min"]), "direction"]
    if len(wrong):
        raise HistoryError(f'experiments_meta.csv: direction "{wrong.iloc[0][:40]}" is neither max nor min.')
    rows = read_table(folder, "experiments.csv", text=["series_id", "date"], numbers=["t", "value"])
    rows = rows.dropna(subset=["value"])
    by_series = {name: group.sort_values("t", kind="stable") for name, group in rows.groupby("series_id")}
    columns = (meta["series_id"], meta["direction"], meta["dated"])
    return [
        _series(name, direction, dated == 1, by_series[name])
        for name, direction, dated in zip(*columns, strict=True)
        if name in by_series
    ]


def _series(name: str, direction: str, dated: bool, rows: pd.DataFrame) -> Series:
    values = rows["value"].to_numpy(float)
    oriented = values if direction == "max" else -values
    days = pd.to_datetime(rows["date"].str[:10], errors="coerce", format="ISO8601") if dated else None
    known = None if days is None or days.isna().any() else np.asarray((days - days.min()).dt.days, float)
    return Series(name, oriented, Better.UP if direction == "max" else Better.DOWN, known)


def _spaced(first: int, last: int, most: int) -> Places:
    if last - first < most:
        return np.arange(first, last + 1)
    return np.unique(np.linspace(first, last, most).round().astype(int))


def _climb(series: Series, past: Floats) -> Climb:
    climb = climb_of(past if series.better is Better.UP else -past, series.better)
    assert climb is not None  # callers begin where the history suffices
    return climb


def _cases(series: Series, horizons: tuple[int, ...]) -> Iterator[dict[str, object]]:
    for ahead in horizons:
        for moment in _spaced(TRIALS_NEEDED, len(series.values) - ahead, MOMENTS):
            past, future = series.values[:moment], series.values[moment : moment + ahead]
            climb, best_then = _climb(series, past), float(future.max())
            for kind, gap in _targets(series, climb):
                hit = best_then > climb.best if gap == 0 else best_then >= climb.best + gap
                yield {
                    "series": series.name, "origin": int(moment), "horizon": ahead, "target": kind, "gap": gap,
                    "hit": int(hit), "gain": max(0.0, best_then - climb.best),
                    "chance": float(gain_chance(climb, ahead, gap)), "scale": climb.scale, "spread": climb.spread,
                    **{f"q{share}": gain_after(climb, ahead, share) for share in QUANTILES},
                    **_slopes(past, ahead),
                }  # fmt: skip


def _targets(series: Series, climb: Climb) -> Iterator[tuple[str, float]]:
    yield from ((f"G{share:g}", share * climb.scale) for share in GAPS)
    first = float(series.values[:TRIALS_NEEDED].max())
    for share in RELATIVE:
        target = _relative(series, abs(first) if series.better is Better.DOWN else first, share)
        if target is not None and (series.better is Better.UP or first < 0) and target > climb.best:
            yield f"R{share:g}", target - climb.best


def _relative(series: Series, first: float, share: float) -> float | None:
    """The oriented target; None for a value that cannot be improved relatively."""
    if series.better is Better.DOWN:
        return -first * (1 - share)
    if 0 < first <= 1:
        return first + share * (1 - first)
    if 1 < first <= 100 and series.values.max() <= 100 and series.name.startswith(LEADERBOARDS):
        return first + share * (100 - first)
    return first * (1 + share) if first > 0 else None


def _slopes(past: Floats, ahead: int) -> dict[str, float]:
    best = np.maximum.accumulate(past)
    gained = best[-1] - best[0]
    last = (best[-1] - best[-6]) / 5 if len(past) >= 6 else gained / (len(past) - 1)
    return {"slope": last * ahead, "pace": gained / (len(past) - 1) * ahead}


def score_targets(folder: Path) -> Scored:
    """A: the chance that a target is reached within k trials."""
    series = read_series(folder)
    cases = pd.DataFrame([case for one in series for case in _cases(one, HORIZONS)])
    if cases.empty:
        return Scored(why="no history is long enough")
    methods = {
        OURS: held_within(cases["chance"]),
        "base rate by horizon": others_rate(cases, ["horizon"], "hit"),
        "base rate by horizon and target": others_rate(cases, ["horizon", "target"], "hit"),
        "last slope": _thumb(cases["gap"], cases["slope"]),
        "constant rate": _thumb(cases["gap"], cases["pace"]),
    }
    figures = {name: chance_figures(cases, chances, "hit") for name, chances in methods.items()}
    n = {"series": cases["series"].nunique(), "predictions": len(cases)}
    return Scored(figures.pop(OURS), figures, n, frame_of("A", cases, methods, "hit"))


def _thumb(gap: pd.Series, reach: pd.Series) -> Floats:
    return np.where((gap <= reach) & (reach > 0), SURE, UNSURE)


def base_rates(folder: Path) -> dict[float, list[float]]:
    """How often targets were reached, by gap as a share of the gain so far and by horizon: `forecast.BASE_RATES`."""
    cases = pd.DataFrame([case for one in read_series(folder) for case in _cases(one, HORIZONS)])
    cases["weight"] = weights(cases["series"])
    cases["hits"] = cases["weight"] * cases["hit"]
    sums = cases.groupby(["target", "horizon"])[["hits", "weight"]].sum()
    rates = sums["hits"] / sums["weight"]
    return {gap: [round(float(rates[f"G{gap:g}", ahead]), 2) for ahead in HORIZONS] for gap in GAPS}


def score_range(folder: Path) -> Scored:
    """A'': where the best will be after k trials; gains are measured by the spread of the values so far."""
    cases = pd.DataFrame([c for one in read_series(folder) for c in _cases(one, HORIZONS) if c["target"] == "G0"])
    if cases.empty:
        return Scored(why="no history is long enough")
    pooled = _pooled(cases)
    methods = {
        OURS: {share: cases[f"q{share}"].to_numpy() for share in QUANTILES},
        "pooled quantiles": {share: pooled[share] * cases["scale"].to_numpy() for share in QUANTILES},
        "last slope ± 100 %": dict(
            zip(QUANTILES, (0 * cases["slope"], cases["slope"], 2 * cases["slope"]), strict=True)
        ),
        "constant rate ± 50 %": dict(zip(QUANTILES, (cases["pace"] * factor for factor in (0.5, 1, 1.5)), strict=True)),
    }
    figures = {name: _range_figures(cases, quantiles) for name, quantiles in methods.items()}
    told = pd.concat(
        frame_of("A_range", cases.assign(target=f"q{share:g}"), {name: m[share] for name, m in methods.items()}, "gain")
        for share in QUANTILES
    )
    return Scored(figures.pop(OURS), figures, {"series": cases["series"].nunique(), "predictions": len(cases)}, told)


def _pooled(cases: pd.DataFrame) -> dict[float, Floats]:
    """Quantiles of gain by gain so far at the same horizon, over the other series, each weighing the same."""
    relative, weight = (cases["gain"] / cases["scale"]).to_numpy(), weights(cases["series"])
    out = {share: np.zeros(len(cases)) for share in QUANTILES}
    for rows in cases.groupby(["series", "horizon"]).indices.values():
        own = cases.iloc[rows[0]]
        others = ((cases["horizon"] == own["horizon"]) & (cases["series"] != own["series"])).to_numpy()
        order = np.argsort(relative[others])
        reached = weight[others][order].cumsum()
        for share in QUANTILES:
            at = np.searchsorted(reached, share * reached[-1]) if len(reached) else 0
            out[share][rows] = relative[others][order][at] if len(reached) else 0.0
    return out


def _range_figures(cases: pd.DataFrame, quantiles: dict[float, Floats]) -> dict[str, float]:
    weight, gain, spread = weights(cases["series"]), cases["gain"].to_numpy(), cases["spread"].to_numpy()
    losses = [pinball(gain, np.asarray(quantiles[share]), share) / spread for share in QUANTILES]
    covered = gain <= np.asarray(quantiles[0.9]) + 1e-12
    return {"pinball": float((weight * np.mean(losses, axis=0)).sum()), "cover90": float((weight * covered).sum())}


def score_weeks(folder: Path) -> Scored:
    """A': the chance that a target is reached within w weeks, over the series that carry dates."""
    dated = [one for one in read_series(folder) if one.days is not None]
    cases = pd.DataFrame([case for one in dated for case in _week_cases(one)])
    if cases.empty:
        return Scored(why="no dated history is long enough")
    methods = {
        OURS: cases["chance"].to_numpy(),
        "base rate by weeks and target": others_rate(cases, ["horizon", "target"], "hit"),
        "last slope": _thumb(cases["gap"], cases["slope"]),
    }
    figures = {name: chance_figures(cases, chances, "hit") for name, chances in methods.items()}
    n = {"series": cases["series"].nunique(), "predictions": len(cases)}
    return Scored(figures.pop(OURS), figures, n, frame_of("A_weeks", cases, methods, "hit"))


def _week_cases(series: Series) -> Iterator[dict[str, object]]:
    assert series.days is not None
    order = np.argsort(series.days, kind="stable")
    values, days = series.values[order], series.days[order]
    span = days[-1]
    for weeks in WEEKS:
        if 7 * weeks > span / 2:
            continue
        first = days[min(TRIALS_NEEDED, len(days) - 1)] + 1
        for now in np.arange(first, span - 7 * weeks + 0.1, max(7.0, span / 40)):
            seen = days <= now
            draws = pace.trials_in(_counts(days[seen], now), weeks) if seen.sum() >= TRIALS_NEEDED else None
            if draws is None:
                continue
            climb = _climb(series, values[seen])
            coming = values[(days > now) & (days <= now + 7 * weeks)]
            best_then = float(coming.max()) if len(coming) else -np.inf
            slope = _recent_slope(values[seen], days[seen], now) * weeks
            for share in GAPS:
                gap = share * climb.scale
                hit = best_then > climb.best if gap == 0 else best_then >= climb.best + gap
                yield {
                    "series": series.name, "origin": float(now), "horizon": weeks, "target": f"G{share:g}",
                    "gap": gap, "hit": int(hit), "chance": chance_over(climb, gap, draws), "slope": slope,
                }  # fmt: skip


def _counts(days: Floats, now: float) -> Places:
    """Trials in each of the last weeks, oldest first; no week before the first trial."""
    weeks = min(pace.WEEKS_USED, max(2, int(np.ceil((now - days[0] + 1) / 7))))
    back = ((now - days) // 7).astype(int)
    return np.bincount(back[back < weeks], minlength=weeks)[::-1]


def _recent_slope(values: Floats, days: Floats, now: float) -> float:
    """The gain a week over the last four."""
    best = np.maximum.accumulate(values)
    earlier = int((days <= now - 28).sum())
    return float(best[-1] - best[max(earlier - 1, 0)]) / 4


def score_stall(folder: Path) -> Scored:
    """B: a flag is right where the next ten trials gain less than 5 % of the gain so far."""
    cases = pd.DataFrame([case for one in read_series(folder) for case in _stall_cases(one)])
    if cases.empty:
        return Scored(why="no history is long enough")
    flags = {
        OURS: cases["chance"] < stall.FLAG_UNDER,
        **{f"no new best in {n}": cases["waiting"] >= n for n in (5, 10, 20)},
        "gain of the last ten under 5 %": cases["recent"] < stall.WORTH,
    }
    truth, weight = cases["stalled"].to_numpy(), weights(cases["series"])
    figures = {name: flag_figures(np.asarray(flag), truth, weight) for name, flag in flags.items()}
    n = {"series": cases["series"].nunique(), "predictions": len(cases)}
    return Scored(
        {**figures.pop(OURS), "base_rate": float((weight * truth).sum())}, figures, n,
        frame_of("B", cases, {**flags, "scrumbut, chance of a gain": cases["chance"]}, "stalled"),
    )  # fmt: skip


def _stall_cases(series: Series) -> Iterator[dict[str, object]]:
    for moment in _spaced(stall.TRIALS_NEEDED, len(series.values) - stall.AHEAD, MOMENTS_OF_STALL):
        climb = _climb(series, series.values[:moment])
        best = np.maximum.accumulate(series.values[:moment])
        future = float(series.values[moment : moment + stall.AHEAD].max())
        yield {
            "series": series.name, "origin": int(moment), "horizon": stall.AHEAD, "target": "worth having",
            "chance": stall.stall_chance(climb), "waiting": climb.waiting,
            "stalled": int(future < climb.best + stall.worth_having(climb)),
            "recent": (best[-1] - best[max(0, moment - 11)]) / max(climb.scale, 1e-12),
        }  # fmt: skip
