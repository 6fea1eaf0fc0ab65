"""Modals: what lacks something is asked for, what is wrong stands under its field, and what is sent acts once."""

import json
from typing import Any

import pytest

from sandbox.slack_views import View
from tests.conftest import World


def top(world: World, user: str = "U0ANA") -> View:
    return world.slack.views.top(user)


def shown(world: World, user: str = "U0ANA") -> dict[str, Any]:
    """What stands in each input of the open modal, by the block's id."""
    found = {}
    for block in top(world, user).content["blocks"]:
        if block["type"] == "input":
            e = block["element"]
            option = e.get("initial_option") or {}
            found[block["block_id"]] = option.get("value") or e.get("initial_value") or e.get("initial_user") or ""
    return found


def send(world: World, user: str = "U0ANA", **given: Any) -> dict[str, str]:
    """Send the open modal and let everything happen; the errors under its fields."""
    ack = world.edge.submit(user, **given)
    assert ack.status == 200, ack
    world.settle()
    errors: dict[str, str] = ack.body.get("errors", {})
    return errors


def answered(world: World) -> str:
    return json.dumps(world.slack.ephemerals[-1].message, ensure_ascii=False)


def framed(world: World) -> None:
    world.type('goal add churn "keep active clients" --metric recall --baseline 0.71 --target 0.80')
    world.type('new "Char-level tokens raise recall" --goal churn')


def test_a_bare_new_asks_for_the_title_and_puts_the_idea_on_the_backlog(world: World) -> None:
    world.type('goal add churn "keep active clients"')
    assert world.type("new --goal churn --appetite M") == ""
    assert shown(world)["new.goal"] == "churn"
    assert shown(world)["new.appetite"] == "M"
    assert send(world, title="Char-level tokens raise recall", kind="research") == {}
    assert "EXP-1 is on the backlog: Char-level tokens raise recall" in answered(world)
    assert world.slack.views.stacks["U0ANA"] == []
    assert "research" in world.type("show EXP-1")


def test_a_new_one_that_is_near_a_past_one_shows_it_over_the_form_and_is_created_once(world: World) -> None:
    framed(world)
    world.type("new")
    assert send(world, title="Word-level tokens raise recall", goal="churn", note="seen in a paper") == {}
    asked = json.dumps(top(world).content, ensure_ascii=False)
    assert "Like it: EXP-1 Char-level tokens raise recall (idea)" in asked
    assert "1 experiment\n" in world.type("list")
    assert send(world) == {}
    assert "EXP-2 is on the backlog: Word-level tokens raise recall" in answered(world)
    assert world.slack.views.stacks["U0ANA"] == []
    assert "seen in a paper" in world.type("show EXP-2")


def test_a_near_one_that_the_shortcut_asks_about_is_told_in_the_channel_that_was_chosen(world: World) -> None:
    framed(world)
    world.edge.shortcut("new_experiment")
    send(world, title="Word-level tokens raise recall", channel="C0MGMT")
    assert "Create it anyway" in json.dumps(top(world).content)
    assert send(world) == {}
    assert any("EXP-2 is on the backlog" in text for text in world.channel("ml-managers"))


def test_frame_shows_the_last_state_and_says_only_what_changed(world: World) -> None:
    framed(world)
    world.type('frame EXP-1 --hypothesis "we believe" --metric recall --min-effect 0.01')
    assert world.type("frame EXP-1") == ""
    assert shown(world)["frame.hypothesis"] == "we believe"
    assert shown(world)["frame.min_effect"] == "0.01"
    assert shown(world)["frame.goal"] == "churn"
    assert "EXP-1 Char-level tokens raise recall · framed" in json.dumps(top(world).content, ensure_ascii=False)
    assert send(world, min_effect="0.02") == {}
    assert "EXP-1 is framed: smallest effect set." in answered(world)


def test_a_modal_sent_without_a_change_says_so_in_place_and_stays_open(world: World) -> None:
    framed(world)
    world.type("frame EXP-1")
    errors = send(world)
    assert list(errors) == ["frame.hypothesis"]
    assert errors["frame.hypothesis"].startswith("Nothing to frame EXP-1 with.")


