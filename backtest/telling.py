"""The figures of a backtest as text and as data."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from backtest.parts import PARTS
from backtest.scores import COLUMNS, Scored, told_figures


def told(scored: Mapping[str, Scored]) -> str:
    """Each part with its figures, the rivals under it, and how much they rest on."""
    return "\n".join(line for name, part in scored.items() for line in _lines(name, part))


def _lines(name: str, part: Scored) -> list[str]:
    if part.why:
        return [f"{name:9} {PARTS[name].about}: {part.why}"]
    rests_on = ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in part.n.items())
    rivals = [f"{'':11}{rival:32} {_figures(figures)}" for rival, figures in part.rivals.items()]
    return [f"{name:9} {PARTS[name].about} ({rests_on})", f"{'':9}  {'scrumbut':32} {_figures(part.figures)}", *rivals]


def _figures(figures: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.3f}" for name, value in told_figures(figures).items())


def as_json(scored: Mapping[str, Scored]) -> dict[str, Any]:
    """The figures by part, each with its rivals and n."""
    return {name: part.as_json() for name, part in scored.items()}


def predictions_of(scored: Mapping[str, Scored]) -> pd.DataFrame:
    """Every prediction of every method beside its outcome."""
    frames = [part.predictions for part in scored.values() if not part.predictions.empty]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(COLUMNS))
