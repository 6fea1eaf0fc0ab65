"""Schedules made in the chat: when reports go out, to whom, and when they do not."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from store.reports import list_reports
from tests.conftest import CONFIG, World
from tests.test_flows import reports

LEADS = '[roles]\nadmin = ["U0BEN"]\n'


def at(world: World, day: int, hour: int, minute: int = 0) -> None:
    """Move on to that hour of the November or December of 2026 and let what is due happen."""
    moment = (
        datetime(2026, 11, day, hour, minute, tzinfo=UTC) if day > 22 else datetime(2026, 12, day, hour, tzinfo=UTC)
    )
    world.clock.at = moment
    world.settle()


def managers(world: World) -> list[str]:
    return [text for text in world.channel("ml-managers") if text.startswith("Weekly report")]


def test_a_report_scheduled_in_the_chat_goes_out_beside_the_configured_one(world: World) -> None:
    said = world.type("schedule weekly mon 09:00 Europe/Berlin #ml-managers")
    assert "weekly for manager goes to #ml-managers every Monday at 09:00 Europe/Berlin." in said
    assert "Next: Mon 30 Nov 09:00, Mon 7 Dec 09:00, Mon 14 Dec 09:00 Europe/Berlin." in said
    at(world, 30, 8, 1)
    assert (len(managers(world)), len(reports(world))) == (1, 0)
    at(world, 30, 9, 1)
    assert (len(managers(world)), len(reports(world))) == (1, 1)
    assert managers(world) == reports(world), "one report of that audience and week, in two places"


def test_the_same_place_scheduled_again_is_moved_and_never_doubles_a_week(world: World) -> None:
    world.type("schedule weekly mon 08:00 #ml-managers")
    at(world, 30, 8, 1)
    world.type("schedule weekly mon 20:00 #ml-managers")
    at(world, 30, 21)
    assert len(managers(world)) == 1
    assert world.type("schedule list").count("#ml-managers") == 1


def test_a_person_gets_a_report_as_a_message(world: World) -> None:
    world.type("list", user="U0BEN")
    assert "goes to U0BEN" in world.type("schedule weekly fri 16:00 --audience team <@U0BEN|ben>")
    at(world, 27, 16, 1)
    assert [m["text"] for m in world.slack.messages("@ben") if m["blocks"][0]["type"] == "header"]


def test_a_report_to_a_person_that_slack_answered_badly_is_found_again(world: World) -> None:
    world.type("list", user="U0BEN")
    world.type("schedule weekly fri 16:00 --audience team <@U0BEN|ben>")
    world.slack.faults.add("chat.postMessage", "reset_after")
    at(world, 27, 16, 1)
    assert len([m for m in world.slack.messages("@ben") if m["blocks"][0]["type"] == "header"]) == 1


WRONG = [
    ("schedule weekly 1 09:00 #ml", '"1 09:00" is no schedule.'),
    ("schedule weekly mon 24:00", '"24:00" is no time of day.'),
    ("schedule weekly mon 09:00 Europe/Berln", '"Europe/Berln" is no time zone.'),
    ("schedule weekly daily 09:00", "The weekly report speaks of a week"),
    ("schedule monthy mon 09:00", 'There is no report "monthy".'),
    ("schedule weekly mon 09:00 #ml #ml-managers", "A schedule has one place."),
    ('schedule weekly mon 09:00 --email "a@b c"', '"a@b c" is no e-mail address.'),
    ('schedule weekly mon 09:00 --email "a@example.com\nBcc: b@example.com"', "is no e-mail address."),
    ("schedule weekly mon 09:00 --email ana@example.com", "Mail is not configured. Set [mail] host and from"),
    ('schedule weekly mon 09:00 --audience "<script>"', '"<script>" is no audience.'),
    ("schedule weekly mon 09:00 --audience a/../../b", '"a/../../b" is no audience.'),
    ("schedule weekly mon 09:00 #" + "x" * 500, "is no channel."),
    ("schedule weekly mon 09:00 #<!channel>", '"#<!channel>" is no channel.'),
    ("schedule pause until monday", '"monday" is no day.'),
    ("schedule pause until 2026-11-01", "2026-11-01 is not ahead."),
    ("schedule pause 7", 'There is no schedule "7". Schedules: weekly-manager.'),
    ("schedule remove weekly-manager", '"weekly-manager" is set in config.toml.'),
    ("schedule pause a b", '"a b" is not clear.'),
]


def test_what_cannot_be_meant_is_answered_with_the_form(world: World) -> None:
    for line, says in WRONG:
        assert says in " ".join(world.type(line).split()), line
    assert "1 scheduled" in world.type("schedule list")


def test_next_list_and_remove(world: World) -> None:
    world.type("schedule weekly mon 08:00 Australia/Sydney #ml-managers --audience sydney")
    shown = world.type("schedule next")
    assert "weekly-manager  Mon 30 Nov 09:00, Mon 7 Dec 09:00, Mon 14 Dec 09:00 UTC" in shown
    assert "1  Mon 30 Nov 08:00, Mon 7 Dec 08:00, Mon 14 Dec 08:00 Australia/Sydney" in shown
    assert "no longer goes to #ml-managers" in world.type("schedule remove 1")
    at(world, 30, 23)
    assert not managers(world)


def test_a_paused_report_is_written_but_not_sent_and_goes_on_at_the_named_day(world: World) -> None:
    assert "is paused until 2026-12-07" in world.type("schedule pause until 2026-12-07")
    assert "paused until 2026-12-07" in world.type("schedule list")
    at(world, 30, 9, 1)
    assert not reports(world)
    assert "goes to #ml" in world.type("report post"), "what was held back can still be sent by hand"
    at(world, 7, 10)
    assert ["Week 48" in text for text in reports(world)] == [True, False]


def test_one_schedule_is_paused_and_resumed_alone_and_nothing_is_made_up_for(world: World) -> None:
    world.type("schedule weekly mon 08:00 #ml-managers")
    world.type("schedule pause 1")
    at(world, 30, 10)
    assert (len(managers(world)), len(reports(world))) == (0, 1)
    assert "Schedule 1 goes on. What was due meanwhile is not sent." in world.type("schedule resume 1")
    world.settle()
    assert not managers(world)
    at(world, 7, 10)
    assert len(managers(world)) == 1


def test_pause_all_turns_the_bots_own_posts_off_and_answers_stay(world: World) -> None:
    assert "All that the bot posts by itself is paused" in world.type("schedule pause all")
    assert "EXP-1 is on the backlog" in world.type('new "Char-level tokens raise recall"')
    at(world, 30, 10)
    assert world.channel() == []
    assert "is off. /exp schedule resume all" in world.type("schedule list")
    world.type("schedule resume all")
    world.type('edit EXP-1 --title "Char tokens raise recall"')
    assert len(world.channel()) == 1


def test_only_an_admin_changes_schedules(make_world: Callable[..., World]) -> None:
    world = make_world(config=CONFIG + LEADS)
    for line in (
        "schedule weekly mon 09:00 #ml-managers",
        "schedule pause all",
        "schedule resume",
        "schedule remove 1",
    ):
        assert "To change schedules one must be an admin; your role is member." in world.type(line), line
    assert "goes to #ml-managers" in world.type("schedule weekly mon 09:00 #ml-managers", user="U0BEN")
    assert "1 scheduled" not in world.type("schedule list")


def test_every_kind_of_report_goes_out_on_its_own_rhythm_once_a_period(world: World) -> None:
    world.type("schedule goal-review first mon 10:00 #ml-managers")
    world.type("schedule digest daily 08:00 Europe/Berlin #ml-managers")
    world.type("schedule risk fri 12:00 #ml-managers")
    for day in (25, 26, 27, 28, 29, 30, 1, 2, 3, 4, 5, 6, 7):
        at(world, day, 13)
    with world.services.database.read() as connection:
        kept = [id_ for id_, _, _ in list_reports(connection)]
    kinds = Counter(id_.partition("-manager-")[0] for id_ in kept)
    assert kinds == {"digest": 14, "risk": 2, "goal-review": 1, "weekly": 2}
    assert "goal-review-manager-2026-11" in kept
    assert "digest-manager-2026-11-24" in kept, "the day before the one it came on"
    heads = [m for m in world.slack.messages("ml-managers") if "thread_ts" not in m]
    assert len(heads) == 17
