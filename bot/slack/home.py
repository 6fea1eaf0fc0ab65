"""The App Home: a person's own page, drawn anew whenever they open it or act there."""

from collections.abc import Iterator, Sequence

from backlog.experiment import Experiment
from bot.flows.read_home import Home, read_home
from bot.flows.services import Services
from bot.slack.blocks import Block, paragraph, plain
from reports.buttons import Offer, line_buttons
from reports.card import next_acts
from store import outbox
from store.outbox import Row

OWN_SHOWN, WAITING_SHOWN, FOLLOWS_SHOWN, STUCK_SHOWN = 10, 8, 8, 8  # of at most 100 blocks


def refresh_home(services: Services, person: str) -> None:
    """Put a person's page in line to be shown; only the latest counts."""
    view = draw_home(read_home(services, person))
    target = f"slack:home:{person}"
    with services.database.write() as connection:
        outbox.put_latest(connection, target, "slack.home", {"user": person, "view": view}, services.now())


def draw_home(home: Home) -> Block:
    """The page's view."""
    blocks = [*_waiting(home), *_own(home.own), *_follows(home), *_health(home), *_acts()]
    return {"type": "home", "callback_id": "home", "blocks": blocks}


def _waiting(home: Home) -> Iterator[Block]:
    yield _header("What waits for you")
    if not home.waiting:
        yield paragraph("Nothing. Well done.")
    for experiment, why in home.waiting[:WAITING_SHOWN]:
        yield paragraph(f"{experiment.key} {experiment.title}: {why}")
        yield _buttons(next_acts(experiment))


def _own(own: Sequence[Experiment]) -> Iterator[Block]:
    yield _header("Your experiments")
    if not own:
        yield paragraph("None yet.")
    for experiment in own[:OWN_SHOWN]:
        yield paragraph(f"{experiment.key} {experiment.title} · {experiment.stage}")
        yield _buttons(next_acts(experiment))
    if len(own) > OWN_SHOWN:
        yield paragraph(f"… and {len(own) - OWN_SHOWN} more: /exp mine")


def _follows(home: Home) -> Iterator[Block]:
    yield _header("What you follow")
    if not home.follows:
        yield paragraph("Nothing yet: /exp subscribe goal:churn decisions outcomes")
    for one in home.follows[:FOLLOWS_SHOWN]:
        kinds = ", ".join(sorted(one.events)) or "every kind"
        yield paragraph(
            f"{one.scope}: {kinds}, {one.digest or 'at once'}{f', in {one.channel}' if one.channel else ''}"
        )
        yield _buttons([("Unsubscribe", f"unsubscribe {one.id}")])
    yield paragraph(f"Quiet hours: {home.quiet or 'none'}")
    yield _buttons([("Quiet hours", "settings quiet")])


def _health(home: Home) -> Iterator[Block]:
    if home.health is None:
        return
    yield _header("Sources, Jira and deliveries")
    yield paragraph("\n".join(home.health))
    if home.stuck:
        yield paragraph(f"{len(home.stuck)} could not be delivered, or nobody knows whether they were:", bold=True)
    for row in home.stuck[:STUCK_SHOWN]:
        since = f"{row.created_at:%d %b %H:%M} UTC"
        yield paragraph(f"{row.id} {row.state}, {row.kind} to {row.target}, {since}: {row.error}")
        yield _buttons(_mend(row))
    if len(home.stuck) > STUCK_SHOWN:
        yield paragraph(f"… and {len(home.stuck) - STUCK_SHOWN} more: /exp outbox list")


def _mend(row: Row) -> list[Offer]:
    again = "Send again, perhaps twice" if row.state == outbox.UNKNOWN else "Send again"
    acts = (("What it says", "show"), (again, "retry"), ("Drop", "drop"))
    return [(label, f"outbox {verb} {row.id}") for label, verb in acts]


def _acts() -> Iterator[Block]:
    yield {"type": "divider"}
    yield _buttons([("New experiment", "new"), ("New goal", "goal add"), ("Policy", "policy"), ("Help", "help")])


def _header(text: str) -> Block:
    return {"type": "header", "text": plain(text, 150)}


def _buttons(offers: Sequence[Offer]) -> Block:
    return {"type": "actions", "elements": line_buttons(offers)}
