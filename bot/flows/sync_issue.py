"""Brings one experiment and its twin in Jira in line: read both, decide by merge, remember, write the difference.

It compares states, so it may run at any time and twice; what it sent is what both agreed on. What a write expects is
remembered before it is made (see `backlog.intent`): an edit of a person that ours fell upon is kept and told.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from backlog import lifecycle
from backlog.errors import BacklogError
from backlog.experiment import Entry, Experiment, Stage
from backlog.intent import DESCRIPTION, Intent, mark_of, settle
from backlog.issue import Transition, Twin
from backlog.merge import (
    Agreed,
    People,
    Side,
    Value,
    Verdict,
    after,
    conflict_in_words,
    in_words,
    lines_of,
    merge,
    our_changes,
    summary_of,
    their_changes,
)
from backlog.screen import Screen
from backlog.status import STATUS, Target, judge_status
from bot.flows.announce import JIRA, announce
from bot.flows.evidence import gather_evidence
from bot.flows.renew_cards import order_cards
from bot.flows.services import Services, Tracker
from integrations.http import NOT_FOUND, IntegrationError
from store.experiments import linked_to, load_timeline, save_entry
from store.issues import (
    count_write,
    forget_intent,
    load_agreed,
    load_intent,
    mark_unreachable,
    save_agreed,
    save_intent,
    save_issues,
)
from store.screens import forget_screen, load_screen, save_screen

PROPERTY, TOLD, DUPLICATE = "property", "told", "duplicate"  # kept beside the fields: what was last sent, or said
BUDGET = 20  # writes to one issue within BUDGET_TIME; more means two programs answer each other
BUDGET_TIME = timedelta(hours=1)
SAME_CLOCK = timedelta(seconds=2)  # a Date header counts in whole seconds


def sync_issue(services: Services, tracker: Tracker, issue_id: str) -> None:
    """Bring one issue and its experiment in line; nothing happens to an issue that belongs to none.

    An issue that is out of sight waits until a pull or the census sees it again. Raises IntegrationError where Jira
    does not answer or refuses; what was agreed before stays agreed.
    """
    twin = _read(services, tracker, issue_id)
    if twin is None:
        return
    account, people = tracker.account, tracker.people()  # asked for once, and not while the database waits
    with services.database.write() as connection:
        order_cards(connection, services, save_issues(connection, [twin.issue]))
        experiment = linked_to(connection, twin.issue.id)
        if experiment is None:
            return
        experiment = _settle(connection, services, account, experiment, twin, sure=False)
        agreed = load_agreed(connection, issue_id)
        changed_at = times_of_change(connection, services, experiment, twin)
        verdicts = merge(experiment, twin.issue, agreed, people, changed_at)
        experiment = _take(connection, services, people, experiment, verdicts)
        kept = [verdict for verdict in verdicts if verdict.value == verdict.theirs or verdict.stands is Side.BOTH]
        save_agreed(connection, issue_id, {verdict.field: after(verdict) for verdict in kept})
        experiment = _offer_original(connection, services, experiment, twin, agreed)
        experiment, push = _status(connection, services, experiment, twin, agreed.get(STATUS))
    _write_fields(services, tracker, twin, experiment, verdicts)
    if push:
        _write_status(services, tracker, twin, experiment, push)
    _tell(services, tracker, twin, experiment, agreed)


def _read(services: Services, tracker: Tracker, issue_id: str) -> Twin | None:
    try:
        return tracker.read_twin(issue_id)
    except IntegrationError as error:
        if error.code != NOT_FOUND:
            raise
    with services.database.write() as connection:
        mark_unreachable(connection, [issue_id], services.now())
    return None


def _settle(
    connection: Connection, services: Services, account: str, experiment: Experiment, twin: Twin, sure: bool
) -> Experiment:
    """Close the write that was under way, if any: remember what both agree on now, and tell what it fell upon."""
    intent = load_intent(connection, twin.issue.id)
    if intent is None:
        return experiment
    settled = settle(intent, twin, account, sure)
    save_agreed(connection, twin.issue.id, settled.agreed)
    forget_intent(connection, twin.issue.id)
    return _keep(connection, services, experiment, [_conflict(services, text) for text in settled.told])


def times_of_change(
    connection: Connection, services: Services, experiment: Experiment, twin: Twin
) -> Callable[[str], tuple[datetime | None, datetime | None]]:
    """When a field last changed (here, in Jira), the latter by our clock."""
    skew = twin.at - services.now() if twin.at else timedelta()
    skew = skew if abs(skew) > SAME_CLOCK else timedelta()

    def changed_at(field: str) -> tuple[datetime | None, datetime | None]:
        ours = [entry.at for entry in load_timeline(connection, experiment.key) if field in entry.changes]
        theirs = twin.changed_at(field)
        return max(ours, default=None), theirs - skew if theirs else None

    return changed_at


def _take(
    connection: Connection, services: Services, people: People, experiment: Experiment, verdicts: Sequence[Verdict]
) -> Experiment:
    changes = our_changes(verdicts, people)
    told = ", ".join(f"{v.field} {in_words(v.ours)} → {in_words(v.value)}" for v in verdicts if v.field in changes)
    entries = [Entry(services.now(), JIRA, "synced", told, changes)] if changes else []
    lost = [_conflict(services, text) for text in _lost(verdicts, Side.THEIRS)]
    return _keep(connection, services, experiment, [*entries, *lost])


def _offer_original(
    connection: Connection, services: Services, experiment: Experiment, twin: Twin, agreed: Mapping[str, Agreed]
) -> Experiment:
    """Ask once whether the issue that this one duplicates should take its place; nothing is re-linked unasked."""
    original = twin.duplicate_of
    if not original or (DUPLICATE in agreed and agreed[DUPLICATE].theirs == original):
        return experiment
    save_agreed(connection, twin.issue.id, {DUPLICATE: Agreed("", original)})
    remedy = f"/exp link {experiment.key} {original} --instead"
    asked = Entry(services.now(), JIRA, "asks", f"{twin.issue.key} is closed as a duplicate of {original}. {remedy}")
    return _keep(connection, services, experiment, [asked])


def _lost(verdicts: Sequence[Verdict], stands: Side) -> list[str]:
    """In words, what does not stand where that side's value does."""
    return [conflict_in_words(verdict) for verdict in verdicts if verdict.conflict and verdict.stands is stands]


