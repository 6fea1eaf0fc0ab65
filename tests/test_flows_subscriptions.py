"""Who hears of what: notices, digests, quiet hours, reminders. Ana owns, Ben is on the team."""

from datetime import UTC, datetime
from typing import Any

import pytest

from backlog.errors import BacklogError
from backlog.quiet import read_quiet
from backlog.subscription import last_due, read_digest
from tests.conftest import World, _text
from tests.test_slack_cards import ready


def told(world: World, person: str = "ben") -> list[str]:
    """What the bot told a person in their own conversation, or a channel by its name."""
    names = {channel.name: channel for channel in world.slack.channels.values()}
    where = names.get(f"@{person}") or names.get(person)
    return [_text(message) for message in where.messages] if where else []


def wait(world: World, **span: float) -> None:
    world.clock.forward(**span)
    world.settle()


def click(world: World, message: dict[str, Any], label: str, user: str = "U0BEN") -> str:
    """Click a button of a message, and read what only that person is answered."""
    before = len(world.slack.ephemerals)
    assert world.edge.click(label, message, user).status == 200
    world.settle()
    return "\n".join(_text(ephemeral.message) for ephemeral in world.slack.ephemerals[before:])


def waiting(world: World, title: str = "Can the labels be used?", user: str = "U0ANA") -> None:
    """An experiment that waits for nothing but its decision."""
    world.type('goal add churn "keep active clients"', user="U0BEN")
    world.type("goal ready churn --labels yes --access yes --expert yes", user="U0BEN")
    key = world.type(f'new "{title}" --kind data-understanding --goal churn --appetite S', user=user).split()[0]
    world.type(f'frame {key} --hypothesis "we believe" --decision "which?"', user=user)
    issue = world.jira.add_issue("ML", title)
    world.type(f"link {key} {issue}", user=user)
    world.type(f"move {key} deciding", user=user)
    world.type(f'outcome {key} bad "labels are wrong"', user=user)


def test_a_subscriber_hears_of_others_acts_in_scope_and_of_nothing_else(world: World) -> None:
    world.type('goal add churn "keep active clients"')
    assert "You hear of goal:churn: blocks, notes, at once." in world.type(
        "subscribe goal:churn notes block", user="U0BEN"
    )
    world.type('new "In scope" --goal churn')
    world.type('new "Elsewhere"')
    world.type("note EXP-1 leakage in fold 3")
    world.type("note EXP-2 nothing of this")
    world.type("note EXP-1 his own words", user="U0BEN")
    wait(world, minutes=2)
    (message,) = told(world)
    assert message.startswith("EXP-1 In scope, ana noted: leakage in fold 3")
    assert "/exp unsubscribe 1" in message
    wait(world, minutes=2)
    assert len(told(world)) == 1


def test_a_burst_becomes_one_message_of_ten_lines(world: World) -> None:
    world.type("subscribe everything ideas", user="U0BEN")
    for number in range(13):
        world.type(f'new "Idea {number}"')
        world.clock.forward(seconds=10)
    world.settle()
    assert told(world) == []
    wait(world, minutes=1)
    (message,) = told(world)
    assert message.count("ana created") == 10
    assert "… and 3 more: /exp list" in message


def test_a_long_burst_is_told_after_five_minutes_at_the_latest(world: World) -> None:
    world.type("subscribe everything ideas", user="U0BEN")
    for number in range(20):
        world.type(f'new "Idea {number}"')
        wait(world, seconds=20)
    assert len(told(world)) == 1


def test_a_digest_tells_differences_once_a_local_day(world: World) -> None:
    world.type('new "Char-level tokens raise recall"')
    world.type("subscribe everything --digest daily 09:00 Europe/Berlin", user="U0BEN")
    world.type("block EXP-1 labels are late")
    world.type("unblock EXP-1")
    world.type("note EXP-1 first")
    world.type("note EXP-1 leakage in fold 3")
    wait(world, hours=21)  # 08:00 in Berlin, the next day
    assert told(world) == []
    wait(world, hours=1, minutes=5)
    (message,) = told(world)
    assert "EXP-1 Char-level tokens raise recall: unblocked; 2 notes, the last: leakage in fold 3" in message
    assert "labels are late" not in message
    wait(world, hours=1)
    assert len(told(world)) == 1
    wait(world, hours=24)
    assert len(told(world)) == 1, "nothing is different, so nothing is said"


def test_a_stage_in_a_digest_goes_from_where_it_was_to_where_it_is(world: World) -> None:
    waiting(world)
    world.type("subscribe EXP-1 moves outcomes --digest daily 09:00", user="U0BEN")
    world.type("move EXP-1 ready")
    world.type("move EXP-1 observing")
    wait(world, days=1)
    assert "EXP-1 Can the labels be used?: deciding → observing" in told(world)[0]


