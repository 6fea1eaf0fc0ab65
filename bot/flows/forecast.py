"""Forecasts: tell one, remember it, and settle those whose time has come."""

from backlog.experiment import EXPERIMENT_KEY
from backlog.history import by_experiment
from backlog.outlook import Outlook, experiment_outlook, goal_history, goal_outlook
from backlog.reliability import Forecast, Reliability, reliability_of, settle
from backlog.risk import Situation
from bot.flows.gather_situation import gather_situation
from bot.flows.services import Services
from store.experiments import find_experiment
from store.forecasts import keep_forecasts, keep_outcome, load_forecasts
from store.goals import find_goal


def forecast(services: Services, subject: str) -> Outlook:
    """What may be expected of a goal or an experiment; what it claims is kept, to be held against what comes. Raises
    NotFound."""
    with services.database.read() as connection:
        situation = gather_situation(connection, services)
        own = reliability_of(load_forecasts(connection, is_open=False))
        if EXPERIMENT_KEY.fullmatch(subject):
            told = experiment_outlook(situation, find_experiment(connection, subject), own)
        else:
            told = goal_outlook(situation, find_goal(connection, subject), own)
    with services.database.write() as connection:
        keep_forecasts(connection, told.forecasts)
    return told


def keep_and_settle(services: Services) -> int:
    """Forecast every goal and experiment that is worked on, and settle what has come out; returns how many settled.
    The same history is forecast once, however often this runs."""
    with services.database.read() as connection:
        situation = gather_situation(connection, services)
        settled = [_settled(situation, told) for told in load_forecasts(connection, is_open=True)]
        settled = [done for done in settled if done.hit is not None]
    with services.database.write() as connection:
        for done in settled:
            keep_outcome(connection, done)
        keep_forecasts(connection, _worked_on(situation))
    return len(settled)


def own_reliability(services: Services) -> Reliability | None:
    """How the team's own forecasts did; None under 20 settled ones."""
    with services.database.read() as connection:
        return reliability_of(load_forecasts(connection, is_open=False))


def _worked_on(s: Situation) -> list[Forecast]:
    going = [e for e in s.experiments if e.stage.in_progress]
    goals = {e.goal for e in going}
    outlooks = [goal_outlook(s, goal) for goal in s.goals if goal.key in goals]
    outlooks += [experiment_outlook(s, e) for e in going]
    return [told for outlook in outlooks for told in outlook.forecasts]


def _settled(s: Situation, told: Forecast) -> Forecast:
    return settle(told, _values(s, told), s.now)


def _values(s: Situation, told: Forecast) -> list[float]:
    goal = next((goal for goal in s.goals if goal.key == told.subject), None)
    if goal is not None:
        known = goal_history(s, goal)
        return [value for _, value in known[1]] if known and known[0].id == told.metric_id else []
    return [run.value for run in by_experiment(s.runs.get(told.metric_id, ())).get(told.subject, ())]
