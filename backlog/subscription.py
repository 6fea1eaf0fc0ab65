"""Who wants to hear of what, and what there is to tell them: pure, `now` is an argument.

A new kind of event is one member of Event and its acts in ACTS.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from backlog.cadence import Cadence, read_cadence
from backlog.errors import BacklogError
from backlog.experiment import Entry, Experiment, Stage
from backlog.quiet import QuietHours

CALM = timedelta(seconds=30)  # without news, after which a burst is over
PATIENCE = timedelta(minutes=5)  # how long a burst may hold a notice back
LONGEST = timedelta(days=39)  # between two digests of a monthly rhythm, and a day for the clocks
LINES = 10  # of one message; what is beyond them is counted


class Event(StrEnum):
    """What one may subscribe to."""

    IDEAS = "ideas"
    MOVES = "moves"
    BLOCKS = "blocks"
    NOTES = "notes"
    OUTCOMES = "outcomes"
    DECISIONS = "decisions"
    NUDGES = "nudges"
    GOALS = "goals"
    DEPLOYMENTS = "deployments"


# By the acts of experiments' timelines and of goals'; acts that are named nowhere show on the card alone.
ACTS: Mapping[Event, frozenset[str]] = {
    Event.IDEAS: frozenset({"created"}),
    Event.MOVES: frozenset({"started", "moved", "went back", "came back", "extended", "undone"}),
    Event.BLOCKS: frozenset({"blocked", "unblocked", "still blocked?", "parked"}),
    Event.NOTES: frozenset({"noted", "checkpoint"}),
    Event.OUTCOMES: frozenset({"outcome"}),
    Event.DECISIONS: frozenset({"decided"}),
    Event.NUDGES: frozenset({"half-way", "appetite spent", "aged"}),
}
GOAL_ACTS: Mapping[Event, frozenset[str]] = {
    Event.GOALS: frozenset({"created", "edited", "undone"}),
    Event.DEPLOYMENTS: frozenset({"deployed"}),
}
GOAL = "goal:"  # before a goal's key, as a subject and as people type it


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a person hears of, or a channel where one is named. `goal` and `experiment` narrow it, both empty mean the
    whole backlog; without `events` it is every kind, without `digest` it is told at once. News up to the timeline's
    id `told` were told."""

    id: int
    person: str
    created_at: datetime
    channel: str = ""
    goal: str = ""
    experiment: str = ""
    events: frozenset[Event] = frozenset()
    digest: Cadence | None = None
    told: int = 0

    @property
    def target(self) -> str:
        """Where it is told: a channel, or the person's own conversation with the bot."""
        return self.channel or self.person

    @property
    def scope(self) -> str:
        """`goal:churn`, `EXP-12` or `everything`, as people type it."""
        return f"{GOAL}{self.goal}" if self.goal else self.experiment or "everything"


@dataclass(frozen=True, slots=True)
class News:
    """One line of a timeline as a subscription sees it: its id there, what it is about and of which goal, and for an
    experiment its state now."""

    id: int
    subject: str
    goal: str
    entry: Entry
    experiment: Experiment | None = None

    @property
    def event(self) -> Event | None:
        """What kind of event it is; None for what nobody is told of."""
        acts = GOAL_ACTS if self.subject.startswith(GOAL) else ACTS
        return next((event for event, names in acts.items() if self.entry.act in names), None)


def read_events(words: Collection[str]) -> frozenset[Event]:
    """The kinds of event that are named, in the singular or the plural. Raises BacklogError naming all there are."""
    by_word = {form: event for event in Event for form in (event.value, event.value.removesuffix("s"))}
    unknown = next((word for word in words if word.lower() not in by_word), None)
    if unknown is not None:
        raise BacklogError(f'"{unknown[:40]}" is no kind of event.', f"There are: {', '.join(Event)}.")
    return frozenset(by_word[word.lower()] for word in words)


def read_digest(text: str) -> Cadence:
    """`daily 09:00 Europe/Berlin`, or `weekly mon 09:00` with or without its first word. Raises BacklogError."""
    return read_cadence(text.strip().removeprefix("weekly "))


def concerns(subscription: Subscription, news: News) -> bool:
    """Whether it is told of that; nobody is told of what they did themselves."""
    if news.event is None or (subscription.events and news.event not in subscription.events):
        return False
    if subscription.goal and news.goal != subscription.goal:
        return False
    if subscription.experiment and news.subject != subscription.experiment:
        return False
    return bool(subscription.channel) or news.entry.who != subscription.person


def is_told_now(news: Sequence[News], quiet: QuietHours | None, now: datetime) -> bool:
    """Whether an immediate notice of them goes out: not in quiet hours, and not in the midst of a burst, for which
    one message is enough."""
    if not news or (quiet is not None and quiet.cover(now)):
        return False
    times = [one.entry.at for one in news]
    return now - max(times) >= CALM or now - min(times) >= PATIENCE


def is_digest_due(subscription: Subscription, quiet: QuietHours | None, now: datetime) -> bool:
    """Whether a digest's time came since it was subscribed to; one that falls into quiet hours goes out after them.
    Whether it went out already is the ledger's to know."""
    if subscription.digest is None or (quiet is not None and quiet.cover(now)):
        return False
    return last_due(subscription.digest, now) > subscription.created_at


