"""Risks of the work itself: experiments that stall, age, wait, or are too many at once."""

from collections import defaultdict
from collections.abc import Iterator

from backlog.aging import own_history
from backlog.experiment import Experiment
from backlog.forecast import climb_of
from backlog.history import by_experiment, judged_metric
from backlog.issue import Issue, waits_for_decision
from backlog.noise import noise_of, repeats_of
from backlog.risk.situation import Situation, name_risk
from backlog.snapshot import Risk
from backlog.stall import has_stalled, stall_chance, told_stall

EXTENDED_AGAIN = 2  # bets beyond the first


def over_age(s: Situation) -> Iterator[Risk]:
    """An experiment's bet is older than its appetite."""
    for experiment in s.active:
        age, appetite = experiment.bet_days(s.now), s.rules.appetite_days.get(experiment.appetite)
        if age is None or appetite is None or age <= appetite or experiment.parked_since:
            continue
        yield name_risk(
            s,
            "over_age",
            experiment.key,
            experiment.owner,
            min(0.9, 0.4 + 0.2 * (age / appetite - 1)),
            cause=f"{age} days into the bet, appetite {experiment.appetite} is {appetite}",
            effect="the bet is spent and nobody has looked again",
            evidence=f"running since {experiment.running_since:%d %b}",
            action=f'/exp outcome {experiment.key} good|bad|interesting "…"',
        )


def older_than_own(s: Situation) -> Iterator[Risk]:
    """An experiment is older than 85 % of those that the team finished, whatever its appetite says."""
    history = own_history(s.experiments)
    if history is None:
        return
    for experiment in s.active:
        age = experiment.age_days(s.now)
        if age is None or age <= history.p85 or experiment.parked_since or not experiment.stage.in_progress:
            continue
        yield name_risk(
            s,
            "older_than_own",
            experiment.key,
            experiment.owner,
            0.35,
            cause=f"{age} days old, older than {history.percentile_reached(age)} % of those that finished",
            effect="the longer it has lasted, the longer it still takes",
            evidence=f"of the last {history.count} finished 85 % took {history.p85} days at most",
            action=f"/exp checkpoint {experiment.key}, or decide it",
        )


def stalled(s: Situation) -> Iterator[Risk]:
    """The next ten runs of an experiment are unlikely to bring a gain worth having. It only offers a decision."""
    for goal in s.goals:
        metric = judged_metric(goal.metric, goal, s.metrics)
        if metric is None:
            continue
        runs = s.runs.get(metric.id, ())
        noise = noise_of(repeats_of(s.experiments, runs))
        own = by_experiment(runs)
        for experiment in s.in_progress(goal.key):
            climb = climb_of([run.value for run in own.get(experiment.key, ())], metric.better)
            floor = noise.floor if noise else 0.0
            if climb is None or not has_stalled(climb, floor):
                continue
            yield name_risk(
                s,
                "stalled",
                experiment.key,
                experiment.owner,
                0.45,
                cause=f"{climb.waiting} runs without a new best",
                effect="more of the same will hardly bring it nearer",
                evidence=told_stall(climb, stall_chance(climb, floor) or 0.0),
                action=f"decide: iterate, pivot or stop. /exp outcome {experiment.key} …",
            )


def wip_over_limit(s: Situation) -> Iterator[Risk]:
    """More is in progress at once than the limits allow, for a goal or for a person."""
    for goal in s.goals:
        going = s.in_progress(goal.key)
        if len(going) > s.rules.wip_goal:
            yield _over_limit(s, goal.key, going[0].owner, f"on {goal.key}", going, s.rules.wip_goal)
    by_owner: dict[str, list[Experiment]] = defaultdict(list)
    for experiment in s.active:
        if experiment.stage.in_progress and not experiment.parked_since and experiment.owner:
            by_owner[experiment.owner].append(experiment)
    for owner, going in by_owner.items():
        if len(going) > s.rules.wip_person:
            yield _over_limit(s, going[-1].key, owner, "of one person", going, s.rules.wip_person)


