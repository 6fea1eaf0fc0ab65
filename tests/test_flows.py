"""The main job from Slack's wire to Jira's wire to a tracker's file to a posted report."""

import json
from datetime import UTC, datetime

import httpx2
import pytest

from bot.flows.run_due import run_due
from bot.flows.services import Caller
from bot.terminal import to_json
from bot.verbs import Request, answer
from bot.work import work_once
from sandbox.jira_shapes import document_text
from store import outbox
from store.experiments import find_experiment, load_timeline
from tests import blockkit
from tests.conftest import World

READINGS = """2026-11-17T10:00:00,recall,0.72,r1,0,dev,EXP-1
2026-11-18T10:00:00,recall,0.74,r2,0,dev,EXP-1
2026-11-19T10:00:00,recall,0.76,r3,0,dev,EXP-1
2026-11-19T11:00:00,recall,nan,r4,0,dev,EXP-1
2026-11-20T10:00:00,recall,0.755,p1,0,prod,EXP-1
"""


def state_goal(world: World) -> None:
    world.type(
        'goal add churn "keep active clients" --not "total income" --metric recall --baseline 0.71 --target 0.80'
    )
    world.type("goal ready churn --labels yes --access yes --expert yes --pipeline yes")
    for environment in ("dev", "prod"):
        options = f"--env {environment} --unit share --better up --agg best"
        world.type(f"metric add recall --goal churn --source files --key recall {options}")


def frame(world: World, key: str = "EXP-1") -> str:
    return world.type(
        f"frame {key} --goal churn —hypothesis “we believe chars help” --metric recall --eval-set holdout-v3 "
        f'--min-effect 0.01 --decision "replace the model?" --appetite M'
    )


def run_whole_experiment(world: World) -> None:
    """From the idea to the decision, as people type it."""
    world.jira.add_issue("ML", "Char tokens")
    state_goal(world)
    world.type('new "Char-level tokens raise recall"')
    frame(world)
    world.type("link EXP-1 ML-1")
    world.type("move EXP-1 ready")
    world.type("start EXP-1")
    (world.folder / "readings.csv").open("a").write(READINGS)
    world.clock.forward(minutes=20)
    world.settle()
    world.type("move EXP-1 observing")
    world.type("move EXP-1 deciding")
    world.type('outcome EXP-1 good "recall up 5 points, also for new users"')
    world.type('decide EXP-1 adopt "beats the baseline in production"')


def test_new_puts_an_idea_on_the_backlog_and_its_card_into_the_channel(world: World) -> None:
    said = world.type('new "Char-level tokens raise recall"')
    assert said.startswith("EXP-1 is on the backlog: Char-level tokens raise recall")
    assert "EXP-1 Char-level tokens raise recall" in world.channel()[0]
    assert "ana" in world.channel()[0]


def test_the_whole_way_from_idea_to_decision(world: World) -> None:
    run_whole_experiment(world)
    with world.services.database.read() as connection:
        experiment = find_experiment(connection, "EXP-1")
        acts = [entry.act for entry in load_timeline(connection, "EXP-1")]
    assert (experiment.stage, experiment.decision, experiment.outcome) == ("monitored", "adopt", "good")
    assert acts == ["created", "framed", "linked", "moved", "started", "moved", "moved", "outcome", "decided"]


def test_link_writes_a_remote_link_once_and_follows_the_issue_when_it_moves(world: World) -> None:
    key = world.jira.add_issue("ML", "Char tokens")
    world.type('new "Char-level tokens raise recall"')
    assert f"EXP-1 is linked to {key}" in world.type(f"link EXP-1 {key.lower()}")
    assert [link["globalId"] for link in world.jira.links(key)] == ["scrumbut:EXP-1"]
    moved = world.jira.move(key, "OPS")
    world.type(f"link EXP-1 {moved}")
    assert len(world.jira.links(moved)) == 1
    assert "OPS-1" in world.type("show OPS-1")


def test_a_note_becomes_a_comment_that_names_its_author_and_is_only_text(world: World) -> None:
    key = world.jira.add_issue("ML", "Char tokens")
    world.type('new "Char-level tokens raise recall"')
    world.type(f"link EXP-1 {key}")
    world.type("note EXP-1 leakage in fold 3, fixed <!channel>")
    comment = world.jira.comments(key)[-1]
    assert document_text(comment["body"]) == "ana in Slack, noted: leakage in fold 3, fixed <!channel>\n"
    assert all("<!channel>" not in message["text"] for message in world.slack.messages("ml"))


