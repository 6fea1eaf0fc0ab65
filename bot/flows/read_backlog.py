"""Questions about the backlog, answered from what is stored; nothing here writes or goes over the network."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from backlog import practices
from backlog.aging import age_in_words, told_lasting
from backlog.errors import GateClosed, NotFound
from backlog.experiment import STAGES, Entry, Experiment, Stage, Wanted
from backlog.gates import Lack, check_gates
from backlog.goal import Goal
from backlog.issue import Comment, Issue
from backlog.metric import PROD, Metric
from backlog.practices import practices_of
from backlog.priority import Priority, Weights, priority_of
from backlog.progress import Standing, standing
from bot.flows.evidence import gather_evidence
from bot.flows.own_ages import OwnAges, own_ages
from bot.flows.progress import progress_lines
from bot.flows.services import Caller, Services
from store.experiments import (
    count_experiments,
    find_experiment,
    last_subject,
    load_by_numbers,
    load_experiments,
    load_followers,
    load_last_entries,
    load_page,
)
from store.goals import find_goal, load_deployments, load_goals, load_past_values
from store.issues import find_issue, load_comments
from store.memory import search
from store.metrics import load_metrics, run_values
from store.people import load_names, load_people, person_named

ALL = 1 << 62  # more than there are
UNSCORED = Priority(None, "")


@dataclass(frozen=True, slots=True)
class Shown:
    """An experiment as a person reads it: names for ids, its age beside the team's own, its priority with the
    arithmetic where that was asked for, its issue as last read, what follows from it, progress per environment, what
    is missing to leave its stage, the latest of its entries in the timeline with names and how many there are, and what
    people last said on its issue."""

    experiment: Experiment
    owner: str
    age_days: int | None
    age: str = ""
    priority: Priority = UNSCORED
    followers: tuple[str, ...] = ()
    issue: Issue | None = None
    progress: tuple[str, ...] = ()
    missing: tuple[Lack, ...] = ()
    timeline: tuple[tuple[str, Entry], ...] = ()
    entries: int = 0
    comments: tuple[Comment, ...] = ()


@dataclass(frozen=True, slots=True)
class ShownGoal:
    """A goal with the best so far in words, its metrics, how many experiments stand in each stage, which practices
    hold and why, the numbers it had before, and what went to production when."""

    goal: Goal
    best: str
    metrics: Sequence[Metric]
    stages: Mapping[Stage, int]
    practices: Sequence[tuple[str, bool, str]]
    past: Sequence[tuple[datetime, str, Mapping[str, Any]]]
    deployments: Sequence[tuple[datetime, str]] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the experiments asked for, and how many there are in all."""

    shown: list[Shown]
    total: int


def list_experiments(
    services: Services, wanted: Wanted, *, limit: int | None = None, page: int = 1, by_priority: bool = False
) -> Page:
    """One page of what is wanted, the unfinished first; by priority, what has a score comes before what has none.
    Raises NotFound for a goal that does not exist."""
    now = services.now()
    with services.database.read() as connection:
        if wanted.goal:
            wanted = replace(wanted, goal=find_goal(connection, wanted.goal).key)
        total = count_experiments(connection, wanted, now)
        offset = (page - 1) * limit if limit else 0
        if by_priority:
            every = _all_shown(connection, load_page(connection, wanted, now, None), now, services.rules.weights)
            every.sort(key=lambda shown: -(shown.priority.score or 0))
            return Page(every[offset : offset + limit if limit else None], total)
        return Page(_all_shown(connection, load_page(connection, wanted, now, limit, offset), now), total)


def find_past(services: Services, words: str, *, every_word: bool = True, limit: int = 20) -> list[Shown]:
    """Experiments that speak of those words, the nearest first; bad outcomes are found like good ones."""
    with services.database.read() as connection:
        found = load_by_numbers(connection, search(connection, words, every_word=every_word, limit=limit))
        return _all_shown(connection, found, services.now())


def show_experiment(services: Services, key: str, entries: int = ALL) -> Shown:
    """All that is known of one experiment, with that many of its latest entries. Raises NotFound."""
    with services.database.read() as connection:
        experiment = find_experiment(connection, key)
        own = own_ages(connection, services)
        timeline, count = load_last_entries(connection, experiment.key, entries)
        people = load_names(connection, {experiment.owner, *(entry.who for entry in timeline)})
        shown = _shown(experiment, people, services.now(), services.rules.weights)
        return replace(
            shown,
            age="" if shown.age_days is None else _age(own, shown.age_days, experiment.stage),
            followers=tuple(load_followers(connection, experiment.key)),
            issue=find_issue(connection, experiment.issue_key) if experiment.issue_key else None,
            progress=tuple(progress_lines(connection, experiment)),
            missing=_missing(connection, services, experiment),
            comments=tuple(load_comments(connection, experiment.issue_id)) if experiment.issue_id else (),
            timeline=tuple((people.get(entry.who, entry.who), entry) for entry in timeline),
            entries=count,
        )


