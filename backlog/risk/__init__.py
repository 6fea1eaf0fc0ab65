"""Reasons to look, found by rule. A new rule is one function in the file of its kind and one entry in RULES.

A rule never stops anything; it names cause, effect, evidence, an owner and an action.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from backlog.risk import goals, metrics, work
from backlog.risk.situation import Point, Rule, Situation
from backlog.snapshot import Risk

RULES: tuple[Rule, ...] = (
    work.decision_waiting,
    work.blocked_too_long,
    work.over_age,
    work.older_than_own,
    work.stalled,
    work.wip_over_limit,
    work.appetite_extended_again,
    work.timeboxed,
    work.unreachable,
    goals.no_usable_data,
    goals.no_metric,
    goals.no_baseline,
    goals.infrastructure_not_ready,
    goals.untested,
    goals.single_owner,
    goals.target_out_of_reach,
    goals.guardrail_breached,
    metrics.stale_metric,
    metrics.production_regression,
    metrics.parity_gap,
    metrics.unconfirmed_best,
    metrics.source_down,
)


def find_risks(s: Situation, before: Sequence[Risk] = ()) -> list[Risk]:
    """All risks, the greatest exposure first; those also in `before` are continuing."""
    known = {(risk.rule, risk.subject) for risk in before}
    found = [risk for rule in RULES for risk in rule(s)]
    return in_order(_with_trend(risk, (risk.rule, risk.subject) in known) for risk in found)


def in_order(risks: Iterable[Risk]) -> list[Risk]:
    """The greatest exposure first."""
    return sorted(risks, key=lambda risk: (-risk.exposure, risk.subject, risk.rule))


def _with_trend(risk: Risk, continuing: bool) -> Risk:
    return replace(risk, trend="continuing" if continuing else "new")


__all__ = ["RULES", "Point", "Rule", "Situation", "find_risks", "in_order"]
