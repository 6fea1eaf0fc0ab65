"""The Home, shortcuts, links and talk: what a person meets outside of commands."""

import json
from typing import Any

import pytest

from sandbox.transcript import block_text
from store.metrics import save_source_state
from tests.conftest import World
from tests.test_slack_cards import card, ready
from tests.test_slack_modals import answered, shown


def home(world: World, user: str = "U0ANA") -> str:
    world.edge.event({"type": "app_home_opened", "user": user, "channel": "D1", "tab": "home"})
    world.settle()
    blocks = world.slack.views.homes[user].content["blocks"]
    return "\n".join(line for block in blocks for line in block_text(block))


def share(world: World, *urls: str, lose: int = 0, **more: Any) -> list[dict[str, Any]]:
    """Share links in #ml; what is shown of them."""
    shared = more.pop("shared", False)
    before = len(world.slack.unfurled)
    links = [{"url": url, "domain": url.split("/")[2]} for url in urls]
    ts = f"{world.clock().timestamp():.6f}"
    event = {"type": "link_shared", "channel": "C0ML", "user": "U0ANA", "message_ts": ts, "links": links,
             "is_bot_user_member": True, **more}  # fmt: skip
    world.edge.event(event, shared=shared, lose=lose)
    world.settle()
    return world.slack.unfurled[before:]


def say(world: World, text: str, user: str = "U0ANA", kind: str = "app_mention", lose: int = 0, **more: Any) -> str:
    """Say something to the bot in #ml; what it answers in the thread."""
    world.clock.forward(seconds=1)
    ts = f"{world.clock().timestamp():.6f}"
    posted = {"type": "message", "user": user, "text": text, "ts": ts, "channel": "C0ML", "blocks": []}
    world.slack.messages("ml").append(posted)
    world.edge.event({"type": kind, "user": user, "text": text, "ts": ts, "channel": "C0ML", **more}, lose=lose)
    world.settle()
    replies = [m for m in world.slack.messages("ml") if m.get("thread_ts") == ts]
    return "\n".join(line for m in replies for block in m["blocks"] for line in block_text(block))


def test_the_home_shows_what_is_mine_what_waits_and_what_i_follow(world: World) -> None:
    ready(world)
    world.type("subscribe goal:churn decisions")
    world.type("settings quiet 20:00-08:00 Europe/Berlin")
    world.type("move EXP-1 deciding")
    seen = home(world)
    assert "EXP-1 Can the labels be used?: its outcome" in seen
    assert "goal:churn: decisions, at once" in seen
    assert "Quiet hours: 20:00-08:00 Europe/Berlin" in seen
    assert "On their way out: 0" in seen
    assert "None yet." in home(world, "U0BEN")


def test_what_nobody_knows_to_have_arrived_stands_in_the_home_until_an_admin_decides(world: World) -> None:
    world.slack.channels["C0ML"].readable = False
    world.slack.faults.add("chat.postMessage", "reset_after")
    world.type('new "Char-level tokens raise recall"')
    assert "1 could not be delivered, or nobody knows whether they were:" in home(world)
    assert "unknown, slack.card to slack:card:EXP-1" in home(world)
    world.edge.click_view("Drop", world.slack.views.homes["U0ANA"])
    world.settle()
    assert "unknown" not in home(world)
    assert [m["text"] for m in world.slack.messages("@ana")] == ["Row 1 is dropped."]


def test_only_admins_see_how_sources_and_deliveries_stand(world: World) -> None:
    roles = {"admin": frozenset({"U0BEN"})}
    from bot.roles import Role, Roles

    object.__setattr__(world.services, "roles", Roles({Role(name): ids for name, ids in roles.items()}))
    assert "Sources, Jira and deliveries" not in home(world)
    assert "Sources, Jira and deliveries" in home(world, "U0BEN")
    assert "files: never read yet" in home(world, "U0BEN")
    with world.services.database.write() as connection:
        save_source_state(connection, "files", world.services.now(), "")
        save_source_state(connection, "files", None, "files: it is down.")
        save_source_state(connection, "gone", world.services.now(), "")
    world.clock.forward(minutes=7)
    assert "files: read 7 min ago, files: it is down." in home(world, "U0BEN")
    assert "gone" not in home(world, "U0BEN"), "what the config does not name any more"


def test_a_click_in_the_home_acts_and_draws_it_anew(world: World) -> None:
    ready(world)
    home(world)
    world.edge.click_view("Start", world.slack.views.homes["U0ANA"])
    world.settle()
    assert "EXP-1 is running." in str(world.slack.messages("@ana")[-1])
    assert "· running" in str(world.slack.views.homes["U0ANA"].content)
    world.edge.click_view("Checkpoint", world.slack.views.homes["U0ANA"])
    ack = world.edge.submit(text="two of three hold")
    assert "Checkpoint kept on EXP-1." in json.dumps(ack.body)