@pytest.mark.parametrize(
    ("line", "given", "field", "says"),
    [
        ("new", {"title": "🚀"}, "new.title", "A title needs words."),
        ("goal add", {"key": "no good!", "statement": "x"}, "goal add.key", '"no good!" is no goal key.'),
        ("metric add", {"name": "m", "goal": "churn", "source": "nowhere", "metric_add__key": "k"}, "metric add.source",
         'There is no source "nowhere". Sources: files.'),
        ("frame EXP-1", {"goal": "nowhere"}, "frame.goal", 'There is no goal "nowhere"'),
        ("edit EXP-1", {"title": ""}, "edit.title", "Nothing to change."),
    ],
)  # fmt: skip
def test_what_is_wrong_stands_under_its_field_and_nothing_is_lost(
    world: World, line: str, given: dict[str, str], field: str, says: str
) -> None:
    framed(world)
    world.type(line)
    errors = send(world, **given)
    assert list(errors) == [field]
    assert says in errors[field]
    assert top(world)


def test_outcome_decision_and_learning_are_one_modal_and_a_refused_decision_keeps_the_outcome(world: World) -> None:
    deciding(world)
    world.type("outcome EXP-1")
    errors = send(world, outcome="bad", learning="labels are wrong", decision="adopt")
    assert list(errors) == ["decide.reason"]
    assert send(world, outcome="bad", learning="labels are wrong", decision="stop", reason="no use") == {}
    told = world.type("show EXP-1")
    assert "bad: labels are wrong" in told
    assert "stop: no use" in told
    assert told.count("outcome bad") == 1


def deciding(world: World) -> None:
    world.jira.add_issue("ML", "Labels")
    world.type('goal add churn "keep active clients"')
    world.type("goal ready churn --labels yes --access yes --expert yes")
    world.type('new "Can the labels be used?" --kind data-understanding --goal churn --appetite S')
    world.type('frame EXP-1 --hypothesis "we believe" --decision "which?"')
    world.type("link EXP-1 ML-1")
    world.type("move EXP-1 deciding")


def test_the_same_modal_sent_twice_acts_once(world: World) -> None:
    world.type("new")
    ack = world.edge.submit(title="Char-level tokens raise recall")
    world.settle()
    again = world.edge.replay(ack)
    assert again.status == 200
    world.settle()
    assert "1 experiment" in world.type("list")


def test_a_goal_is_changed_by_what_differs_and_its_lists_stand_by_lines(world: World) -> None:
    world.type('goal add churn "keep active clients" --not income --not growth --baseline 0.71 --target 0.80')
    world.type("goal edit churn")
    assert shown(world)["goal edit.anti_goals"] == "income\ngrowth"
    assert shown(world)["goal edit.target"] == "0.8"
    assert send(world, target="0.82", why="new contract") == {}
    assert "Goal churn: target changed." in answered(world)
    assert "was 0.8 until 23 Nov 2026: new contract" in world.type("goal show churn")


def test_a_metric_is_read_once_before_it_is_saved(world: World) -> None:
    framed(world)
    (world.folder / "readings.csv").write_text("time,metric,value,run\n2026-11-22,val_recall,0.74,r1\n")
    world.type("metric add recall --goal churn --source files")
    ack = world.edge.submit(metric_add__key="val_recall")
    assert ack.body["response_action"] == "push"
    assert "One moment" in json.dumps(top(world).content, ensure_ascii=False)
    assert "metrics" not in world.type("goal show churn")
    world.settle()
    assert "0.74" in json.dumps(top(world).content)
    assert send(world) == {}
    assert "recall of churn in dev is read from files." in answered(world)
    assert world.slack.views.stacks["U0ANA"] == []


def test_a_metric_that_cannot_be_read_says_why_and_leads_back_to_the_form(world: World) -> None:
    framed(world)
    (world.folder / "readings.csv").unlink()
    world.type("metric add recall --goal churn --source files")
    world.edge.submit(metric_add__key="val_recall")
    world.settle()
    assert "submit" not in top(world).content
    world.edge.close()
    assert shown(world)["metric add.name"] == "recall"


def test_a_checkpoint_keeps_what_was_seen_and_the_hill_in_one_go(world: World) -> None:
    deciding(world)
    world.type("checkpoint EXP-1")
    assert send(world, text="two of three labels hold", position="downhill") == {}
    told = world.type("show EXP-1")
    assert "two of three labels hold" in told
    assert "downhill" in told
    world.type("checkpoint EXP-1")
    assert send(world, text="all hold") == {}
    assert world.type("show EXP-1").count("hill downhill") == 1


