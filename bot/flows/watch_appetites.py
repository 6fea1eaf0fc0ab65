"""What the passing of time alone does to experiments: half-way a look is asked for, a spent appetite waits for a
decision, an old one is named, a parked one comes back on its day.
"""

from backlog.aging import HISTORY_KEPT, Ages, ages_of
from backlog.lifecycle import pass_time
from bot.flows.announce import announce
from bot.flows.services import Services
from store.experiments import find_experiment, finished_ages, load_watched, save_entry


def watch_appetites(services: Services) -> int:
    """Hold every experiment against its appetite and its parking day; returns how many changed. Twice is once."""
    with services.database.read() as connection:
        going = load_watched(connection)
        ages = ages_of(finished_ages(connection, HISTORY_KEPT))
    due = [e.key for e in going if pass_time(e, services.now(), services.rules, ages)]
    return sum(_watch(services, key, ages) for key in due)


def _watch(services: Services, key: str, ages: Ages) -> bool:
    with services.database.write() as connection:
        experiment = find_experiment(connection, key)
        before = experiment
        while entry := pass_time(experiment, services.now(), services.rules, ages):
            experiment = save_entry(connection, experiment, entry)
            announce(connection, services, experiment, entry)
    return experiment is not before