def test_an_experiment_made_of_a_message_keeps_its_text_and_address(world: World) -> None:
    message = {"type": "message", "user": "U0BEN", "ts": "1795428000.000100", "blocks": [],
               "text": "Maybe <!channel> character tokens\nhelp with rare names?"}  # fmt: skip
    world.slack.messages("ml").append(message)
    world.edge.message_shortcut("make_experiment", message)
    assert "One moment" in str(world.slack.views.top("U0ANA").content)
    world.settle()
    assert shown(world)["new.title"] == "Maybe <!channel> character tokens help with rare names?"
    world.edge.submit(title="Character tokens help with rare names")
    world.settle()
    assert "EXP-1 is on the backlog" in answered(world)
    told = world.type("show EXP-1")
    assert "help with rare names?" in told
    assert "https://sandbox.slack.com/archives/C0ML/p1795428000000100" in told


def test_an_idea_from_a_cards_thread_follows_from_that_experiment(world: World) -> None:
    world.type('new "Char-level tokens raise recall"')
    message = {"type": "message", "user": "U0BEN", "ts": "1795428000.000100", "text": "and word pieces?", "blocks": [],
               "thread_ts": card(world)["ts"]}  # fmt: skip
    world.slack.messages("ml").append(message)
    world.edge.message_shortcut("make_experiment", message)
    world.settle()
    assert shown(world)["new.parent"] == "EXP-1"


def test_the_global_shortcut_tells_of_the_new_experiment_in_the_channel_that_was_picked(world: World) -> None:
    world.edge.shortcut("new_experiment")
    world.edge.submit(title="Char-level tokens raise recall", channel="C0MGMT")
    world.settle()
    (told,) = world.slack.messages("ml-managers")
    assert "EXP-1 is on the backlog" in str(told)
    assert "Shown by ana" in str(told)


def test_a_link_to_an_experiment_shows_its_card_once_in_half_an_hour(world: World) -> None:
    ready(world)
    url = f"{world.services.public_url}/experiments/EXP-1"
    (first,) = share(world, url)
    assert "Can the labels be used?" in str(first["unfurls"][url])
    assert "actions" not in [block["type"] for block in first["unfurls"][url]["blocks"]]
    world.clock.forward(minutes=29)
    assert share(world, url) == []
    world.clock.forward(minutes=2)
    assert len(share(world, url)) == 1


def test_an_event_whose_answers_are_lost_acts_once_all_the_same(world: World) -> None:
    ready(world)
    assert len(share(world, f"{world.services.public_url}/experiments/EXP-1", lose=3)) == 1
    assert say(world, "<@U0BOT> hello", lose=3).count("What would you like to do?") == 1
    assert len([sent for sent in world.edge.sent if sent["kind"] == "events_api"]) == 8


def test_reports_and_linked_issues_are_shown_and_nothing_else(world: World) -> None:
    ready(world)
    world.type("report post weekly")
    with world.services.database.read() as connection:
        report = connection.exec_driver_sql("SELECT id FROM report").scalar()
        issue = connection.exec_driver_sql("SELECT issue_url FROM experiment").scalar()
    assert "Weekly report 2026-W47, manager" in str(share(world, f"{world.services.public_url}/reports/{report}"))
    assert "Can the labels be used?" in str(share(world, str(issue)))
    assert share(world, "https://evil.example/browse/ML-1") == []
    assert share(world, f"{world.services.public_url}/experiments/EXP-99") == []


def test_three_links_a_shared_channel_and_a_foreign_report_are_left_alone(world: World) -> None:
    ready(world)
    world.type("report post weekly")
    base = world.services.public_url
    url = f"{base}/experiments/EXP-1"
    with world.services.database.read() as connection:
        report = connection.exec_driver_sql("SELECT id FROM report").scalar()
    assert share(world, url, f"{url}?a", f"{url}?b") == []
    assert share(world, url, shared=True) == []
    assert share(world, f"{base}/reports/{report}", is_bot_user_member=False) == []
    assert len(share(world, url)) == 1


def test_plain_words_lead_to_help_and_to_what_is_known(world: World) -> None:
    world.type('new "Char-level tokens raise recall"')
    told = say(world, "<@U0BOT> did anybody try tokens?")
    assert "What would you like to do?" in told
    assert "EXP-1 Char-level tokens raise recall" in told
    assert "[New experiment]" in told


def test_a_verb_that_reads_is_answered_in_the_thread_and_one_that_writes_is_offered(world: World) -> None:
    world.type('new "Char-level tokens raise recall"')
    assert "Char-level tokens raise recall" in say(world, "<@U0BOT> show EXP-1")
    assert "[note EXP-1 leakage in fold 3]" in say(world, "<@U0BOT> note EXP-1 leakage in fold 3")
    assert "leakage" not in world.type("show EXP-1")
    world.edge.click("note EXP-1 leakage in fold 3", world.slack.messages("ml")[-1], "U0BEN")
    world.settle()
    assert "ben: noted leakage in fold 3" in world.type("show EXP-1")