def test_gates_name_what_is_missing_and_the_command_that_supplies_it(world: World) -> None:
    world.type('new "Char-level tokens raise recall"')
    said = world.type("start EXP-1")
    assert "EXP-1 cannot go from idea to running yet" in said
    assert '/exp frame EXP-1 --hypothesis "we believe' in said
    assert "/exp link EXP-1 ML-345" in said


def test_the_card_is_one_message_edited_in_place_with_the_latest_state(world: World) -> None:
    run_whole_experiment(world)
    cards = [text for text in world.channel() if text.startswith("EXP-1 Char-level") and "Question" in text]
    assert len(cards) == 1
    assert "monitored" in cards[0]
    assert "good: recall up 5 points" in cards[0]


def test_best_so_far_is_kept_per_environment_and_a_diverged_run_is_no_best(world: World) -> None:
    run_whole_experiment(world)
    shown = world.type("goal show churn")
    assert "0.71 → 0.76 (dev), 0.755 (prod) → 0.8" in shown
    assert "best 0.76 in dev, 4 runs; best 0.755 in prod, 1 run" in world.type("show EXP-1")


def test_the_report_is_posted_on_monday_once_even_after_a_restart(world: World) -> None:
    run_whole_experiment(world)
    assert not reports(world)
    world.clock.at = datetime(2026, 11, 30, 8, 59, 59, tzinfo=UTC)
    world.settle()
    assert not reports(world)
    world.clock.at = datetime(2026, 11, 30, 9, 0, 1, tzinfo=UTC)
    world.settle()
    world.settle()
    assert len(reports(world)) == 1
    assert "Week 48" in reports(world)[0]
    thread = [text for text in world.channel() if text.startswith("What we learned")]
    assert len(thread) == 1
    assert "good after 5 runs. Recall up 5 points, also for new users. So what: Adopted and watched" in thread[0]


def reports(world: World) -> list[str]:
    return [text for text in world.channel() if text.startswith("Weekly report")]


def test_a_report_missed_while_down_is_sent_late_and_marked_late(world: World) -> None:
    world.settle()
    world.clock.at = datetime(2026, 12, 2, 14, 0, tzinfo=UTC)
    world.settle()
    assert [("Week 48" in text, "sent late" in text) for text in reports(world)] == [(True, True)]


def test_a_report_posted_by_hand_is_not_posted_again_by_the_clock(world: World) -> None:
    world.clock.at = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    assert "The report for 2026-W47 goes to #ml" in world.type("report post weekly")
    assert "was written on 23 Nov 08:00 UTC already" in world.type("report post weekly")
    world.clock.at = datetime(2026, 11, 23, 9, 0, 5, tzinfo=UTC)
    world.settle()
    assert len(reports(world)) == 1


def test_preview_shows_the_report_to_one_person_and_stores_nothing(world: World) -> None:
    assert "Weekly report, Week 47" in world.type("report preview weekly")
    assert not reports(world)
    page = httpx2.get(world.web_url + world.services.links.to("/reports/", world.clock())).text
    assert "None yet" in page


def test_the_posted_report_can_be_opened_as_a_page(world: World) -> None:
    world.type("report post weekly")
    links, now = world.services.links, world.clock()
    response = httpx2.get(world.web_url + links.to("/reports/weekly-manager-2026-W47", now))
    assert response.status_code == 200
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "<h1>" in response.text
    assert httpx2.get(world.web_url + links.to("/reports/weekly-manager-1999-W01", now)).status_code == 404


def test_the_same_signed_request_delivered_again_acts_once(world: World) -> None:
    first = world.edge.command('new "Char-level tokens raise recall"')
    again = world.edge.replay(first)
    assert (again.status, again.body) == (200, {})
    assert "1 experiment\n" in world.type("list") + "\n"


def test_a_slow_command_delivered_again_after_it_was_answered_is_not_answered_again(world: World) -> None:
    first = world.edge.command("sync")
    world.settle()
    answers = len(world.slack.ephemerals)
    assert world.edge.replay(first).body == {}
    world.settle()
    assert len(world.slack.ephemerals) == answers


def test_metric_test_reads_once_and_stores_nothing(world: World) -> None:
    state_goal(world)
    (world.folder / "readings.csv").open("a").write(READINGS)
    said = world.type("metric test recall --env dev")
    assert "4 readings" in said
    assert "not finite" in said
    assert "0.71 → ? → 0.8" in world.type("goal show churn")


def test_slow_verbs_are_acknowledged_at_once_and_answered_later(world: World) -> None:
    world.jira.add_issue("ML", "Char tokens")
    ack = world.edge.command("sync")
    assert ack.body["text"] == "On it; the answer follows here."
    assert not [call for call in world.jira.calls if call["operation"] == "search"]
    world.settle()
    assert "Read 1 issues from Jira" in world.slack.ephemerals[-1].message["text"]


