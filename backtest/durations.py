"""C1 (when a number of items is done), C2 (how long one in progress still takes) and D'' (a metric that fell silent),
over issues and pull requests.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from backlog.aging import HISTORY_NEEDED, LASTING_KEPT, OLDEST_OPEN, SHORTEST, lasting_of
from backlog.drift import GAPS_KEPT, GAPS_NEEDED, longest_silence
from backlog.numbers import Floats
from backlog.pace import LONGEST, finish_weeks
from backtest.climbs import read_series
from backtest.files import read_table
from backtest.scores import OURS, Scored, chance_figures, frame_of, others_rate, pinball, weights

DAY = np.timedelta64(1, "D")
WEEKS_SEEN, WEEKS_HELD = 26, 52  # of history before the first forecast; of a project that is scored at all
EVERY, MOST_FORECASTS = 13, 40  # weeks between forecasts; forecasts a project
SIZES = (2, 4, 8, 12)  # weeks' worth of work asked for
SHARES = (0.1, 0.5, 0.8, 0.85, 0.9, 0.95)
ITEMS_HELD = 40  # finished, of a project whose ages are scored
AGES_EVERY, AGES_END = 14, 28  # days
OPEN_MOST, CASES_MOST = 12, 1_500  # open items looked at at once; cases a project
WITHIN = (7, 14, 28)  # days
GAPS_HELD, GAPS_LOOKED_AT = 20, 60


def weekly_done(folder: Path) -> dict[str, Floats]:
    """Items finished in each calendar week, by project with at least a year of them."""
    counts: dict[str, pd.Series] = {}
    if (folder / "throughput.csv").exists():
        done = read_table(folder, "throughput.csv", text=["project"], numbers=["done"], instants=["date"])
        done["done"] = done["done"].clip(lower=0)
        for project, rows in done.dropna().groupby("project"):
            counts[str(project)] = rows.set_index("date")["done"].resample("W").sum()
    if (folder / "pr_cycle.csv").exists():
        for project, rows in _merged(folder).groupby("project"):
            counts[f"pr-{project}"] = rows.set_index("finished")["project"].resample("W").count()
    return {name: weeks.to_numpy(float) for name, weeks in counts.items() if len(weeks) >= WEEKS_HELD}


def _merged(folder: Path) -> pd.DataFrame:
    """The pull requests that finished."""
    return read_table(folder, "pr_cycle.csv", text=["project"], instants=["finished"]).dropna()


def score_dates(folder: Path) -> Scored:
    """C1: in which week N items are done; N is 2 to 12 weeks' worth of the last half year's mean."""
    weeks = weekly_done(folder)
    cases = pd.DataFrame([case for name, counts in weeks.items() for case in _date_cases(name, counts)])
    if cases.empty:
        return Scored(why="no project has a year of weeks")
    cases = pd.concat(
        [rows.sample(min(len(rows), MOST_FORECASTS), random_state=1) for _, rows in cases.groupby("series")],
        ignore_index=True,
    )
    rng = np.random.default_rng(0)
    asked = zip(cases["series"], cases["origin"], cases["items"], strict=True)
    told = [_dates(weeks[name][:origin], items, rng) for name, origin, items in asked]
    spoke = np.array([ours is not None for ours, *_ in told])
    quantiles = {
        name: np.array([row[place] for row, said in zip(told, spoke, strict=True) if said])
        for place, name in enumerate((OURS, "Monte Carlo, 26 weeks", "Monte Carlo, 12 weeks", "mean rate"))
    }
    scored = cases[spoke].reset_index(drop=True)
    figures = {name: _date_figures(scored, told_weeks) for name, told_weeks in quantiles.items()}
    predictions = pd.concat(
        frame_of("C1", scored.assign(target=f"{scored_share:g}"), {n: q[:, i] for n, q in quantiles.items()}, "took")
        for i, scored_share in enumerate(SHARES)
    )
    n = {"series": scored["series"].nunique(), "predictions": len(scored), "not_enough_history": int((~spoke).sum())}
    return Scored(figures.pop(OURS), figures, n, predictions)


def _date_cases(name: str, counts: Floats) -> Iterator[dict[str, object]]:
    for origin in range(WEEKS_SEEN, len(counts) - 8, EVERY):
        rate = counts[max(0, origin - WEEKS_SEEN) : origin].mean()
        if rate <= 0:
            continue
        done = counts[origin:].cumsum()
        for size in SIZES:
            items = max(1, round(rate * size))
            if done[-1] < items and len(done) < 2.5 * size:
                continue  # the history ends too soon to judge
            took = int(np.searchsorted(done, items - 1e-9)) + 1 if done[-1] >= items else LONGEST
            yield {
                "series": name, "origin": origin, "horizon": size, "items": items, "took": min(took, LONGEST),
            }  # fmt: skip


def _dates(past: Floats, items: int, rng: np.random.Generator) -> tuple[Floats | None, ...]:
    ours = finish_weeks(past, items, SHARES)
    mean = min(LONGEST, np.ceil(items / max(past[-26:].mean(), 1e-3)))
    return ours, _resampled(past[-26:], items, rng), _resampled(past[-12:], items, rng), np.full(len(SHARES), mean)


def _resampled(past: Floats, items: int, rng: np.random.Generator) -> Floats:
    """The usual practice: futures drawn from past weeks as they were."""
    done = past[rng.integers(0, len(past), (400, LONGEST))].cumsum(axis=1) >= items
    week = np.where(done.any(axis=1), done.argmax(axis=1) + 1, LONGEST)
    return np.quantile(week, SHARES, method="higher")


def _date_figures(cases: pd.DataFrame, quantiles: Floats) -> dict[str, float]:
    weight, took, size = weights(cases["series"]), cases["took"].to_numpy(float), cases["horizon"].to_numpy(float)
    losses = [pinball(took, quantiles[:, i], share) / size for i, share in enumerate(SHARES)]
    covered = took <= quantiles[:, SHARES.index(0.85)]
    return {"cover85": float((weight * covered).sum()), "pinball": float((weight * np.mean(losses, axis=0)).sum())}


def read_items(folder: Path) -> pd.DataFrame:
    """(project, begun, finished) of pull requests and issues, in days, infinite while open. What was finished before
    it was created is dropped."""
    frames = []
    for file, begin in (("pr_cycle.csv", "started"), ("jira_rueed.csv", "created")):
        if (folder / file).exists():
            rows = read_table(folder, file, text=["project"], instants=[begin, "finished"])
            rows = rows.rename(columns={begin: "begun"})
            rows["project"] = rows["project"] if file.startswith("jira") else "pr-" + rows["project"]
            frames.append(rows)
    items = pd.concat(frames, ignore_index=True)
    for column in ("begun", "finished"):
        items[column] = (items[column] - pd.Timestamp("2000-01-01")) / pd.Timedelta(days=1)
    items = items[items["begun"].notna() & ~(items["finished"] < items["begun"])]
    enough = items.groupby("project")["finished"].transform("count") >= ITEMS_HELD
    return items[enough].assign(finished=lambda known: known["finished"].fillna(np.inf))


def score_ages(folder: Path) -> Scored:
    """C2: whether an open item of some age is done within 7, 14 or 28 days."""
    items = read_items(folder)
    cases = pd.DataFrame([case for name, rows in items.groupby("project") for case in _age_cases(str(name), rows)])
    if cases.empty:
        return Scored(why=f"no project has {ITEMS_HELD} finished items")
    methods = {
        OURS: cases["chance"],
        "base rate by horizon": others_rate(cases, ["horizon"], "hit"),
        "ignoring age": cases["ignoring"],
        "exponential": cases["exponential"],
    }
    figures = {name: chance_figures(cases, chances, "hit", 0.01) for name, chances in methods.items()}
    n = {"series": cases["series"].nunique(), "predictions": len(cases)}
    return Scored(figures.pop(OURS), figures, n, frame_of("C2", cases, methods, "hit"))


def _age_cases(name: str, rows: pd.DataFrame) -> list[dict[str, object]]:
    """Every fortnight, up to a dozen open items; at most 1,500 cases a project, picked evenly by a fixed seed."""
    begun, finished = rows["begun"].to_numpy(), rows["finished"].to_numpy()
    end = finished[np.isfinite(finished)].max()
    cases: list[dict[str, object]] = []
    for now in np.arange(np.sort(finished)[HISTORY_NEEDED] + 1, end - AGES_END, AGES_EVERY):
        done, still = np.flatnonzero(finished <= now), np.flatnonzero((begun <= now) & (finished > now))
        latest = done[np.argsort(finished[done])][-LASTING_KEPT:]
        took = np.maximum(finished[latest] - begun[latest], SHORTEST)
        lasting = lasting_of(took, now - begun[still]) if len(still) else None
        if lasting is None:
            continue
        seen = still if len(still) <= OPEN_MOST else np.random.default_rng(int(now)).choice(still, OPEN_MOST, False)
        for item in seen:
            age = float(now - begun[item])
            if age <= OLDEST_OPEN:
                cases += [
                    {
                        "series": name, "origin": round(float(now), 1), "horizon": within, "target": f"age {age:.1f}",
                        "hit": int(finished[item] - now <= within), "chance": lasting.finish_chance(age, within),
                        "ignoring": ((took <= within).sum() + 0.5) / (len(took) + 1),
                        "exponential": 1 - np.exp(-within / took.mean()),
                    }
                    for within in WITHIN
                ]  # fmt: skip
    picked = np.random.default_rng(1).choice(len(cases), min(len(cases), CASES_MOST), replace=False)
    return [cases[place] for place in sorted(picked)]


def score_silences(folder: Path) -> Scored:
    """D'': how often a metric that did come back would have been called stale."""
    rows = [row for name, gaps in _gaps(folder).items() for row in _silences(name, gaps)]
    if not rows:
        return Scored(why=f"nothing came {GAPS_HELD + 1} times")
    cases = pd.DataFrame(rows)
    weight = weights(cases["series"])
    methods = {OURS: cases["longest"], "3 × median gap": 3 * cases["median"], "mean + 3 sd": cases["sigma"]}
    figures = {
        name: {"false_per_gap": float((weight * (cases["gap"] > after)).sum())} for name, after in methods.items()
    }
    n = {"series": cases["series"].nunique(), "predictions": len(cases)}
    return Scored(figures.pop(OURS), figures, n, frame_of("D_stale", cases, methods, "gap"))


def _gaps(folder: Path) -> dict[str, Floats]:
    """Gaps between arrivals in days, of merged pull requests and of experiments that carry dates."""
    gaps: dict[str, Floats] = {}
    if (folder / "pr_cycle.csv").exists():
        for project, rows in _merged(folder).groupby("project"):
            gaps[str(project)] = np.diff(np.sort(rows["finished"].to_numpy())) / DAY
    if (folder / "experiments.csv").exists() and (folder / "experiments_meta.csv").exists():
        gaps |= {s.name: np.diff(np.sort(s.days)) for s in read_series(folder) if s.days is not None}
    return {name: np.maximum(days, SHORTEST) for name, days in gaps.items() if len(days) >= GAPS_HELD}


def _silences(name: str, gaps: Floats) -> Iterator[dict[str, object]]:
    for place in range(GAPS_NEEDED, len(gaps), max(1, (len(gaps) - GAPS_NEEDED) // GAPS_LOOKED_AT)):
        past = gaps[:place]
        recent = past[-GAPS_KEPT:]
        yield {
            "series": name, "origin": place, "horizon": 1, "target": "stale after", "gap": gaps[place],
            "longest": longest_silence(past.tolist()), "median": float(np.median(recent)),
            "sigma": recent.mean() + 3 * recent.std(ddof=1),
        }  # fmt: skip