def test_quiet_hours_hold_a_notice_back_until_they_end(world: World) -> None:
    world.type("settings quiet 10:00-12:00 UTC", user="U0BEN")
    world.type("subscribe everything ideas", user="U0BEN")
    world.type('new "In the quiet hours"')
    wait(world, minutes=90)
    assert told(world) == []
    wait(world, minutes=31)
    assert "In the quiet hours" in told(world)[0]
    assert "your quiet hours  10:00-12:00 UTC" in world.type("settings", user="U0BEN")
    assert "You have no quiet hours." in world.type("settings quiet off", user="U0BEN")


def test_a_channel_hears_of_everybody_and_any_of_its_people_may_end_it(world: World) -> None:
    assert "#ml-managers hears of everything" in world.type("subscribe everything ideas --channel #ml-managers")
    world.type('new "Char-level tokens raise recall"')
    wait(world, minutes=2)
    (message,) = told(world, "ml-managers")
    assert "ana created: Char-level tokens raise recall" in message
    posted = world.slack.messages("ml-managers")[0]
    assert "No more of everything." in click(world, posted, "Unsubscribe")
    world.type('new "Another"')
    wait(world, minutes=2)
    assert len(told(world, "ml-managers")) == 1


def test_the_button_under_a_notice_ends_it_and_a_second_click_says_so(world: World) -> None:
    world.type("subscribe everything ideas", user="U0BEN")
    world.type('new "Char-level tokens raise recall"')
    wait(world, minutes=2)
    notice = world.slack.messages("@ben")[0]
    assert "No more of everything." in click(world, notice, "Unsubscribe")
    assert 'You follow nothing called "1".' in click(world, notice, "Unsubscribe")
    assert "You follow nothing yet." in world.type("subscribe", user="U0BEN")


def test_following_the_same_again_changes_it_and_all_ends_everything(world: World) -> None:
    world.type('goal add churn "keep active clients"')
    world.type("subscribe goal:churn decisions --digest daily 09:00 Europe/Berlin")
    assert "decisions, outcomes, mon 09:00 Europe/Berlin" in world.type(
        "subscribe goal:churn decisions outcomes --digest weekly mon 09:00 Europe/Berlin"
    )
    world.type("subscribe everything")
    mine = world.type("subscribe")
    assert mine.startswith("2 followed")
    assert "No more of goal:churn, everything." in world.type("unsubscribe all")


WRONG = {
    "subscribe goal:chrun": 'There is no goal "chrun".',
    "subscribe EXP-9": "There is no EXP-9 here.",
    "subscribe everything victories": '"victories" is no kind of event. There are: ideas, moves, blocks',
    "subscribe EXP-1 EXP-2": "EXP-1 and EXP-2 are two things to follow.",
    "subscribe everything --digest": '"" is no schedule. Write it as "mon 09:00 Europe/Berlin", "daily 09:00',
    "subscribe everything --digest daily 25:00": '"25:00" is no time of day.',
    "subscribe everything --digest daily 09:00 Mars": '"Mars" is no time zone.',
    "unsubscribe goal:churn": 'You follow nothing called "goal:churn".',
    "settings quiet tonight": '"tonight" are no quiet hours. Write it as "20:00-08:00 Europe/Berlin"',
    "settings quiet 08:00-08:00": '"08:00-08:00" would be quiet for ever, or never.',
    "snooze EXP-1": "Nobody is reminded of EXP-1: it is not in progress (idea).",
}


def test_a_wrong_wish_is_answered_with_what_is_right(world: World) -> None:
    world.type('new "Char-level tokens raise recall"')
    for line, says in WRONG.items():
        assert says in " ".join(world.type(line).split()), line


def test_a_waiting_decision_reminds_its_decider_until_it_is_taken(world: World) -> None:
    waiting(world)
    wait(world, hours=23)
    assert told(world, "ana") == []
    wait(world, hours=2)
    (message,) = told(world, "ana")
    assert "A decision waits for you" in message
    assert "EXP-1 Can the labels be used?: bad, labels are wrong" in message
    wait(world, days=1)
    assert len(told(world, "ana")) == 1
    wait(world, days=1)
    assert len(told(world, "ana")) == 2
    world.type('decide EXP-1 stop "labels are wrong"')
    wait(world, days=9)
    assert len(told(world, "ana")) == 2


def test_a_snoozed_reminder_comes_back_when_its_time_is_over(world: World) -> None:
    waiting(world)
    wait(world, hours=25)
    answered = click(world, world.slack.messages("@ana")[0], "Snooze EXP-1, 1 day", user="U0ANA")
    assert "You hear of EXP-1 again in 1d, if it still waits." in answered
    world.type("snooze EXP-1 5d")
    wait(world, days=4)
    assert len(told(world, "ana")) == 1
    wait(world, days=1, minutes=20)
    assert len(told(world, "ana")) == 2