def test_a_pull_reads_only_what_changed_and_never_moves_a_stage(world: World) -> None:
    run_whole_experiment(world)
    key = world.jira.add_issue("ML", "Second")
    world.type('new "Second question"')
    world.type(f"link EXP-2 {key}")
    world.clock.forward(minutes=30)
    world.type("sync")
    world.clock.forward(minutes=30)
    world.jira.edit(
        key, status=("Done", "done"), duedate="2026-12-24", customfield_10020=[{"name": "S1", "state": "active"}]
    )
    assert "Read 1 issues" in world.type("sync")
    assert "stage  idea" in world.type("show EXP-2").replace("stage       ", "stage ")
    risks = world.type("report preview weekly")
    assert "without a decision here" in risks
    assert 'timeboxed in Jira: sprint "S1" and due 2026-12-24' in risks


def test_every_message_the_product_sends_passes_block_kit(world: World) -> None:
    """The stand-in refuses what the schema refuses, so a refused message would end as a dead row."""
    run_whole_experiment(world)
    world.type("report post weekly")
    for line in ("help", "list", "show EXP-1", "goal show", "goal show churn", "metric test recall", "nonsense"):
        ack = world.edge.command(line)
        assert blockkit.problems(ack.body.get("blocks", [])) == [], line
    world.settle()
    with world.services.database.read() as connection:
        states = outbox.count_by_state(connection)
    assert set(states) <= {outbox.SENT, outbox.DROPPED}, states


@pytest.mark.parametrize(
    ("refused", "shown"),
    [
        ({"data_visualization"}, {"image", "rich_text"}),
        ({"data_visualization", "image"}, {"section", "rich_text"}),
    ],
)
def test_a_slack_that_refuses_a_block_gets_the_same_report_in_plainer_ones(
    world: World, refused: set[str], shown: set[str]
) -> None:
    run_whole_experiment(world)
    world.slack.judge = lambda blocks: [
        f"unsupported type [json-pointer:/blocks/{index}/type]"
        for index, block in enumerate(blocks)
        if block["type"] in refused
    ]
    world.type("report post weekly")
    kinds = {block["type"] for message in world.slack.messages("ml") for block in message["blocks"]}
    assert not kinds & refused
    assert shown <= kinds


def test_a_chart_that_slack_does_not_know_is_shown_as_a_picture_with_its_numbers_in_words(world: World) -> None:
    run_whole_experiment(world)
    world.slack.judge = lambda blocks: ["unsupported"] if blocks[3:4] and "chart" in blocks[3] else []
    world.type("report post weekly")
    (image,) = [b for m in world.slack.messages("ml") for b in m["blocks"] if b["type"] == "image"]
    file = world.slack.files[image["slack_file"]["id"]]
    assert file.content.startswith(b"\x89PNG")
    assert file.alt == image["alt_text"]
    assert "recall of churn, best so far by week: dev 0.76, prod 0.755" in image["alt_text"]


def test_a_slack_that_refuses_every_block_gets_the_words(world: World) -> None:
    run_whole_experiment(world)
    world.slack.judge = lambda blocks: ["unsupported"] if len(blocks) > 3 else []
    world.type("report post weekly")
    assert any(m["text"].startswith("The goal is") and not m["blocks"] for m in world.slack.messages("ml"))


def test_two_ticks_at_once_hand_over_one_report(world: World) -> None:
    world.settle()
    world.clock.at = datetime(2026, 11, 30, 9, 0, 1, tzinfo=UTC)
    handed = [run_due(world.services, world.schedules) for _ in range(2)]
    assert handed[1] == 0
    while work_once(world.services):
        pass
    with world.services.database.read() as connection:
        found = connection.exec_driver_sql("SELECT count(*) FROM report WHERE period = '2026-W48'").scalar()
    assert found == 1


def test_json_answers_carry_what_scripts_need(world: World) -> None:
    run_whole_experiment(world)
    data = json.loads(to_json(answer(["list"], Request(world.services, Caller("ana", "ana")))))
    assert {"key", "title", "stage", "goal", "owner", "kind", "issue", "outcome", "decision", "age_days"} <= set(
        data[0]
    )
    assert data[0]["issue"] == "ML-1"