def _over_limit(s: Situation, subject: str, owner: str, whose: str, going: list[Experiment], limit: int) -> Risk:
    return name_risk(
        s,
        "wip_over_limit",
        subject,
        owner,
        0.35,
        cause=f"{len(going)} experiments {whose} are in progress, the limit is {limit}",
        effect="each of them takes longer",
        evidence=", ".join(e.key for e in going[:6]),
        action=f'decide or park one: /exp park {going[-1].key} "…"',
    )


def appetite_extended_again(s: Situation) -> Iterator[Risk]:
    """The bet on an experiment was made anew more than once."""
    for experiment in s.active:
        if experiment.extensions >= EXTENDED_AGAIN:
            yield name_risk(
                s,
                "appetite_extended_again",
                experiment.key,
                experiment.owner,
                min(0.8, 0.3 + 0.1 * experiment.extensions),
                cause=f"its appetite was extended {experiment.extensions} times",
                effect="an open end replaces the decision",
                evidence=f"running since {experiment.running_since:%d %b %Y}" if experiment.running_since else "",
                action=f"/exp outcome {experiment.key} …, then /exp decide {experiment.key} …",
            )


def blocked_too_long(s: Situation) -> Iterator[Risk]:
    """An experiment waits beyond the day on which its block was to end, or where nobody named one for longer than the
    team lets pass."""
    for experiment in s.active:
        if not experiment.blocked_reason or not experiment.blocked_since:
            continue
        days, until = (s.now - experiment.blocked_since).days, experiment.blocked_until
        if s.now.date().isoformat() < until or (not until and days <= s.rules.blocked_days):
            continue
        yield name_risk(
            s,
            "blocked_too_long",
            experiment.key,
            experiment.owner,
            min(0.9, 0.5 + 0.02 * days),
            cause=f"blocked: {experiment.blocked_reason}",
            effect="its question stays open",
            evidence=f"since {experiment.blocked_since:%d %b}, {days} days"
            + (f", and was to end on {until}" if until else ""),
            action=f"clear it, then /exp unblock {experiment.key}",
        )


def _linked(s: Situation) -> Iterator[tuple[Experiment, Issue]]:
    """What is not finished and has an issue that was read."""
    for experiment in s.active:
        if issue := s.issue(experiment):
            yield experiment, issue


def timeboxed(s: Situation) -> Iterator[Risk]:
    """The linked issue carries a sprint or a due date, which the policy replaced."""
    for experiment, issue in _linked(s):
        if issue.timeboxed:
            yield name_risk(
                s,
                "timeboxed",
                experiment.key,
                experiment.owner,
                0.3,
                cause=f"timeboxed in Jira: {issue.timeboxed}",
                effect="an open question gets a date nobody can know",
                evidence=issue.key,
                action=f"clear both: /exp sync untimebox {issue.key}",
            )


def unreachable(s: Situation) -> Iterator[Risk]:
    """The linked issue can no longer be read: deleted, or out of our sight, and nobody can tell which."""
    for experiment, issue in _linked(s):
        if issue.unreachable_since:
            yield name_risk(
                s,
                "unreachable",
                experiment.key,
                experiment.owner,
                0.25,
                cause=f"{issue.key} cannot be read in Jira",
                effect="what happens there is not seen here",
                evidence=f"since {issue.unreachable_since:%d %b %Y}",
                action=f"give the account the right to see it, or /exp unlink {experiment.key}",
            )


def decision_waiting(s: Situation) -> Iterator[Risk]:
    """Jira says done, the backlog has no decision."""
    for experiment, issue in _linked(s):
        if waits_for_decision(issue, experiment.stage):
            yield name_risk(
                s,
                "decision_waiting",
                experiment.key,
                experiment.owner,
                0.8,
                cause=f'{issue.key} is "{issue.status}" in Jira, without a decision here',
                effect="what was learned is lost",
                evidence=f"stage {experiment.stage}",
                action=f"/exp outcome {experiment.key} …, then /exp decide {experiment.key} …",
            )
