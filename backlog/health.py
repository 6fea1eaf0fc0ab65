"""Whether a goal is on track, by rule and with its evidence.

Red before grey before amber: a decision that is due is known even where the numbers are not. Never green while a
decision is open.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from backlog.experiment import Experiment, Stage
from backlog.parity import Parity
from backlog.snapshot import Health, Risk

QUIET = timedelta(days=10)  # without a human update for longer we do not know
DECIDE_WITHIN = timedelta(days=7)  # one report's rhythm


def goal_health(
    experiments: Sequence[Experiment],
    risks: Sequence[Risk],
    parity: Parity | None,
    measured: bool,
    updated_at: datetime | None,
    now: datetime,
) -> tuple[Health, str]:
    """The health of a goal and the sentence that explains it.

    `experiments` and `risks` are the goal's own; `measured` is whether its metric has any finite reading;
    `updated_at` is the last human act on it.
    """
    waiting = [e for e in experiments if e.stage is Stage.DECIDING]
    overdue = [e for e in waiting if e.stage_since and now - e.stage_since > DECIDE_WITHIN]
    if overdue:
        return Health.OFF_TRACK, f"{overdue[0].key} has waited for a decision for more than 7 days"
    if not measured:
        return Health.UNKNOWN, "its metric has no reading yet"
    stale = next((risk for risk in risks if risk.rule == "stale_metric"), None)
    if stale:
        return Health.UNKNOWN, stale.cause
    if updated_at is None or now - updated_at > QUIET:
        return Health.UNKNOWN, "nobody has written about it for more than 10 days"
    if waiting:
        return Health.AT_RISK, f"{waiting[0].key} waits for a decision"
    if risks:
        return Health.AT_RISK, f"{risks[0].subject}: {risks[0].cause}"
    if parity is not None and parity.holds is False:
        return Health.AT_RISK, "production does worse than development by more than the tolerance"
    return Health.ON_TRACK, "no risk found and no decision waits"


def experiment_health(experiment: Experiment, risks: Sequence[Risk], runs: int, now: datetime) -> Health | None:
    """The health of one experiment in progress, None for any other; `runs` counts its finished runs."""
    if not experiment.stage.in_progress:
        return None
    overdue = experiment.stage_since and now - experiment.stage_since > DECIDE_WITHIN
    if experiment.stage is Stage.DECIDING and overdue:
        return Health.OFF_TRACK
    if risks or experiment.stage is Stage.DECIDING:
        return Health.AT_RISK
    return Health.ON_TRACK if runs or not experiment.kind.measured else Health.UNKNOWN