def test_a_spent_appetite_moves_to_deciding_by_itself_and_is_told_once(world: World) -> None:
    state_goal(world)
    world.type('new "Char-level tokens raise recall" --kind infrastructure --appetite S --goal churn')
    world.jira.add_issue("ML", "Char tokens")
    world.type('frame EXP-1 --hypothesis "we believe" --decision "which?"')
    world.type("link EXP-1 ML-1")
    world.type("start EXP-1")
    for _ in range(5):
        world.clock.forward(days=1)
        world.settle()
    told = [text for text in world.channel() if text.startswith("scrumbut ")]
    young = "the appetite serves, the team's own ages need more history (0 of 10 finished)"
    assert told == [
        f"scrumbut asks for a look half-way: 2 of 3 days; {young}",
        "scrumbut asks for a decision, the appetite is spent: 3 of 3 days",
    ]
    assert "deciding" in world.type("show EXP-1")
    assert "EXP-1 is extended, bet 2: one more look" in world.type("extend EXP-1 one more look")
    assert "running" in world.type("show EXP-1")


def test_mine_park_undo_and_policy(world: World) -> None:
    world.type('new "Char-level tokens raise recall"')
    world.type('new "Another"', user="U0BEN")
    assert "EXP-2" not in world.type("mine")
    assert "EXP-1 is parked until 2027-03-01." in world.type('park EXP-1 "labels in March" --until 2027-03-01')
    assert "labels in March, until 2027-03-01" in world.type("show EXP-1")
    assert "The last act on EXP-1 is not yours." in world.type("undo EXP-1", user="U0BEN")
    assert '"parked" on EXP-1 is undone; it is idea.' in world.type("undo EXP-1")
    assert "parked" not in world.type("show EXP-1").split("created")[0]
    assert "sprints  nobody can know" in world.type("policy")
    assert "is no span of time" in world.type("list --older-than long")


def test_a_parked_experiment_takes_no_slot(world: World) -> None:
    state_goal(world)
    for number in (1, 2, 3):
        world.jira.add_issue("ML", f"Issue {number}")
        world.type(f'new "Question {number}" --kind infrastructure --appetite S --goal churn')
        world.type(f'frame EXP-{number} --hypothesis "we believe" --decision "which?"')
        world.type(f"link EXP-{number} ML-{number}")
    world.type("start EXP-1")
    world.type("start EXP-2")
    assert "No free slot for EXP-3: its owner has 2 of 2 in progress." in world.type("start EXP-3")
    world.type("park EXP-1 after the migration")
    assert "EXP-3 is running." in world.type("start EXP-3")


def test_goal_show_answers_which_practices_hold_and_keeps_the_old_target(world: World) -> None:
    state_goal(world)
    shown = world.type("goal show churn")
    assert "✗ data and goal understood  not confirmed: exists" in shown
    assert "✗ metric developed  no evaluation set is named" in shown
    assert "✓ simple model first  baseline 0.71" in shown
    assert "✗ monitored  no reading in prod yet" in shown
    assert "✓ research only then  no research yet" in shown
    world.type('goal ready churn --exists yes --infrastructure yes --tests-data "no, from May"')
    world.type('goal edit churn --target 0.82 "new contract"')
    run = "not confirmed: tests-infrastructure, tests-data, tests-code, tests-deployment"
    shown = world.type("goal show churn")
    assert "✓ data and goal understood  confirmed" in shown
    assert "✓ infrastructure ready  confirmed" in shown
    assert f"✗ everything tested  {run}" in shown
    assert "→ 0.82" in shown
    assert "readiness  exists " in shown
    assert "target  was 0.8 until 23 Nov 2026: new contract" in shown


def test_a_goal_names_its_guardrails_and_stakeholders(world: World) -> None:
    world.type('goal add speed "answer at once" --guardrail "recall stays above 0.7" --stakeholder "head of sales"')
    shown = world.type("goal show speed")
    assert "guardrails  recall stays above 0.7" in shown
    assert "stakeholders  head of sales" in shown


def test_what_was_learned_is_found_again_and_shown_to_whoever_has_the_idea_again(world: World) -> None:
    run_whole_experiment(world)
    world.type('new "Focal loss for rare leavers"', user="U0BEN")
    world.type("note EXP-2 tried gradient clipping first")
    assert "EXP-1" in world.type("find recall points")
    assert "EXP-2" in world.type("find CLIPP")
    assert "Nobody has written of" in world.type("find quantum")
    assert "Nobody has written of" in world.type("find \"OR* NEAR( '; DROP")
    said = world.type('new "Char tokens again"')
    assert "Like it: EXP-1 Char-level tokens raise recall (good: recall up 5 points, also for new users)" in said
    assert "EXP-3" not in said.partition("Like it")[2].partition("Next")[0]
