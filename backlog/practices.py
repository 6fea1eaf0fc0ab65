"""The seven practices of a sound ML project, and which of them a goal keeps. A new practice is one function and one
entry in PRACTICES.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backlog.experiment import Kind
from backlog.goal import DATA_MARKS, TEST_MARKS, Answer3, Goal
from backlog.metric import PROD, Metric


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a goal: its metrics, the kinds concluded and the kinds going on, whether production is read,
    and whether a model there beats the baseline."""

    goal: Goal
    metrics: Sequence[Metric]
    concluded: frozenset[Kind]
    going_on: frozenset[Kind]
    prod_read: bool
    prod_beats_baseline: bool


Verdict = tuple[bool, str]  # whether it holds, and what it rests on or lacks


def _all_yes(goal: Goal, names: Sequence[str]) -> Verdict:
    open_marks = [name for name in names if goal.mark(name).answer is not Answer3.YES]
    lacking = f"not confirmed: {', '.join(open_marks)}" if open_marks else "confirmed"
    return not open_marks, lacking


def data_and_goal_understood(s: Standing) -> Verdict:
    """The data is there and usable, or an experiment answered so."""
    if Kind.DATA_UNDERSTANDING in s.concluded:
        return True, "an experiment answered it"
    return _all_yes(s.goal, ("exists", *DATA_MARKS))


def metric_developed(s: Standing) -> Verdict:
    """The goal's metric is read from somewhere, on a named evaluation set."""
    own = [metric for metric in s.metrics if metric.name == s.goal.metric]
    if not own:
        return False, "the goal's metric is not read from any source"
    named = any(metric.eval_set for metric in own)
    return named, "read on a named evaluation set" if named else "no evaluation set is named"


def infrastructure_ready(s: Standing) -> Verdict:
    """Iterations are fast before the first experiment."""
    if Kind.INFRASTRUCTURE in s.concluded:
        return True, "an experiment answered it"
    return _all_yes(s.goal, ("infrastructure", "pipeline"))


def simple_model_first(s: Standing) -> Verdict:
    """There is a number to beat."""
    if Kind.BASELINE in s.concluded:
        return True, "a baseline was concluded"
    known = s.goal.baseline is not None
    return known, f"baseline {s.goal.baseline:g}" if s.goal.baseline is not None else "no baseline"


def everything_tested(s: Standing) -> Verdict:
    """Infrastructure, data, code and deployment are tested."""
    return _all_yes(s.goal, TEST_MARKS)


def monitored(s: Standing) -> Verdict:
    """The metric is read in production too."""
    defined = any(m.environment == PROD and m.name == s.goal.metric for m in s.metrics)
    if not defined:
        return False, "no metric in prod"
    return s.prod_read, "read in production" if s.prod_read else "no reading in prod yet"


def research_only_then(s: Standing) -> Verdict:
    """Research waits for a model that beats the baseline in production."""
    if s.prod_beats_baseline:
        return True, "production beats the baseline"
    early = Kind.RESEARCH in s.going_on
    return not early, "research runs before production beats the baseline" if early else "no research yet"


PRACTICES: tuple[tuple[str, Callable[[Standing], Verdict]], ...] = (
    ("data and goal understood", data_and_goal_understood),
    ("metric developed", metric_developed),
    ("infrastructure ready", infrastructure_ready),
    ("simple model first", simple_model_first),
    ("everything tested", everything_tested),
    ("monitored", monitored),
    ("research only then", research_only_then),
)


def practices_of(standing: Standing) -> list[tuple[str, bool, str]]:
    """(practice, whether it holds, why) in the order in which a sound project comes to them."""
    return [(name, *judge(standing)) for name, judge in PRACTICES]
