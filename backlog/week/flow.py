"""The flow of work: in progress against the limit, ages, and the rate of answers."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from statistics import median

from backlog.aging import HISTORY_NEEDED, own_history
from backlog.experiment import Experiment, Outcome, Stage
from backlog.snapshot import Flow, Period
from backlog.week.known import Known
from backlog.week.period import WEEK
from backlog.week.tracks import WEEKS_SHOWN


def flow(known: Known, period: Period) -> Flow:
    """How the work flows, as of now."""
    s = known.situation
    running = [e for e in s.experiments if e.stage.in_progress]
    finished = [e for e in s.experiments if e.stage.finished]
    ages = sorted(((e.key, e.age_days(s.now) or 0) for e in running), key=lambda pair: (-pair[1], pair[0]))
    to_dev, to_prod = _iteration(finished, known.observed_at)
    return Flow(
        wip=len(running),
        wip_limit=s.rules.wip_goal * max(1, len(s.goals)),
        oldest=tuple(ages[:3]),
        finished_week=sum(bool(e.decided_at and period.start <= e.decided_at < period.end) for e in finished),
        finished_ever=len(finished),
        good_ever=sum(e.outcome is Outcome.GOOD for e in finished),
        history_needed=HISTORY_NEEDED,
        history=own_history(s.experiments),
        ideas=sum(e.stage in (Stage.IDEA, Stage.FRAMED) for e in s.experiments),
        ready=sum(e.stage is Stage.READY for e in s.experiments),
        by_week=_answers_by_week(finished, period.end),
        days_to_dev=to_dev,
        days_to_prod=to_prod,
    )


def _answers_by_week(finished: Sequence[Experiment], end: datetime) -> tuple[int, ...]:
    ages = [(end - e.decided_at) // WEEK for e in finished if e.decided_at and e.decided_at < end]
    return tuple(ages.count(back) for back in reversed(range(WEEKS_SHOWN)))


def _iteration(
    finished: Sequence[Experiment], observed_at: Mapping[str, datetime]
) -> tuple[int | None, int | None]:  # fmt: skip
    """Median days from running to production data, which is when dev has answered, and from there to the decision."""
    ways = [
        (e.running_since, observed_at[e.key], e.decided_at)
        for e in finished
        if e.running_since and e.decided_at and e.key in observed_at
    ]
    if not ways:
        return None, None
    return (
        round(median((observed - began).days for began, observed, _ in ways)),
        round(median((decided - observed).days for _, observed, decided in ways)),
    )
