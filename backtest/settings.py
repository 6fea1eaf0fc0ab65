"""D' (the gap between dev and prod) and E (whether a gain is real), over models in public and repeated public runs."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from backlog.noise import BETTER_ABOVE, chance_real, noise_of
from backlog.numbers import Floats
from backlog.parity import PAIRS_NEEDED, expect_production
from backtest.files import read_table
from backtest.scores import COLUMNS, OURS, Scored, frame_of

PRODUCTIONS = ("v2", "real", "sketch", "r", "a")  # data sets that stand for production
FAMILY_HELD, DRAWS = 8, 60  # models of a family that is scored; draws of each
PAIRS = (PAIRS_NEEDED, 5, 7)
RUNS_HELD = 8  # runs of one setting that is scored
LOSSES = (3.2, 3.4)  # of settings that are alike enough to be compared
RUNS, REPEATS = (1, 3, 5), 3_000
CLEAR, LARGEST = 2.0, 0.01  # standard errors a true difference shows; the largest that anybody would ask about


def score_gap(folder: Path) -> Scored:
    """D': whether the production value of the next model lies in the interval told by three past gaps."""
    models = read_table(
        folder, "devprod_timm.csv", text=["family"], numbers=["dev_top1", *PRODUCTIONS], optional=PRODUCTIONS
    )
    rows = list(_gaps(models, np.random.default_rng(0)))
    if not rows:
        return Scored(why=f"no family has {FAMILY_HELD} models")
    cases = pd.DataFrame(rows)
    three = cases[cases["horizon"] == PAIRS_NEEDED]
    figures = {"cover80": _covered(three, "low", "high")}
    figures |= {f"cover80_{pairs}": _covered(cases[cases["horizon"] == pairs], "low", "high") for pairs in PAIRS[1:]}
    rivals = {
        "smallest to largest past gap": {"cover80": _covered(three, "least", "most")},
        "the same as in dev": {"cover80": float((three["dev"] == three["prod"]).mean())},
    }
    predictions = pd.concat(
        frame_of("D_gap", cases.assign(target=name), {OURS: cases[name]}, "prod") for name in ("low", "middle", "high")
    )
    n = {"families": three["series"].nunique(), "predictions": len(three)}
    return Scored(figures, rivals, n, predictions)


def _gaps(models: pd.DataFrame, rng: np.random.Generator) -> Iterator[dict[str, object]]:
    for production in (name for name in PRODUCTIONS if name in models.columns):
        for family, rows in models.dropna(subset=["dev_top1", production]).groupby("family"):
            if len(rows) < FAMILY_HELD:
                continue
            dev, prod = rows["dev_top1"].to_numpy(), rows[production].to_numpy()
            for draw in range(DRAWS):
                order = rng.permutation(len(rows))
                for pairs in PAIRS:
                    past, coming = order[:pairs], order[pairs]
                    expected = expect_production(dev[coming], list(zip(dev[past], prod[past], strict=True)))
                    assert expected is not None
                    gaps = dev[past] - prod[past]
                    yield {
                        "series": f"{family}-{production}", "origin": draw, "horizon": pairs, "prod": prod[coming],
                        "dev": dev[coming], "low": expected.low, "middle": expected.middle, "high": expected.high,
                        "least": dev[coming] - gaps.max(), "most": dev[coming] - gaps.min(),
                    }  # fmt: skip


def _covered(cases: pd.DataFrame, low: str, high: str) -> float:
    return float(((cases["prod"] >= cases[low] - 1e-9) & (cases["prod"] <= cases[high] + 1e-9)).mean())


def score_noise(folder: Path) -> Scored:
    """E: how often two halves of the same setting are told apart, and how good the chance is that one setting beats
    another; the truth comes from the runs not looked at, the noise from the other settings."""
    runs = read_table(folder, "seeds_nanogpt.csv", text=["group"], numbers=["val_loss"]).dropna()
    settings = {
        str(name): rows["val_loss"].to_numpy(float)
        for name, rows in runs.groupby("group")
        if len(rows) >= RUNS_HELD and LOSSES[0] < rows["val_loss"].mean() < LOSSES[1]
    }
    if len(settings) < 3:
        return Scored(why=f"fewer than 3 settings have {RUNS_HELD} runs")
    cases = pd.DataFrame(_pairs(settings, np.random.default_rng(0)))
    same, other = cases[cases["target"] == "same"], cases[cases["target"] != "same"]
    figures = {name: _noise_figures(same, other, name) for name in (OURS, "higher wins")}
    ours = figures.pop(OURS)
    for count in RUNS:
        part = _noise_figures(same[same["horizon"] == count], other[other["horizon"] == count], OURS)
        ours |= {f"{name}_{count}": value for name, value in part.items()}
    n = {"settings": len(settings), "predictions": len(cases)}
    told = frame_of("E", cases, {OURS: cases[OURS], "higher wins": cases["higher wins"]}, "lower")
    return Scored(ours, figures, n, told[list(COLUMNS)])


def _noise_figures(same: pd.DataFrame, other: pd.DataFrame, method: str) -> dict[str, float]:
    claimed = (same[method] > BETTER_ABOVE) | (same[method] < 1 - BETTER_ABOVE)
    squares = (other[method].clip(0.02, 0.98) - other["lower"]) ** 2
    return {
        "false_claim": float(claimed.groupby(same["horizon"]).mean().mean()),
        "brier": float(squares.groupby(other["horizon"]).mean().mean()),
    }


def _pairs(settings: Mapping[str, Floats], rng: np.random.Generator) -> Iterator[dict[str, object]]:
    names = list(settings)
    for count in RUNS:
        for place in range(REPEATS):
            name = names[rng.integers(len(names))]
            if len(settings[name]) >= 2 * count:
                drawn = rng.permutation(settings[name])
                yield _case(settings, [name], drawn[:count], drawn[count : 2 * count], count, place, np.nan)
            first, second = (names[pick] for pick in rng.choice(len(names), 2, replace=False))
            left, right = rng.permutation(settings[first]), rng.permutation(settings[second])
            truth, error = _rest(left[count:], right[count:])
            if CLEAR * error <= abs(truth) <= LARGEST:
                yield _case(settings, [first, second], left[:count], right[:count], count, place, float(truth > 0))


def _rest(left: Floats, right: Floats) -> tuple[float, float]:
    """The true difference, and its standard error."""
    error = np.sqrt(left.var(ddof=1) / len(left) + right.var(ddof=1) / len(right))
    return float(right.mean() - left.mean()), float(error)


def _case(
    settings: Mapping[str, Floats], seen: Sequence[str], left: Floats, right: Floats, count: int,
    place: int, truth: float,
) -> dict[str, object]:  # fmt: skip
    noise = noise_of([values for name, values in settings.items() if name not in seen])
    assert noise is not None
    gain = float(right.mean() - left.mean())
    return {
        "series": " against ".join(seen), "origin": place, "horizon": count, "lower": truth,
        "target": "same" if len(seen) == 1 else "other", OURS: chance_real(gain, noise, count, count),
        "higher wins": 0.98 if gain > 0 else 0.02,
    }  # fmt: skip