def test_in_the_bots_own_conversation_every_message_is_answered_but_a_bots(world: World) -> None:
    assert "What would you like to do?" in say(world, "hello", kind="message", channel_type="im")
    assert say(world, "hello again", kind="message", channel_type="channel") == ""
    assert say(world, "beep", kind="message", channel_type="im", bot_id="B1") == ""


@pytest.mark.parametrize("what", ["shortcut", "message", "mention", "modal"])
def test_a_stranger_gets_nowhere(world: World, what: str) -> None:
    ready(world)
    if what == "shortcut":
        world.edge.shortcut("new_experiment", "U0CHI", user_team="T0OTHER")
    elif what == "message":
        world.edge.message_shortcut("make_experiment", card(world), "U0CHI", user_team="T0OTHER")
    elif what == "mention":
        assert say(world, "<@U0BOT> show EXP-1", "U0CHI", user_team="T0OTHER") == ""
    else:
        world.edge.command("new", "U0CHI")
        ack = world.edge.submit("U0CHI", user_team="T0OTHER", title="Mine")
        assert "another workspace" in str(ack.body["errors"])
    world.settle()
    assert what == "modal" or "U0CHI" not in world.slack.views.stacks
    assert "1 experiment" in world.type("list")


def in_thread(world: World, text: str, root: str, user: str = "U0ANA") -> dict[str, Any]:
    """Mention the bot in a thread; what it answers there."""
    world.clock.forward(seconds=1)
    ts = f"{world.clock().timestamp():.6f}"
    mention = {"type": "app_mention", "user": user, "text": f"<@U0BOT> {text}", "ts": ts, "channel": "C0ML"}
    world.edge.event({**mention, "thread_ts": root})
    world.settle()
    return world.slack.messages("ml")[-1]


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("note leakage in fold 3", "note EXP-1 leakage in fold 3"),
        ('block "labels are late" --until 2027-03-01', 'block EXP-1 "labels are late" --until 2027-03-01'),
        ("checkpoint", "checkpoint EXP-1"),
        ("note EXP-2 of another", "note EXP-2 of another"),
        ("link ML-9", "link EXP-1 ML-9"),
        ("new Word pieces", "new --follows=EXP-1 Word pieces"),
        ("risk add churn labels may be late", "risk add churn labels may be late"),
        ("risk add labels may be late", "risk add EXP-1 labels may be late"),
        ("goal add growth more clients", "goal add growth more clients"),
    ],
)
def test_what_is_said_in_a_cards_thread_is_about_its_experiment(world: World, said: str, line: str) -> None:
    world.type('goal add churn "keep active clients"')
    world.type('new "Char-level tokens raise recall"')
    world.type('new "Another" --anyway')
    offered = in_thread(world, said, card(world)["ts"])["blocks"][-1]["elements"][0]
    assert offered["value"] == line
    assert offered["text"]["text"] == line


def test_what_reads_in_a_cards_thread_reads_that_card(world: World) -> None:
    world.type('new "Char-level tokens raise recall"')
    assert "Char-level tokens raise recall" in str(in_thread(world, "show", card(world)["ts"]))


def test_a_form_that_is_asked_for_in_a_cards_thread_is_about_its_experiment(world: World) -> None:
    ready(world)
    world.edge.click("checkpoint EXP-1", in_thread(world, "checkpoint", card(world)["ts"]))
    assert "EXP-1 Can the labels be used?" in str(world.slack.views.top("U0ANA").content)
    menu = in_thread(world, "what now?", card(world)["ts"])
    world.edge.click("Outcome", menu)
    assert "EXP-1 Can the labels be used?" in str(world.slack.views.top("U0ANA").content)


def test_a_new_experiment_asked_for_in_a_thread_is_made_of_its_first_message(world: World) -> None:
    ts, text = "1795428000.000100", "Do word pieces help with rare names?"
    root = {"type": "message", "user": "U0BEN", "ts": ts, "blocks": [], "text": text}
    world.slack.messages("ml").append(root)
    world.edge.click("new --appetite S", in_thread(world, "new --appetite S", ts))
    assert "One moment" in str(world.slack.views.top("U0ANA").content)
    world.settle()
    assert shown(world)["new.title"] == "Do word pieces help with rare names?"
    assert shown(world)["new.appetite"] == "S"
    assert "https://sandbox.slack.com/archives/C0ML/p1795428000000100" in shown(world)["new.note"]


def test_a_thread_that_begins_with_a_word_to_the_bot_fills_nothing_in(world: World) -> None:
    say(world, "<@U0BOT> new")
    world.edge.click("new", world.slack.messages("ml")[-1])
    world.settle()
    assert shown(world)["new.title"] == ""
