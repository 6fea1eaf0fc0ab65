"""Who hears of what: subscribe, unsubscribe, quiet hours, a channel's default goal, a reminder put off."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from backlog.errors import BacklogError, NotFound
from backlog.quiet import read_quiet
from backlog.subscription import GOAL, Subscription
from bot.flows.services import Caller, Services, acting
from bot.roles import SLACK_ID, Role
from store.experiments import find_experiment
from store.goals import find_goal
from store.subscriptions import (
    DEFAULT_GOAL,
    QUIET,
    delete_subscriptions,
    load_preferences,
    load_subscriptions,
    save_preference,
    save_reminded,
    save_subscription,
)
from store.timeline import last_entry_id

EVERYTHING = "everything"


def subscribe(services: Services, caller: Caller, wanted: Subscription, scope: str) -> Subscription:
    """Follow a scope (`goal:churn`, `EXP-12`, `everything`) from now on, acts under way at this moment left out;
    following it again changes kinds and rhythm. Raises NotFound for what does not exist, and BacklogError where there
    is nobody to tell."""
    if not wanted.channel and not SLACK_ID.fullmatch(caller.id):
        raise BacklogError(f'"{caller.id}" is nobody in Slack.', 'Name a channel to be told: --channel "#ml"')
    needs = Role.MEMBER if wanted.channel else Role.VIEWER
    with acting(services, caller, "follow the backlog", needs) as connection:
        goal = experiment = ""
        if scope.startswith(GOAL):
            goal = find_goal(connection, scope.removeprefix(GOAL)).key
        elif scope != EVERYTHING:
            experiment = find_experiment(connection, scope).key
        made = replace(wanted, person=caller.id, created_at=services.now(), goal=goal, experiment=experiment)
        return save_subscription(connection, replace(made, told=last_entry_id(connection)))


def unsubscribe(services: Services, caller: Caller, which: str) -> list[Subscription]:
    """End one's own subscriptions by number or scope, or `all`; a channel's by its number. Returns what ended; raises
    NotFound where there is none of that kind."""
    with acting(services, caller, "unsubscribe", Role.VIEWER) as connection:
        every = load_subscriptions(connection)
        ended = [one for one in every if _means(which, one, caller.id)]
        if not ended:
            raise NotFound(f'You follow nothing called "{which[:60]}".', "/exp subscribe shows what you follow.")
        delete_subscriptions(connection, [one.id for one in ended])
    return ended


def _means(which: str, subscription: Subscription, person: str) -> bool:
    if subscription.person != person:
        return bool(subscription.channel) and which == str(subscription.id)
    return which.lower() in ("all", str(subscription.id), subscription.scope.lower())


def subscriptions_of(services: Services, person: str) -> Sequence[Subscription]:
    """What a person follows or lets a channel follow, oldest first."""
    with services.database.read() as connection:
        return load_subscriptions(connection, person)


def preferences_of(services: Services, subject: str) -> dict[str, str]:
    """What a person or a channel has set, by name."""
    with services.database.read() as connection:
        return load_preferences(connection, subject)


def set_quiet_hours(services: Services, caller: Caller, text: str) -> str:
    """Set one's own quiet hours, or end them with `off`; returns them as they are kept."""
    kept = "" if text.strip().lower() == "off" else str(read_quiet(text))
    with acting(services, caller, "set quiet hours", Role.VIEWER) as connection:
        save_preference(connection, caller.id, QUIET, kept)
    return kept


def set_default_goal(services: Services, caller: Caller, channel: str, goal: str) -> str:
    """Set the goal that new experiments serve where a channel's people name none, or end that with `off`."""
    with acting(services, caller, "change a channel's settings", Role.ADMIN) as connection:
        kept = "" if goal.strip().lower() == "off" else find_goal(connection, goal).key
        save_preference(connection, channel, DEFAULT_GOAL, kept)
    return kept


def default_goal(services: Services, channel: str) -> str:
    """The goal that a channel's new experiments serve; empty for none."""
    return preferences_of(services, channel).get(DEFAULT_GOAL, "") if channel else ""


def snooze(services: Services, caller: Caller, key: str, span: timedelta) -> str:
    """Be reminded of one experiment no more until the span is over; returns its key."""
    with acting(services, caller, "put a reminder off", Role.VIEWER) as connection:
        experiment = find_experiment(connection, key)
        if not experiment.stage.in_progress or experiment.parked_since:
            why = "parked" if experiment.parked_since else f"not in progress ({experiment.stage})"
            what = f"Nobody is reminded of {experiment.key}: it is {why}."
            raise BacklogError(what, f"/exp show {experiment.key}")
        save_reminded(connection, caller.id, experiment.key, snoozed_until=services.now() + span)
    return experiment.key
