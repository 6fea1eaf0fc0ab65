"""Evaluation sets: what a value was measured on. Only values of one set are ever compared.

A name is `data/split@version`; split and version may be missing, and `holdout-v3` is a name of data alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass

from backlog.metric import Metric, RunValue

PARTS = ("data", "split", "version")


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """The comparability key: data set, split and version of the evaluation; empty where the name does not say."""

    data: str
    split: str = ""
    version: str = ""


def read_evaluation_set(name: str) -> EvaluationSet:
    """The parts of a name; upper and lower case and blanks around them do not matter."""
    rest, _, version = name.strip().lower().partition("@")
    data, _, split = rest.partition("/")
    return EvaluationSet(data.strip(), split.strip(), version.strip())


def why_not_comparable(left: str, right: str) -> str:
    """Why values on those two sets must not be compared, naming the parts that differ; empty where they may. A set that
    nobody named is taken for the other one's."""
    if not left.strip() or not right.strip():
        return ""
    pairs = zip(PARTS, astuple(read_evaluation_set(left)), astuple(read_evaluation_set(right)), strict=True)
    differing = [part for part, ours, theirs in pairs if ours != theirs]
    if not differing:
        return ""
    said = "" if differing == ["data"] else f" in {' and '.join(differing)}"
    return f'not comparable: evaluation sets "{left}" and "{right}" differ{said}'


def comparable_runs(metric: Metric, runs: Iterable[RunValue]) -> tuple[list[RunValue], list[RunValue]]:
    """The runs that may be compared with each other, and those left out because they were measured on another set than
    the metric's, or than the latest run's where the metric names none."""
    runs = list(runs)
    named = metric.eval_set or _latest_named(runs)
    sets = {run.eval_set for run in runs}  # few, and the runs are many
    foreign = {eval_set for eval_set in sets if why_not_comparable(eval_set, named)}
    kept = [run for run in runs if run.eval_set not in foreign]
    return kept, [run for run in runs if run.eval_set in foreign]


def _latest_named(runs: Sequence[RunValue]) -> str:
    named = [run for run in runs if run.eval_set]
    return max(named, key=lambda run: (run.at, run.run)).eval_set if named else ""