def _age(own: OwnAges, days: int, stage: Stage) -> str:
    """The age beside the team's own, and while it lasts the chance that it ends soon."""
    told = age_in_words(days, own.ages)
    return f"{told}; {told_lasting(own.lasting, days)}" if own.lasting and stage.in_progress else told


def _all_shown(
    connection: Connection, experiments: Sequence[Experiment], now: datetime, weights: Weights | None = None
) -> list[Shown]:
    people = load_names(connection, {experiment.owner for experiment in experiments})
    return [_shown(experiment, people, now, weights) for experiment in experiments]


def _shown(experiment: Experiment, people: Mapping[str, str], now: datetime, weights: Weights | None = None) -> Shown:
    return Shown(
        experiment,
        people.get(experiment.owner, experiment.owner),
        experiment.age_days(now),
        priority=priority_of(experiment, weights) if weights else UNSCORED,
    )


def last_act_of(services: Services, caller: Caller) -> str:
    """What the caller acted on last: an experiment's key or `goal:churn`. Raises NotFound for a newcomer."""
    with services.database.read() as connection:
        subject = last_subject(connection, caller.id)
    if not subject:
        raise NotFound("You have not done anything here yet.", "/exp help")
    return subject


def _missing(connection: Connection, services: Services, experiment: Experiment) -> tuple[Lack, ...]:
    if experiment.stage.finished:
        return ()
    following = STAGES[experiment.stage.rank + 1]
    try:
        check_gates(experiment, following, gather_evidence(connection, experiment, services.tracker is not None))
    except GateClosed as closed:
        return closed.missing
    return ()


def show_goal(services: Services, key: str) -> ShownGoal:
    """All that is known of one goal. Raises NotFound."""
    with services.database.read() as connection:
        goal = find_goal(connection, key)
        metrics = load_metrics(connection, goal=goal.key)
        standings = [
            (m, stands)
            for m in metrics
            if m.name == goal.metric and (stands := standing(run_values(connection, m), m.better))
        ]
        experiments = load_experiments(connection, Wanted(goal=goal.key))
        past = load_past_values(connection, goal.key)
        deployments = load_deployments(connection, goal.key)
    stages = Counter(e.stage for e in experiments)
    return ShownGoal(
        goal=goal,
        best=", ".join(f"{stands.best:.4g} ({m.environment})" for m, stands in standings) or "?",
        metrics=metrics,
        stages={stage: stages[stage] for stage in Stage if stages[stage]},
        practices=practices_of(_practice(goal, metrics, standings, experiments)),
        past=past,
        deployments=deployments,
    )


def _practice(
    goal: Goal,
    metrics: Sequence[Metric],
    standings: Sequence[tuple[Metric, Standing]],
    experiments: Sequence[Experiment],
) -> practices.Standing:
    in_prod = [(m, stands) for m, stands in standings if m.environment == PROD]
    beats = goal.baseline is not None and any(m.better.beats(s.best, goal.baseline) for m, s in in_prod)
    return practices.Standing(
        goal=goal,
        metrics=metrics,
        concluded=frozenset(e.kind for e in experiments if e.stage.finished),
        going_on=frozenset(e.kind for e in experiments if e.stage.in_progress),
        prod_read=bool(in_prod),
        prod_beats_baseline=beats,
    )


def list_goals(services: Services) -> list[Goal]:
    """All goals, oldest first."""
    with services.database.read() as connection:
        return load_goals(connection)


def people_by_id(services: Services) -> dict[str, str]:
    """What people are called, by id."""
    with services.database.read() as connection:
        return load_people(connection)


def resolve_person(services: Services, text: str) -> str:
    """The id behind `@U123` or `@ana`. Raises NotFound for a name nobody here goes by."""
    wanted = text.strip().lstrip("@")
    with services.database.read() as connection:
        if load_names(connection, {wanted}):
            return wanted
        found = person_named(connection, wanted)
    if found is None and not _looks_like_id(wanted):
        raise NotFound(
            f'Nobody called "{wanted[:60]}" has used scrumbut yet.',
            "Mention them in Slack with @, or ask them to type /exp list once.",
        )
    return found or wanted


def _looks_like_id(text: str) -> bool:
    return len(text) >= 9 and text[0] in "UW" and text.isalnum() and text.isupper()
