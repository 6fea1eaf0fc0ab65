"""Cards, buttons and answers: one message per experiment, acts at a click, and what one person saw shown to all."""

from typing import Any

import pytest

from sandbox.transcript import block_text
from tests.conftest import World


def card(world: World) -> dict[str, Any]:
    return next(m for m in world.slack.messages("ml") if "Question" in str(m["blocks"]))


def labels(message: dict[str, Any]) -> list[str]:
    return [e["text"]["text"] for b in message["blocks"] if b["type"] == "actions" for e in b["elements"]]


def thread(world: World) -> list[str]:
    ts = card(world)["ts"]
    return [m["text"] for m in world.slack.messages("ml") if m.get("thread_ts") == ts]


def click(world: World, label: str, user: str = "U0ANA") -> str:
    """Click on the card; what only that person reads then."""
    before = len(world.slack.ephemerals)
    assert world.edge.click(label, card(world), user).status == 200
    world.settle()
    return "\n".join(
        line for e in world.slack.ephemerals[before:] for block in e.message["blocks"] for line in block_text(block)
    )


def ready(world: World) -> None:
    """An experiment of a kind without metrics, ready to start."""
    world.jira.add_issue("ML", "Labels")
    world.type('goal add churn "keep active clients"')
    world.type("goal ready churn --labels yes --access yes --expert yes")
    world.type('new "Can the labels be used?" --kind data-understanding --goal churn --appetite S')
    world.type('frame EXP-1 --hypothesis "we believe" --decision "which?"')
    world.type("link EXP-1 ML-1")


def test_a_card_offers_the_next_sensible_acts_and_keeps_its_height(world: World) -> None:
    ready(world)
    seen, heights = [labels(card(world))], set()
    steps = ("start EXP-1", "move EXP-1 deciding", 'outcome EXP-1 bad "wrong"', 'decide EXP-1 stop "no use"')
    for line in steps:
        world.type(line)
        seen.append(labels(card(world)))
        heights.add((len(card(world)["blocks"]), str(card(world)["blocks"][1]).count("\\n")))
    assert seen == [
        ["Start", "Frame", "Details"],
        ["Checkpoint", "Outcome", "Snooze", "Details"],
        ["Outcome", "Decide", "Snooze", "Details"],
        ["Decide", "Outcome", "Snooze", "Details"],
        ["Follow-up", "Details"],
    ]
    assert len(heights) == 1


def test_the_card_of_a_blocked_experiment_offers_to_lift_the_block_first(world: World) -> None:
    ready(world)
    world.type("start EXP-1")
    world.type("block EXP-1 labels are late")
    assert labels(card(world)) == ["Unblock", "Checkpoint", "Outcome", "Snooze", "Details"]
    assert "EXP-1 is no longer blocked." in click(world, "Unblock", "U0BEN")


def test_a_click_does_what_the_line_would_in_the_name_of_whoever_clicked(world: World) -> None:
    ready(world)
    assert "EXP-1 is running." in click(world, "Start", "U0BEN")
    assert "ben: started" in world.type("show EXP-1")
    assert "EXP-1 is already running." in world.type("start EXP-1")


def test_the_same_click_delivered_twice_acts_once(world: World) -> None:
    ready(world)
    ack = world.edge.click("Start", card(world))
    world.settle()
    world.edge.replay(ack)
    world.settle()
    assert world.type("show EXP-1").count("started") == 1


def test_a_click_on_what_only_reads_is_answered_once_however_often_it_is_delivered(world: World) -> None:
    ready(world)
    ack = world.edge.click("Details", card(world))
    world.settle()
    answers = len(world.slack.ephemerals)
    world.edge.replay(ack)
    world.settle()
    assert len(world.slack.ephemerals) == answers


def test_a_click_that_lacks_words_opens_their_modal(world: World) -> None:
    ready(world)
    click(world, "Start")
    assert click(world, "Checkpoint", "U0BEN") == ""
    world.edge.submit("U0BEN", text="two of three labels hold")
    world.settle()
    assert "ben: checkpoint two of three labels hold" in world.type("show EXP-1")


def test_a_refused_click_says_why_only_to_whoever_clicked(world: World) -> None:
    world.type('new "Char-level tokens raise recall"')
    before = len(world.slack.messages("ml"))
    assert "cannot go from idea to running yet" in click(world, "Start")
    assert len(world.slack.messages("ml")) == before


def test_what_happens_in_a_moment_is_one_message_in_the_thread_and_never_a_broadcast(world: World) -> None:
    ready(world)
    world.settle()
    told = len(thread(world))
    for word in ("one", "two", "three"):
        world.edge.command(f"note EXP-1 {word}")
    world.settle()
    assert thread(world)[told:] == ["ana noted: one\nana noted: two\nana noted: three"]
    world.clock.forward(minutes=1)
    world.type("note EXP-1 four")
    assert thread(world)[told + 1 :] == ["ana noted: four"]
    assert not [m for m in world.slack.messages("ml") if m.get("reply_broadcast")]


