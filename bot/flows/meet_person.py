"""Remembers who asks, also of somebody who only reads, so that others may name them."""

from backlog.experiment import Wanted
from bot.flows.renew_cards import order_cards
from bot.flows.services import Caller, Services
from store.experiments import load_experiments
from store.people import is_known, save_person


def meet_person(services: Services, caller: Caller) -> None:
    """Keep the name they go by; costs a write only where it is new, which then stands on the cards of what they own."""
    with services.database.read() as connection:
        known = not caller.name or is_known(connection, caller.id, caller.name)
    if not known:
        with services.database.write() as connection:
            save_person(connection, caller.id, caller.name)
            own = load_experiments(connection, Wanted(owner=caller.id, unfinished=True))
            order_cards(connection, services, [experiment.key for experiment in own])