def _conflict(services: Services, text: str) -> Entry:
    return Entry(services.now(), JIRA, "conflict", text)


def _keep(connection: Connection, services: Services, experiment: Experiment, entries: Sequence[Entry]) -> Experiment:
    for entry in entries:
        experiment = save_entry(connection, experiment, entry)
        announce(connection, services, experiment, entry)
    return experiment


def _write_fields(
    services: Services, tracker: Tracker, twin: Twin, experiment: Experiment, verdicts: Sequence[Verdict]
) -> None:
    fields = their_changes(verdicts)
    description = tracker.with_block(twin.description, experiment.key, lines_of(summary_of(experiment)))
    block = description != twin.description
    if not fields and not block:
        return
    _spend(services, twin)
    intent = Intent(mark_of(twin), fields, block, _lost(verdicts, Side.OURS))
    with services.database.write() as connection:
        save_intent(connection, twin.issue.id, intent)
    try:
        tracker.edit_issue(twin.issue.id, {**fields, **({DESCRIPTION: description} if block else {})})
    except IntegrationError as refused:
        if refused.unknown:
            raise  # the next sync finds the intent, and reads what became of it
        with services.database.write() as connection:
            forget_intent(connection, twin.issue.id)
        raise
    now = tracker.read_twin(twin.issue.id)
    with services.database.write() as connection:
        _settle(connection, services, tracker.account, experiment, now, sure=True)


def _tell(services: Services, tracker: Tracker, twin: Twin, experiment: Experiment, sent: Mapping[str, Agreed]) -> None:
    """What other programs and people may read of the experiment: the issue's property, and the fields that
    `[jira.fields]` names. Neither is read back, so what was sent is remembered."""
    told = summary_of(experiment)
    value = json.dumps({"experiment": experiment.key, "told": told}, ensure_ascii=False)
    _send(services, twin, sent, PROPERTY, value, lambda: tracker.put_property(twin.issue.id, value))
    fields = {id_: told.get(name.capitalize()) for name, id_ in tracker.told_fields().items()}
    if fields:
        _send(services, twin, sent, TOLD, fields, lambda: tracker.tell_fields(twin.issue.id, fields))


