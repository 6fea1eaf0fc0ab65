"""Finds by a few letters what a person may want to choose: pairs of the value and how a person reads it."""

from collections.abc import Sequence

from backlog.experiment import Wanted
from bot.flows.services import Services
from store.experiments import load_by_numbers, load_page
from store.goals import load_goals
from store.issues import search_issues
from store.memory import search
from store.metrics import search_runs

SHOWN = 30  # of each kind; who does not find it types another letter
Found = Sequence[tuple[str, str]]


def find_experiments(services: Services, words: str) -> Found:
    """By key or by words of what they ask; without words those in progress first."""
    with services.database.read() as connection:
        number = words.upper().removeprefix("EXP-").strip()
        if number.isdigit() and len(number) < 9:
            found = load_by_numbers(connection, [int(number)])
        elif words.strip():
            found = load_by_numbers(connection, search(connection, words, every_word=True, limit=SHOWN))
        else:
            found = load_page(connection, Wanted(), services.now(), SHOWN)
    return [(e.key, f"{e.key} {e.title}") for e in found]


def find_goals(services: Services, words: str) -> Found:
    """By their key or statement."""
    with services.database.read() as connection:
        goals = load_goals(connection)
    wanted = words.strip().casefold()
    return [(g.key, f"{g.key}: {g.statement}") for g in goals if wanted in f"{g.key} {g.statement}".casefold()][:SHOWN]


def find_issues(services: Services, words: str) -> Found:
    """Jira's issues as last read, by key or summary, the latest changed first."""
    with services.database.read() as connection:
        return [(key, f"{key} {summary}") for key, summary in search_issues(connection, words.strip(), SHOWN)]


def find_sources(services: Services, words: str) -> Found:
    """The sources that are configured, by their name or kind."""
    wanted = words.strip().casefold()
    plans = (plan for plan in services.sources.values() if wanted in f"{plan.name} {plan.kind}".casefold())
    return [(plan.name, f"{plan.name} ({plan.kind})") for plan in plans][:SHOWN]


def find_runs(services: Services, words: str) -> Found:
    """Runs that were read, by their name, the latest first; as `link` takes them."""
    with services.database.read() as connection:
        runs = search_runs(connection, words.strip(), SHOWN)
    return [(f"{source}:{run}", f"{run} ({source})") for source, run in runs]