def looked_for(world: World) -> None:
    """Half of a running experiment's appetite of ten days is over, and Ana was reminded of the look."""
    ready(world)
    world.type("frame EXP-1 --appetite M")
    world.type("start EXP-1")
    wait(world, days=5, hours=1)
    assert told(world, "ana") == []
    wait(world, days=1, hours=1)
    (message,) = told(world, "ana")
    assert "An experiment waits for you" in message
    assert "EXP-1 Can the labels be used?: a look is due, 5 of 10 days" in message


def test_a_look_half_way_reminds_the_owner_until_it_is_kept(world: World) -> None:
    looked_for(world)
    world.edge.click("Checkpoint EXP-1", world.slack.messages("@ana")[-1])
    world.edge.submit(text="two of three labels hold")
    world.settle()
    wait(world, days=3)
    assert len(told(world, "ana")) == 1


def test_a_reminded_look_can_be_put_off(world: World) -> None:
    looked_for(world)
    answered = click(world, world.slack.messages("@ana")[-1], "Snooze EXP-1, 1 day", user="U0ANA")
    assert "You hear of EXP-1 again in 1d, if it still waits." in answered
    wait(world, hours=23)
    assert len(told(world, "ana")) == 1
    wait(world, hours=2)
    assert len(told(world, "ana")) == 2


def test_a_block_whose_day_has_come_reminds_the_owner_until_it_is_lifted(world: World) -> None:
    ready(world)
    world.type("frame EXP-1 --appetite L")
    world.type("start EXP-1")
    world.type('block EXP-1 "labels are late" --until 2026-11-25')
    wait(world, days=2)
    wait(world, days=1, hours=1)
    (message,) = told(world, "ana")
    assert "EXP-1 Can the labels be used?: is it still blocked? labels are late" in message
    click(world, world.slack.messages("@ana")[-1], "Unblock EXP-1", user="U0ANA")
    wait(world, days=3)
    assert len(told(world, "ana")) == 1


def test_several_waiting_decisions_are_one_reminder(world: World) -> None:
    waiting(world, "First?")
    waiting(world, "Second?")
    wait(world, hours=25)
    (message,) = told(world, "ana")
    assert "2 decisions wait for you" in message


def test_a_channels_goal_is_what_its_new_experiments_serve(world: World) -> None:
    world.type('goal add churn "keep active clients"')
    assert "New experiments here serve churn." in world.type("settings goal churn")
    world.type('new "Char-level tokens raise recall"')
    assert "goal  churn" in world.type("show EXP-1")
    world.type("settings goal off")
    world.type('new "Another"')
    assert "goal  churn" not in world.type("show EXP-2")


def test_a_crash_between_look_and_post_tells_nothing_twice(world: World) -> None:
    world.type("subscribe everything ideas", user="U0BEN")
    world.type('new "Char-level tokens raise recall"')
    world.slack.faults.add("chat.postMessage", "reset_after")
    wait(world, minutes=2)
    assert len(told(world)) == 1


@pytest.mark.parametrize(
    ("rhythm", "now", "due"),
    [
        ("daily 09:00 Europe/Berlin", "2026-11-24T07:59+00:00", "2026-11-23T08:00+00:00"),
        ("daily 09:00 Europe/Berlin", "2026-11-24T08:00+00:00", "2026-11-24T08:00+00:00"),
        ("weekly mon 09:00 Europe/Berlin", "2026-11-29T12:00+00:00", "2026-11-23T08:00+00:00"),
        ("daily 09:00 Europe/Berlin", "2026-10-25T08:00+00:00", "2026-10-25T08:00+00:00"),  # the day of the change
        ("daily 02:30 Europe/Berlin", "2026-03-29T02:00+00:00", "2026-03-29T01:30+00:00"),  # a time that is skipped
    ],
)
def test_a_digest_is_due_by_the_local_clock(rhythm: str, now: str, due: str) -> None:
    found = last_due(read_digest(rhythm), datetime.fromisoformat(now))
    assert found.astimezone(UTC) == datetime.fromisoformat(due)


def test_a_night_that_goes_back_an_hour_is_one_period() -> None:
    twice = [datetime(2026, 10, 25, hour, 45, tzinfo=UTC) for hour in (0, 1)]  # 02:45 in Berlin, both
    assert len({last_due(read_digest("daily 02:30 Europe/Berlin"), at).date() for at in twice}) == 1


def test_quiet_hours_reach_over_midnight() -> None:
    quiet = read_quiet("20:00\u201308:00 Europe/Berlin")
    hours = [hour for hour in range(24) if quiet.cover(datetime(2026, 11, 24, hour, 30, tzinfo=UTC))]
    assert hours == [0, 1, 2, 3, 4, 5, 6, 19, 20, 21, 22, 23]
    with pytest.raises(BacklogError, match="no quiet hours"):
        read_quiet("8pm")
