"""Gives a tracker's run to an experiment by hand, where its tags do not: mlflow:run/9f3c…, wandb:team/proj/run."""

from sqlalchemy import Connection

from backlog.errors import BacklogError
from backlog.experiment import Entry
from bot.flows.announce import announce
from bot.flows.change_experiment import Changed
from bot.flows.renew_cards import order_cards
from bot.flows.services import Caller, Services, acting
from store.experiments import find_experiment, save_entry
from store.run_links import find_runs, link_run, linked_runs, owners_of, unlink_run

LINKED, UNLINKED = "run linked", "run unlinked"


def is_run(text: str) -> bool:
    """Whether that names a run rather than an issue."""
    return ":" in text


def link_to_run(services: Services, caller: Caller, key: str, reference: str) -> Changed:
    """Link a run, and what was read of it already. Raises BacklogError for an unknown source, or a beginning that
    several runs share."""
    return _change(services, caller, key, reference, LINKED)


def unlink_from_run(services: Services, caller: Caller, key: str, reference: str) -> Changed:
    """Take it back; raises BacklogError where it is not linked to this experiment."""
    return _change(services, caller, key, reference, UNLINKED)


def _change(services: Services, caller: Caller, key: str, reference: str, act: str) -> Changed:
    source, start = _read(services, reference)
    with acting(services, caller) as connection:
        experiment = find_experiment(connection, key)
        if act == LINKED:
            run, read = _whole(connection, source, start)
            others = owners_of(connection, source, run)
            link_run(connection, source, run, experiment.number)
        else:
            run, read = _linked(connection, source, start, experiment.number), True
            unlink_run(connection, source, run)
            others = owners_of(connection, source, run)
        order_cards(connection, services, [f"EXP-{number}" for number in others - {experiment.number}])
        entry = Entry(services.now(), caller.id, act, f"{source}:{run}", {})
        after = save_entry(connection, experiment, entry)
        announce(connection, services, after, entry)
    warning = f'Nothing was read of it yet: "{source}" brings it when one of its metrics is polled.'
    return Changed(after, entry, () if read else (warning,))


def _read(services: Services, reference: str) -> tuple[str, str]:
    """(source, run): before the colon a source's name or, where only one is of it, a kind."""
    where, _, run = reference.partition(":")
    run = run.strip().removeprefix("run/").rstrip("…")
    of_kind = [plan.name for plan in services.sources.values() if plan.kind == where]
    names = [where] if where in services.sources else of_kind
    if len(names) != 1 or not run:
        known = ", ".join(f"{plan.name} ({plan.kind})" for plan in services.sources.values()) or "none"
        what = f'"{reference[:80]}" names {"no run" if names else "no source"}. Sources: {known}.'
        raise BacklogError(what, "/exp link EXP-12 mlflow:run/9f3c…")
    return names[0], run


def _whole(connection: Connection, source: str, start: str) -> tuple[str, bool]:
    """The run's whole name, and whether anything was read of it."""
    known = find_runs(connection, source, start)
    if len(known) > 1:
        raise BacklogError(f'"{start}" begins several runs: {", ".join(known)}.', "Name one of them in full.")
    return (known[0], True) if known else (start, False)


def _linked(connection: Connection, source: str, start: str, number: int) -> str:
    own = [run for (_, run), linked in linked_runs(connection, [source]).items() if linked == number]
    found = [run for run in own if run.startswith(start)]
    if len(found) != 1:
        raise BacklogError(f'"{start}" is not one run linked to EXP-{number}.', f"/exp show EXP-{number}")
    return found[0]
