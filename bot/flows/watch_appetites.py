"""What the passing of time alone does to experiments: half-way a look is asked for, a spent appetite waits for a
decision, a parked one comes back on its day.
"""

from backlog.lifecycle import pass_time
from bot.flows.announce import announce
from bot.flows.services import Services
from store.experiments import find_experiment, load_watched, save_entry


def watch_appetites(services: Services) -> int:
    """Hold every experiment against its appetite and its parking day; returns how many changed. Twice is once."""
    with services.database.read() as connection:
        going = load_watched(connection)
    due = [e.key for e in going if pass_time(e, services.now(), services.rules)]
    return sum(_watch(services, key) for key in due)


def _watch(services: Services, key: str) -> bool:
    with services.database.write() as connection:
        experiment = find_experiment(connection, key)
        entry = pass_time(experiment, services.now(), services.rules)
        if entry is None:
            return False
        announce(connection, services, save_entry(connection, experiment, entry), entry)
    return True