def test_settings_show_what_is_set_and_say_where_they_are_wrong(world: World) -> None:
    world.type('goal add churn "keep active clients"')
    world.type("settings quiet")
    assert "settings quiet.hours" in send(world, hours="at night")
    assert send(world, hours="20:00-08:00 Europe/Berlin") == {}
    assert "20:00-08:00 Europe/Berlin" in world.type("settings")
    world.type("settings quiet")
    assert shown(world)["settings quiet.hours"] == "20:00-08:00 Europe/Berlin"
    assert send(world, goal="churn") == {}
    assert "New experiments here serve churn." in answered(world)


def test_a_report_is_scheduled_by_a_modal(world: World) -> None:
    world.type("schedule weekly")
    assert shown(world)["schedule add.report"] == "weekly"
    assert "schedule add.when" in send(world, when="monday at nine")
    assert send(world, when="mon 09:00 Europe/Berlin #ml-managers") == {}
    assert "weekly for manager goes to #ml-managers" in answered(world)


def test_a_risk_is_named_by_a_modal_about_a_goal_or_an_experiment(world: World) -> None:
    framed(world)
    world.type("list", user="U0BEN")
    world.type("risk add --impact high")
    assert world.edge.suggest("risk add.subject", "") == [
        "churn: keep active clients", "EXP-1 Char-level tokens raise recall",
    ]  # fmt: skip
    assert "risk add.review" in send(world, subject="churn", cause="vendor data ends in May", review="soon")
    assert send(world, subject="churn", cause="vendor data ends in May", owner="U0BEN", review="14d") == {}
    assert "vendor data ends in May" in world.type("risk list churn")


def test_choosing_the_experiment_fills_the_form_with_its_state(world: World) -> None:
    framed(world)
    world.type('frame EXP-1 --hypothesis "we believe"')
    world.type("frame")
    assert shown(world)["frame.hypothesis"] == ""
    assert world.edge.choose("frame.key", "EXP-1").status == 200
    assert shown(world)["frame.hypothesis"] == "we believe"
    assert send(world, metric="recall") == {}
    assert "EXP-1 is framed: metric set." in answered(world)


def test_selects_find_experiments_goals_issues_and_runs(world: World) -> None:
    framed(world)
    world.jira.add_issue("ML", "Focal loss")
    world.type("sync")
    (world.folder / "readings.csv").write_text("time,metric,value,run\n2026-11-22,recall,0.74,run-77\n")
    world.type("metric add recall --goal churn --source files --key recall")
    world.clock.forward(hours=1)
    world.settle()
    world.type("link")
    assert world.edge.suggest("link.key", "tokens") == ["EXP-1 Char-level tokens raise recall"]
    assert world.edge.suggest("link.key", "exp-1") == ["EXP-1 Char-level tokens raise recall"]
    assert world.edge.suggest("link.key", "") == ["EXP-1 Char-level tokens raise recall"]
    assert world.edge.suggest("link.issue_key", "focal") == ["ML-1 Focal loss"]
    assert world.edge.suggest("link.issue_key", "77") == ["run-77 (files)"]
    assert send(world, key="EXP-1", issue_key="files:run-77") == {}
    assert "The run files:run-77 belongs to EXP-1." in answered(world)
    world.type("new")
    assert world.edge.suggest("new.goal", "active") == ["churn: keep active clients"]


def test_slow_work_behind_a_modal_is_answered_later(world: World) -> None:
    framed(world)
    world.jira.add_issue("ML", "Focal loss")
    world.type("link EXP-1")
    assert send(world, issue_key="ML-1") == {}
    assert "EXP-1 is linked to ML-1." in answered(world)


def test_a_modal_that_slack_does_not_open_becomes_words(world: World) -> None:
    world.slack.faults.add("views.open", "503")
    assert "Missing argument 'TITLE…'" in world.type("new")


def test_hostile_text_in_a_modal_stays_text(world: World) -> None:
    world.type("new")
    send(world, title="<!channel> *bold* --goal x", note="<@U0BEN> `rm`")
    assert "<!" not in "".join(m["text"] for m in world.slack.messages("ml"))
    assert "<!channel> *bold* --goal x" in world.type("show EXP-1")
