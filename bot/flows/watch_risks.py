"""Looks at the backlog by rule, and keeps the register of risks: what opened, what continues, what resolved."""

from backlog.register import hold_against, newly_confirmed
from backlog.risk import find_risks
from backlog.snapshot import Risk
from bot.flows.gather_situation import gather_situation
from bot.flows.services import Services
from bot.flows.settle_worths import settle_worths
from bot.flows.watch_metrics import say, watch_metrics
from store.dialect import serialise
from store.risks import continue_risks, load_register, open_risk, resolve_risks


def watch_risks(services: Services) -> tuple[list[Risk], int]:
    """The risks that opened now, and how many resolved. Twice is once."""
    settle_worths(services)
    with services.database.read() as connection:
        found = find_risks(gather_situation(connection, services))
    with services.database.write() as connection:
        serialise(connection, "risks")
        before = load_register(connection, standing=True)
        turn = hold_against(before, found)
        for risk in turn.opened:
            open_risk(connection, risk, services.now())
        for risk in newly_confirmed(turn, before):
            say(
                connection,
                services,
                f"slack:regression:{risk.subject}",
                f"{risk.cause}: {risk.evidence}. {risk.action}",
            )
        continue_risks(connection, turn.continued, services.now())
        resolve_risks(connection, turn.resolved, services.now())
    watch_metrics(services)  # silence is news too, and no poll tells it
    return list(turn.opened), len(turn.resolved)