def _send(
    services: Services, twin: Twin, sent: Mapping[str, Agreed], name: str, value: Value, write: Callable[[], None]
) -> None:
    if name in sent and sent[name].ours == value:
        return
    write()
    with services.database.write() as connection:
        save_agreed(connection, twin.issue.id, {name: Agreed(value, value)})


def _spend(services: Services, twin: Twin) -> None:
    with services.database.write() as connection:
        spent = count_write(connection, twin.issue.id, services.now(), BUDGET_TIME)
    if spent > BUDGET:
        raise IntegrationError(
            "Jira",
            f"{twin.issue.key} was written {BUDGET} times within the hour: two programs may be answering each other.",
            f"Find the other one, then /exp sync retry {twin.issue.key}.",
            permanent=True,
        )


def _status(
    connection: Connection, services: Services, experiment: Experiment, twin: Twin, base: Agreed | None
) -> tuple[Experiment, Target | None]:
    """The experiment after a move that Jira asks for, which is asked about where a gate holds, and the transition to
    make there, if any."""
    verdict = judge_status(experiment.stage, twin.issue, base, services.statuses)
    if verdict.push:
        return experiment, verdict.push
    if verdict.move_to:
        experiment = _keep(
            connection, services, experiment, [_moved(connection, services, experiment, twin, verdict.move_to)]
        )
    save_agreed(connection, twin.issue.id, {STATUS: Agreed(experiment.stage, twin.issue.status)})
    return experiment, None


def _moved(connection: Connection, services: Services, experiment: Experiment, twin: Twin, to: Stage) -> Entry:
    now, evidence = services.now(), gather_evidence(connection, experiment, services.tracker is not None)
    try:
        return lifecycle.move(experiment, to, JIRA, now, evidence, services.rules)
    except BacklogError as refused:
        asked = f'"{twin.issue.status}" there, {experiment.stage} here. {refused.what} {refused.remedy}'
        return Entry(now, JIRA, "asks", asked.strip())


def _write_status(services: Services, tracker: Tracker, twin: Twin, experiment: Experiment, push: Target) -> None:
    ways = tracker.transitions(twin.issue.id)
    way = next((way for way in ways if way.to.casefold() == push.status.casefold()), None)
    if way is None:
        known = ", ".join(sorted(way.to for way in ways)) or "none"
        raise IntegrationError(
            "Jira",
            f'{twin.issue.key} has no way from "{twin.issue.status}" to "{push.status}" (there are: {known}).',
            f"Change [jira.stages] {experiment.stage}, or the workflow.",
            permanent=True,
        )
    answers = _answers(services, twin, experiment, way, push)
    _spend(services, twin)
    try:
        tracker.do_transition(twin.issue.id, way, answers)
    except IntegrationError as refused:
        if tracker.fetch_issue(twin.issue.id).status == twin.issue.status:
            raise
        raise IntegrationError("Jira", f"somebody moved {twin.issue.key} at the same moment.") from refused
    with services.database.write() as connection:
        save_agreed(connection, twin.issue.id, {STATUS: Agreed(experiment.stage, way.to)})
        forget_screen(connection, twin.issue.id)


def _answers(services: Services, twin: Twin, experiment: Experiment, way: Transition, push: Target) -> dict[str, str]:
    """What the transition's screen asks for, as configured or as a person answered. Raises IntegrationError where
    something lacks, once a person was asked."""
    configured = {"resolution": push.resolution} if push.resolution else {}
    lacking = {id_: asked for id_, asked in way.required.items() if id_ not in configured}
    configured = {id_: text for id_, text in configured.items() if id_ in way.required}
    if not lacking:
        return configured
    screen = Screen(way.to, lacking)
    with services.database.write() as connection:
        known = load_screen(connection, twin.issue.id)
        if known and known[0] == screen and known[1]:
            return {**configured, **known[1]}
        save_screen(connection, twin.issue.id, screen, {})
        names = ", ".join(asked.name for asked in lacking.values())
        what = f'The way of {twin.issue.key} to "{way.to}" asks for {names}.'
        remedy = f"/exp sync screen {experiment.key}"
        if known is None or known[0] != screen:
            asks = Entry(services.now(), JIRA, "asks", f"{what} {remedy}")
            _keep(connection, services, experiment, [asks])
    more = f', or name it in [jira.stages], such as "{way.to} / Done".' if "resolution" in lacking else ""
    raise IntegrationError("Jira", what, f"{remedy}{more}", permanent=True)