def test_an_answer_that_one_person_saw_can_be_shown_to_the_channel_with_their_name(world: World) -> None:
    world.type('new "Char-level tokens raise recall"')
    world.type("list", user="U0BEN")
    before = len(world.slack.messages("ml"))
    ack = world.edge.click("Post to channel", world.slack.ephemerals[-1].message, "U0BEN")
    world.settle()
    world.edge.replay(ack)
    world.settle()
    (shown,) = world.slack.messages("ml")[before:]
    text = "\n".join(line for block in shown["blocks"] for line in block_text(block))
    assert "Char-level tokens raise recall" in text
    assert "Shown by ben" in text
    assert "Post to channel" not in text


def test_what_was_done_is_shown_as_it_was_said_and_not_done_again(world: World) -> None:
    world.type('new "Char-level tokens raise recall"')
    world.edge.click("Post to channel", world.slack.ephemerals[-1].message)
    world.settle()
    assert "EXP-1 is on the backlog" in str(world.slack.messages("ml")[-1])
    assert "1 experiment" in world.type("list")


def test_what_cannot_be_shown_any_more_is_told_to_the_person_alone(world: World) -> None:
    world.type('new "Char-level tokens raise recall"')
    world.type("report preview weekly")
    shown = world.slack.ephemerals[-1].message
    button = shown["blocks"][-1]["elements"][-1]
    button["value"] = "show EXP-9"
    before = len(world.slack.messages("ml"))
    world.edge.click("Post to channel", shown)
    world.settle()
    assert "There is no EXP-9 here." in str(world.slack.ephemerals[-1].message)
    assert len(world.slack.messages("ml")) == before


def test_a_slow_answer_can_be_shown_too(world: World) -> None:
    world.type("report preview weekly")
    world.edge.click("Post to channel", world.slack.ephemerals[-1].message)
    world.settle()
    assert "Weekly report" in str(world.slack.messages("ml")[-1])


def test_a_bare_exp_is_a_menu_whose_buttons_lead_on(world: World) -> None:
    assert "What would you like to do?" in world.type("")
    menu = world.slack.ephemerals[-1].message
    assert labels(menu)[:3] == ["New experiment", "My experiments", "All experiments"]
    world.edge.click("New experiment", menu)
    assert world.slack.views.top("U0ANA").content["title"]["text"] == "New experiment"
    world.edge.click("My experiments", menu)
    world.settle()
    assert "No experiments here yet." in str(world.slack.ephemerals[-1].message)


def test_an_answer_whose_address_has_expired_comes_as_a_message_to_the_person(world: World) -> None:
    world.edge.command("report preview weekly")
    world.clock.forward(minutes=31)
    world.settle()
    assert "Weekly report" in str(world.slack.messages("@ana")[-1])


@pytest.mark.parametrize("label", ["Start", "Frame", "Details"])
def test_a_stranger_of_another_workspace_changes_nothing_and_is_told_so(world: World, label: str) -> None:
    ready(world)
    told = len(world.slack.ephemerals)
    world.edge.click(label, card(world), "U0CHI", user_team="T0OTHER")
    world.settle()
    assert "belongs to another workspace" in str(world.slack.ephemerals[told].message)
    assert "U0CHI" not in world.slack.views.stacks
    assert "framed" in world.type("show EXP-1")


def test_what_was_done_leads_on_at_a_click(world: World) -> None:
    ready(world)
    world.type("start EXP-1")
    assert labels(world.slack.ephemerals[-1].message) == ["Checkpoint EXP-1", "Outcome EXP-1", "Post to channel"]
    world.type('outcome EXP-1 bad "labels are wrong"')
    assert labels(world.slack.ephemerals[-1].message)[0] == "Decide EXP-1"


def test_what_a_gate_misses_is_filled_in_at_a_click(world: World) -> None:
    world.type('goal add churn "keep active clients"')
    world.type('new "Char-level tokens raise recall" --goal churn')
    world.type("start EXP-1")
    refused = world.slack.ephemerals[-1].message
    assert labels(refused) == ["Frame EXP-1", "Goal edit churn", "Goal ready churn", "Link EXP-1"]
    world.edge.click("Frame EXP-1", refused)
    assert "EXP-1 Char-level tokens raise recall" in str(world.slack.views.top("U0ANA").content)


def test_the_thread_says_where_a_stage_went_and_what_was_found(world: World) -> None:
    ready(world)
    world.type("move EXP-1 deciding")
    world.type('outcome EXP-1 bad "labels are wrong"')
    assert thread(world)[-2:] == ["ana moved to deciding", "ana found it bad: labels are wrong"]


def test_a_table_too_wide_for_a_chat_is_told_row_by_row(world: World) -> None:
    world.type('goal add churn "keep active clients"')
    cause = "the vendor's data ends in May and nobody has asked for another year of it yet"
    told = world.type(f'risk add churn "{cause}"') and world.type("risk list churn")
    assert f"1 churn\ncause: {cause}" in told
    assert "rich_text_preformatted" not in str(world.slack.ephemerals[-1].message)
