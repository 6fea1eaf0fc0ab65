"""Looks at the backlog by rule, and keeps the register of risks: what opened, what continues, what resolved."""

from backlog.register import hold_against
from backlog.risk import find_risks
from backlog.snapshot import Risk
from bot.flows.gather_situation import gather_situation
from bot.flows.services import Services
from store.dialect import serialise
from store.risks import continue_risks, load_register, open_risk, resolve_risks


def watch_risks(services: Services) -> tuple[list[Risk], int]:
    """The risks that opened now, and how many resolved. Twice is once."""
    with services.database.read() as connection:
        found = find_risks(gather_situation(connection, services))
    with services.database.write() as connection:
        serialise(connection, "risks")
        turn = hold_against(load_register(connection, standing=True), found)
        for risk in turn.opened:
            open_risk(connection, risk, services.now())
        continue_risks(connection, turn.continued, services.now())
        resolve_risks(connection, turn.resolved, services.now())
    return list(turn.opened), len(turn.resolved)
