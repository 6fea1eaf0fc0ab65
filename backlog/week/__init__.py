"""One week of the backlog as a snapshot: takes everything known, judges it, and fixes it for the report.

Renders nothing and reads nothing; what a surface says of the snapshot is the report's business.
"""

from collections.abc import Sequence
from datetime import timedelta

from backlog.experiment import Experiment, Outcome
from backlog.progress import hit_interval
from backlog.register import MANUAL, Answer, with_answers
from backlog.risk import find_risks, in_order
from backlog.snapshot import Risk, Snapshot
from backlog.week.experiments import experiment_line
from backlog.week.flow import flow
from backlog.week.goals import goal_line
from backlog.week.happened import changes, decisions, learned
from backlog.week.known import Known, Occasion, View, by_experiment, by_subject, of_team
from backlog.week.period import period_of, report_id

LATE = timedelta(hours=1)  # a report later than this says so


def take_snapshot(occasion: Occasion, known: Known) -> Snapshot:
    """The week's snapshot; the same arguments give an equal one."""
    known = of_team(known, occasion.team)
    s = known.situation
    period = period_of(occasion.due_at, occasion.zone, occasion.every)
    before = known.previous.risks if known.previous else ()
    standing = with_answers(find_risks(s, before), known.register, s.now)
    risks = in_order(risk for risk in standing if risk.answer != Answer.MUTED)
    view = View(known, period, occasion.subject, risks, by_subject(risks), by_experiment(s.runs))
    touched = {key for key, entry in known.entries if period.start <= entry.at < period.end}
    return Snapshot(
        report=occasion.report,
        audience=occasion.audience,
        id=report_id(occasion.report, occasion.audience, period, occasion.subject),
        period=period,
        made_at=s.now,
        late=s.now - occasion.due_at > LATE,
        schedule=occasion.schedule,
        public_url=occasion.public_url,
        goals=tuple(goal_line(goal, view) for goal in s.goals),
        experiments=tuple(experiment_line(e, view, e.key in touched) for e in s.experiments),
        decisions=tuple(decisions(s)),
        learned=tuple(learned(view)),
        changes=tuple(changes(known, period)),
        risks=tuple(risks),
        flow=flow(known, period),
        sources=tuple(known.sources),
        policy=s.rules.policy,
        people=dict(known.people),
        resolved=_resolved([*before, *(entry.risk for entry in known.settled)], standing),
        subject=occasion.subject,
        team=occasion.team.name if occasion.team else "",
        hit_interval=_hits(s.experiments),
    )


def _resolved(before: Sequence[Risk], risks: Sequence[Risk]) -> tuple[Risk, ...]:
    """Those of before that are gone, each once."""
    there = {_identity(risk) for risk in risks}
    gone = {_identity(risk): risk for risk in before}
    return tuple(risk for key, risk in gone.items() if key not in there)


def _identity(risk: Risk) -> tuple[str, str, int]:
    return risk.rule, risk.subject, risk.number if risk.rule == MANUAL else 0


def _hits(experiments: Sequence[Experiment]) -> tuple[float, float] | None:
    finished = [e for e in experiments if e.stage.finished]
    return hit_interval(sum(e.outcome is Outcome.GOOD for e in finished), len(finished))


__all__ = ["Known", "Occasion", "period_of", "report_id", "take_snapshot"]
