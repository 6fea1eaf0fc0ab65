"""Verbs for those who run it: doctor, outbox."""

import json
from collections import Counter
from collections.abc import Sequence

import click

from bot.flows import mend_outbox as flow
from bot.flows.finding import Mark
from bot.flows.forget_person import Forgotten
from bot.flows.services import require_role
from bot.roles import Role
from bot.verbs.answer import Answer, table_of
from bot.verbs.experiments import pass_request
from bot.verbs.grammar import Request, exp

NUMBER = click.IntRange(min=1, max=2**31)


@exp.command("doctor", slow=True, reads=True)
@pass_request
def doctor(request: Request, /) -> Answer:
    """Look at the set-up: tokens, scopes, channels, clock, Jira, sources, what is stuck."""
    require_role(request.services, request.caller, "look at the set-up", Role.ADMIN)
    found = request.services.examine()
    counts = Counter(finding.mark for finding in found)
    said = f"{counts[Mark.WRONG]} wrong, {counts[Mark.TROUBLE]} to look at, {counts[Mark.FINE]} fine"
    data = [{"mark": f.mark, "check": f.check, "fact": f.fact, "fix": f.fix, "topic": f.topic} for f in found]
    return Answer(said, more=tuple(map(str, found)), data=data)


def forgotten(done: Forgotten, dry_run: bool, config_keys: Sequence[str]) -> Answer:
    """What came of forgetting a person, and where else they are named."""
    rows = sum(done.rows.values())
    said = f"Would change {rows} rows." if dry_run else f"{rows} rows now name {done.pseudonym}."
    texts = ["Their notes, comments and calls were dropped: " + str(done.texts)] if done.texts else []
    shared = ["Somebody else has the same name, so it was left in sentences."] if done.same_name else []
    config = [f"config.toml still names {done.person}: {', '.join(config_keys)}. Take it out."] if config_keys else []
    kept = "What Slack, Jira and a tracker keep of them is theirs to forget; a sync reads what Jira still says."
    data = {"pseudonym": done.pseudonym, "rows": dict(done.rows), "texts": done.texts, "config": list(config_keys)}
    return Answer(said, table=table_of(("where", "rows"), sorted(done.rows.items())),
                  more=(*texts, *shared, *config, kept), data=data)  # fmt: skip


@exp.group("outbox", offers=(("What waits", "outbox list"), ("All that is on its way", "outbox list --all")))
def outbox() -> None:
    """What Slack and Jira did not take: list, show, retry, drop."""


@outbox.command("list", reads=True)
@click.option("--all", "every", is_flag=True, help="Also what is still on its way.")
@pass_request
def list_(request: Request, /, every: bool) -> Answer:
    """What waits for a person."""
    rows = flow.list_stuck(request.services, request.caller, every)
    if not rows:
        return Answer("Nothing waits for a person.", data=[])
    cells = [(row.id, row.state, row.kind, row.target, f"{row.created_at:%d %b %H:%M}", row.error) for row in rows]
    remedy = f"outbox show {rows[0].id}, then retry {rows[0].id} or drop {rows[0].id}"
    table = table_of(("row", "state", "kind", "target", "since (UTC)", "why"), cells)
    data = [
        {"row": row.id, "state": row.state, "kind": row.kind, "target": row.target, "why": row.error} for row in rows
    ]
    return Answer(f"{len(rows)} in the outbox", table=table, more=(remedy,), data=data)


@outbox.command("show", reads=True)
@click.argument("number", type=NUMBER)
@pass_request
def show(request: Request, /, number: int) -> Answer:
    """One row with what it would send."""
    row = flow.show_row(request.services, request.caller, number)
    payload = {name: value for name, value in row.payload.items() if name != "response_url"}  # a key to one person
    facts = (
        ("state", row.state), ("kind", row.kind), ("target", row.target), ("attempts", str(row.attempt)),
        ("since", f"{row.created_at:%d %b %H:%M} UTC"), ("why", row.error),
    )  # fmt: skip
    text = json.dumps(payload, ensure_ascii=False, indent=1)
    return Answer(f"Row {row.id}", facts, more=tuple(text.splitlines()), data={"row": row.id, "payload": payload})


@outbox.command("retry")
@click.argument("number", type=NUMBER)
@pass_request
def retry(request: Request, /, number: int) -> Answer:
    """Send it once more; one in state unknown may arrive twice."""
    flow.retry_row(request.services, request.caller, number)
    return Answer(f"Row {number} is sent once more.", data={"row": number})


@outbox.command("drop")
@click.argument("number", type=NUMBER)
@pass_request
def drop(request: Request, /, number: int) -> Answer:
    """Let it be."""
    flow.drop_row(request.services, request.caller, number)
    return Answer(f"Row {number} is dropped.", data={"row": number})