def last_due(digest: Cadence, now: datetime) -> datetime:
    """The latest due time up to now; its local date names the period."""
    return digest.times(now - LONGEST, now)[-1]


def notice_lines(news: Sequence[News], people: Mapping[str, str]) -> list[str]:
    """What happened, one line each, oldest first."""
    return [_line(one, people) for one in news]


def digest_lines(news: Sequence[News], before: Mapping[str, Experiment], people: Mapping[str, str]) -> list[str]:
    """What is different now, one line for each experiment and goal: what was taken back in between is left out.
    `before` are the experiments as the last digest left them; one that is not there is new."""
    by_subject: dict[str, list[News]] = {}
    for one in news:
        by_subject.setdefault(one.subject, []).append(one)
    lines = (_difference(told, before.get(subject), people) for subject, told in by_subject.items())
    return [line for line in lines if line]


def _difference(news: Sequence[News], before: Experiment | None, people: Mapping[str, str]) -> str:
    after = news[-1].experiment
    if after is None:
        return _line(news[-1], people)
    stands = [one for one in news if _stands(one.entry, after)]
    parts = [part for event in Event if (part := _part(event, [n for n in stands if n.event is event], before, after))]
    return f"{after.key} {after.title}: {'; '.join(parts)}" if parts else ""


def _stands(entry: Entry, after: Experiment) -> bool:
    return entry.act != "undone" and all(getattr(after, name) == value for name, value in entry.changes.items())


def _part(event: Event, news: Sequence[News], before: Experiment | None, after: Experiment) -> str:
    if not news:
        return ""
    last = news[-1].entry
    if event is Event.IDEAS:
        return "new"
    if event is Event.MOVES and before is not None and before.stage is not after.stage:
        return f"{before.stage} → {after.stage}"
    if event is Event.NOTES and len(news) > 1:
        return f"{len(news)} notes, the last: {last.text}"
    return f"{last.act}: {last.text}".rstrip(": ")


def _line(news: News, people: Mapping[str, str]) -> str:
    entry, who = news.entry, people.get(news.entry.who, news.entry.who)
    title = f" {news.experiment.title}" if news.experiment else ""
    moved = news.experiment and "stage" in entry.changes and entry.act == "moved"
    act = f"moved to {entry.changes['stage']}" if moved else entry.act
    return f"{news.subject.removeprefix(GOAL)}{title}, {who} {act}: {entry.text}".rstrip(": ")


def fitting(lines: Sequence[str]) -> list[str]:
    """As many lines as one message carries, and how many more there are."""
    hidden = len(lines) - LINES
    return [*lines[:LINES], *([f"… and {hidden} more: /exp list"] if hidden > 0 else [])]


@dataclass(frozen=True, slots=True)
class Reminded:
    """When a person was last told that an experiment waits for them, and until when they asked not to hear of it."""

    at: datetime | None = None
    snoozed_until: datetime | None = None


REMIND_AFTER = timedelta(days=1)  # how long something may wait in peace
REMIND_EVERY = timedelta(days=2)


def is_reminded(since: datetime, last: Reminded, now: datetime) -> bool:
    """Whether whoever is waited for is reminded: after a day, then every second day, and when a snooze is over."""
    if last.snoozed_until is not None and now < last.snoozed_until:
        return False
    # A reminder or a snooze of an earlier wait says nothing about this one.
    heard = last.at if last.at is not None and last.at > since else None
    if last.snoozed_until is not None and last.snoozed_until > (heard or since):
        return True
    return now - (heard or since) >= (REMIND_EVERY if heard else REMIND_AFTER)


LOOK, STILL_BLOCKED = "half-way", "still blocked?"  # acts by which time alone asks an owner something
ANSWERED_BY: Mapping[str, frozenset[str]] = {
    LOOK: frozenset({"checkpoint", "extended"}),
    STILL_BLOCKED: frozenset({"blocked", "unblocked"}),
}


def unanswered(acts: Iterable[tuple[int, Entry]]) -> list[tuple[int, Entry]]:
    """What owners were asked and have not answered, by the experiment's number; `acts` are those of ANSWERED_BY, the
    oldest first."""
    asked: dict[tuple[int, str], Entry] = {}
    for number, entry in acts:
        if entry.act in ANSWERED_BY:
            asked[number, entry.act] = entry
        for question, answers in ANSWERED_BY.items():
            if entry.act in answers:
                asked.pop((number, question), None)
    return [(number, entry) for (number, _), entry in sorted(asked.items())]


def is_asked(experiment: Experiment, question: str) -> bool:
    """Whether that question still stands; nobody is asked to look at what is blocked."""
    if experiment.parked_since:
        return False
    if question == STILL_BLOCKED:
        return bool(experiment.blocked_reason)
    return experiment.stage in (Stage.RUNNING, Stage.OBSERVING) and not experiment.blocked_reason


def waits(experiment: Experiment) -> bool:
    """Whether nothing but a decision is missing."""
    return experiment.stage is Stage.DECIDING and not experiment.parked_since


def deciders_of(experiment: Experiment, may_decide: Collection[str], is_open: bool) -> list[str]:
    """Who is asked: the owner where they may decide, else everybody who may."""
    if experiment.owner and (is_open or experiment.owner in may_decide):
        return [experiment.owner]
    return list(may_decide)
