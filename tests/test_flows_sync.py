"""One experiment and its issue, changed on both sides: what stands, what is lost, and who is told."""

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta

import httpx2
import pytest

from backlog.experiment import Stage
from backlog.status import StatusMap, read_target
from bot.flows.deliver_outbox import deliver_all
from bot.flows.sync_backlog import take_census
from bot.flows.sync_issue import sync_issue
from bot.jira_endpoint import JiraEndpoint
from bot.web import open_web
from integrations.http import IntegrationError
from sandbox.jira import JiraSandbox
from sandbox.jira_shapes import document_text
from sandbox.serving import serving
from store import outbox
from store.experiments import find_experiment, load_timeline
from tests.conftest import CONFIG, World

BOTH_WAYS = """
[jira.stages]
ready = "To Do"
running = "In Progress"
observing = "In Progress"
concluded = "Done"
[jira.users]
U0ANA = "{ana}"
U0BEN = "{ben}"
"""


@pytest.fixture(params=["cloud", "server"])
def twins(request: pytest.FixtureRequest, make_world: Callable[..., World]) -> World:
    """EXP-1 and ML-1, linked and in line."""
    prefix = "acc-" if request.param == "cloud" else ""
    users = BOTH_WAYS.replace("{ana}", f"{prefix}ana").replace("{ben}", f"{prefix}ben")
    head, _, tail = CONFIG.partition("[database]")
    world = make_world(request.param, config=head + users + "[database]" + tail)
    world.type("list", user="U0BEN")
    world.jira.add_issue("ML", "Char tokens")
    world.type('new "Char tokens" --kind infrastructure --appetite M')
    world.type("link EXP-1 ML-1")
    world.clock.forward(hours=2)
    world.settle()
    world.jira.calls.clear()
    return world


def edits(jira: JiraSandbox) -> list[str]:
    """What was written to issues, in order."""
    return [
        call["operation"] for call in jira.calls if call["operation"] in ("edit_issue", "do_transition", "create_issue")
    ]


def pull(world: World) -> None:
    world.clock.forward(minutes=11)
    world.settle()


def test_a_change_here_arrives_there_and_a_change_there_arrives_here(twins: World) -> None:
    twins.type('edit EXP-1 --title "Char-level tokens" --owner @ben --label nlp --label recall --jira-priority High')
    fields = twins.jira.issue("ML-1")["fields"]
    assert (fields["summary"], fields["labels"], fields["priority"]["name"]) == (
        "Char-level tokens",
        ["nlp", "recall"],
        "High",
    )
    assert fields["assignee"]["displayName"] == "Ben"
    twins.jira.edit(
        "ML-1", summary="Characters", labels=["nlp"], assignee=twins.jira.person("ana"), priority={"name": "Low"}
    )
    pull(twins)
    with twins.services.database.read() as connection:
        e = find_experiment(connection, "EXP-1")
    assert (e.title, e.owner, e.labels, e.jira_priority) == ("Characters", "U0ANA", ("nlp",), "Low")
    assert 'Jira: synced title "Char-level tokens" → "Characters"' in twins.type("show EXP-1")


def test_after_both_are_in_line_nothing_is_written_and_nothing_is_read_again(twins: World) -> None:
    twins.type('edit EXP-1 --title "Char-level tokens"')
    pull(twins)
    written, asked = edits(twins.jira), len(twins.jira.calls)
    for _ in range(3):
        pull(twins)
    assert edits(twins.jira) == written == ["edit_issue"]
    reads = [call["operation"] for call in twins.jira.calls[asked:]]
    assert set(reads) <= {"search", "myself"}, "an echo is known by its content"


def test_two_titles_that_differed_when_they_were_linked_stay_until_one_changes(twins: World) -> None:
    twins.jira.add_issue("ML", "A longer story")
    twins.type('new "Short"')
    twins.type("link EXP-2 ML-2")
    pull(twins)
    assert twins.jira.issue("ML-2")["fields"]["summary"] == "A longer story"
    assert "Short" in twins.type("show EXP-2")
    twins.jira.edit("ML-2", summary="Another story")
    pull(twins)
    assert "Another story" in twins.type("show EXP-2")


@pytest.mark.parametrize("later", ["ours", "theirs"])
def test_of_two_changes_at_once_the_later_stands_and_the_other_is_kept(twins: World, later: str) -> None:
    issue = twins.jira.issue("ML-1")["id"]
    twins.jira.faults.add("read_issue", "503", times=50)
    if later == "ours":
        twins.jira.edit("ML-1", summary="Theirs")
        twins.clock.forward(minutes=1)
    say(twins, 'edit EXP-1 --title "Ours"')
    if later == "theirs":
        twins.clock.forward(minutes=1)
        twins.jira.edit("ML-1", summary="Theirs")
    twins.jira.faults.clear()
    twins.settle()
    assert twins.services.tracker
    sync_issue(twins.services, twins.services.tracker, issue)
    stands, lost = ("Ours", "Theirs") if later == "ours" else ("Theirs", "Ours")
    assert twins.jira.issue("ML-1")["fields"]["summary"] == stands
    shown = twins.type("show EXP-1")
    assert f"EXP-1 {stands}" in shown
    assert f'conflict title: "{stands}" stands' in shown
    assert f'"{lost}" did not' in shown
    assert shown.count("conflict") == 1


def say(world: World, line: str) -> None:
    """Type a line and let nothing happen yet."""
    assert world.edge.command(line, user="U0ANA").status == 200


def test_labels_of_both_sides_are_joined_and_none_is_lost(twins: World) -> None:
    twins.type("edit EXP-1 --label old --label kept")
    say(twins, "edit EXP-1 --label kept --label ours")
    twins.jira.edit("ML-1", labels=["old", "kept", "theirs"])
    pull(twins)
    with twins.services.database.read() as connection:
        labels = find_experiment(connection, "EXP-1").labels
    assert labels == ("kept", "ours", "theirs")
    assert sorted(twins.jira.issue("ML-1")["fields"]["labels"]) == list(labels)


def test_an_edit_that_ours_fell_upon_is_told(twins: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = twins.services.tracker
    assert tracker
    write = tracker.edit_issue

    def slow_write(issue_id: str, fields: dict[str, object]) -> None:
        twins.jira.edit("ML-1", summary="Typed in that very second")
        write(issue_id, fields)

    monkeypatch.setattr(tracker, "edit_issue", slow_write)
    twins.type('edit EXP-1 --title "Ours"')
    assert 'ours went over "Typed in that very second"' in twins.type("show EXP-1")


def test_an_owner_whom_nobody_paired_is_left_alone(twins: World) -> None:
    twins.type('new "Mine"', user="U0CHI")
    twins.type("edit EXP-1 --owner @chi")
    assert twins.jira.issue("ML-1")["fields"]["assignee"] is None
    assert "owner  chi" in twins.type("show EXP-1")


def test_a_stage_takes_its_status_along_and_a_status_tries_its_stage(twins: World) -> None:
    start(twins)
    assert twins.jira.issue("ML-1")["fields"]["status"]["name"] == "In Progress"
    twins.type("move EXP-1 observing")
    assert edits(twins.jira).count("do_transition") == 1, "observing is In Progress there, too"
    twins.jira.edit("ML-1", status=("To Do", "new"))
    pull(twins)
    assert "Jira: went back" in twins.type("show EXP-1")
    assert "stage  ready" in twins.type("show EXP-1")
    twins.jira.edit("ML-1", status=("In Progress", "indeterminate"))
    pull(twins)
    assert "stage  running" in twins.type("show EXP-1")


def test_a_stage_that_jira_brought_is_told_in_the_issues_block_at_once(twins: World) -> None:
    start(twins)
    twins.jira.edit("ML-1", status=("To Do", "new"))
    twins.settle()
    twins.type("sync")
    assert "Stage: ready" in document_text(twins.jira.issue("ML-1")["fields"]["description"])


def test_done_in_jira_passes_no_gate_and_asks_once(twins: World) -> None:
    twins.jira.edit("ML-1", status=("Done", "done"))
    pull(twins)
    pull(twins)
    shown = twins.type("show EXP-1")
    assert "stage  idea" in shown
    assert shown.count('Jira: asks "Done" there, idea here.') == 1
    assert "becomes concluded by a decision" in shown
    assert twins.jira.issue("ML-1")["fields"]["status"]["name"] == "Done", "what Jira says is left there"


def test_a_screen_that_asks_for_more_is_named_with_what_helps(twins: World) -> None:
    twins.jira.screens["In Progress"] = ("resolution",)
    start(twins)
    said = twins.type("sync status")
    assert 'The way of ML-1 to "In Progress" asks for Resolution.' in said
    assert "/exp sync screen EXP-1, or name it in [jira.stages]" in said
    twins.jira.screens.clear()
    assert "ML-1 is tried again." in twins.type("sync retry ML-1")
    assert twins.jira.issue("ML-1")["fields"]["status"]["name"] == "In Progress"
    assert "needs a person" not in twins.type("sync status")
    assert "No screen of Jira waits for an answer on ML-1." in twins.type("sync screen ML-1 resolution=Done")


def test_what_a_screen_asks_for_is_asked_in_a_modal_and_the_way_is_taken(twins: World) -> None:
    twins.jira.screens["In Progress"] = ("resolution", "customfield_10030")
    start(twins)
    asked = 'Jira asks: The way of ML-1 to "In Progress" asks for Resolution, Experiment stage. /exp sync screen EXP-1'
    assert sum(asked in said for said in twins.channel()) == 1
    twins.type("edit EXP-1 --title Tokens")
    assert sum(asked in said for said in twins.channel()) == 1, "it is asked once"
    assert twins.type("sync screen ML-1") == ""
    inputs = {
        b["label"]["text"]: b["element"] for b in twins.slack.views.top("U0ANA").content["blocks"] if "label" in b
    }
    assert [*inputs] == ["Resolution", "Experiment stage"]
    assert [o["value"] for o in inputs["Resolution"]["options"]] == ["Done", "Won't Do"]
    assert twins.edge.submit(resolution="Won't Do", customfield_10030="begun").status == 200
    twins.settle()
    fields = twins.jira.issue("ML-1")["fields"]
    assert (fields["status"]["name"], fields["resolution"]["name"]) == ("In Progress", "Won't Do")
    assert fields["customfield_10030"] == "begun"
    assert fields["summary"] == "Tokens", "what waited behind it is written too"
    assert "needs a person" not in twins.type("sync status")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("sync screen EXP-1 resolution=Fixed", 'Resolution cannot be "Fixed". One of Done, Won\'t Do.'),
        ("sync screen EXP-1 priority=High", 'The way to "In Progress" does not ask for "priority". It asks for'),
        ("sync screen EXP-1 Done", '"Done" is no answer: write FIELD=ANSWER'),
        ('sync screen EXP-1 "Due date=2027-01-01"', "Due date is not given from here."),
        ("sync screen EXP-1 resolution=done", "Due date is not given from here."),
    ],
)
def test_what_a_screen_does_not_take_is_said_with_what_it_takes(twins: World, line: str, says: str) -> None:
    twins.jira.screens["In Progress"] = ("resolution", "duedate")
    start(twins)
    assert says in " ".join(twins.type(line).split())


def test_the_difference_is_shown_with_the_base(twins: World) -> None:
    twins.jira.edit("ML-1", summary="Theirs")
    said = twins.type("sync diff ML-1")
    assert "EXP-1 and ML-1" in said
    line = next(line for line in said.splitlines() if line.startswith("title"))
    assert line.split("  ")[0] == "title"
    assert all(word in line for word in ('"Char tokens"', '"Theirs"', "Jira's is taken"))


def test_an_issue_is_made_for_an_experiment_and_tied_to_it(twins: World) -> None:
    assert "EXP-2 is on the backlog" in twins.type('new "Word tokens" --jira ML')
    shown = twins.type("show EXP-2")
    assert "ML-2" in shown
    issue = twins.jira.issue("ML-2")
    assert issue["fields"]["summary"] == "Word tokens"
    assert issue["fields"]["assignee"]["displayName"] == "Ana"
    assert list(twins.jira.properties[issue["id"]]) == ["scrumbut.key", "scrumbut"], "the marker came with the issue"
    assert "EXP-2 has ML-2 already" in twins.type("link EXP-2 --create ML")
    assert '"no way" is no project key.' in twins.type('new "x y" --jira "no way"')


@pytest.mark.parametrize("kind", ["reset_after", "error_after"])
def test_an_issue_whose_answer_was_lost_is_found_again_and_not_made_twice(twins: World, kind: str) -> None:
    twins.jira.faults.add("create_issue", kind)
    twins.type('new "Word tokens" --jira ML')
    assert edits(twins.jira).count("create_issue") == 1
    assert "ML-2" in twins.type("show EXP-2")


def test_a_lost_answer_to_an_edit_writes_nothing_wrong(twins: World) -> None:
    twins.jira.faults.add("edit_issue", "reset_after")
    twins.type('edit EXP-1 --title "Ours"')
    assert twins.jira.issue("ML-1")["fields"]["summary"] == "Ours"
    assert edits(twins.jira) == ["edit_issue"], "the look-up found it there"
    assert "conflict" not in twins.type("show EXP-1")


def test_two_programs_that_answer_each_other_are_halted_and_told(twins: World) -> None:
    for number in range(25):
        twins.type(f'edit EXP-1 --title "Ours {number}"')
    assert edits(twins.jira).count("edit_issue") == 20
    assert "written 20 times within the hour" in twins.type("sync status")
    twins.clock.forward(hours=2)
    twins.type("sync retry ML-1")
    assert twins.jira.issue("ML-1")["fields"]["summary"] == "Ours 24"


def test_a_jira_that_is_down_holds_nothing_up_and_gets_it_later(twins: World) -> None:
    twins.jira.faults.add("read_issue", "503", times=8)
    say(twins, 'edit EXP-1 --title "Ours"')
    for _ in range(6):
        deliver_all(twins.services, most=1)
    assert "Jira waits since 23 Nov 12:00 UTC" in twins.channel()[0], "the card tells of the lag"
    assert "Ours" in twins.type("show EXP-1")
    twins.clock.forward(minutes=30)
    twins.settle()
    assert twins.jira.issue("ML-1")["fields"]["summary"] == "Ours"
    assert "Jira waits" not in twins.channel()[0]
    with twins.services.database.read() as connection:
        assert set(outbox.count_by_state(connection)) <= {outbox.SENT, outbox.DROPPED}
        assert [e.act for e in load_timeline(connection, "EXP-1")][-1] == "edited"
    assert timedelta(0) < twins.services.timeout


def hint(world: World, key: str, *, secret: str = "hush", identifier: str = "w1", body: bytes = b"") -> int:
    """Send what Jira sends when an issue changed; returns the status of the answer."""
    sent = body or json.dumps({"webhookEvent": "jira:issue_updated", "issue": world.jira.issue(key)}).encode()
    signature = "sha256=" + hmac.new(secret.encode(), sent, hashlib.sha256).hexdigest()
    app = open_web(world.services, None, JiraEndpoint(world.services, "hush").receive)
    headers = {"X-Hub-Signature": signature, "X-Atlassian-Webhook-Identifier": identifier}
    with serving(app) as url:
        return httpx2.post(f"{url}/jira/webhook", content=sent, headers=headers).status_code


def test_a_hint_brings_a_change_over_at_once_and_a_doubled_one_nothing(twins: World) -> None:
    twins.jira.edit("ML-1", summary="Theirs")
    assert hint(twins, "ML-1") == 204
    twins.settle()
    assert "EXP-1 Theirs" in twins.type("show EXP-1")
    asked = len(twins.jira.calls)
    assert hint(twins, "ML-1") == 204
    twins.settle()
    assert len(twins.jira.calls) == asked


def test_a_late_hint_with_an_old_state_changes_nothing_back(twins: World) -> None:
    old = json.dumps({"issue": twins.jira.issue("ML-1")}).encode()
    twins.jira.edit("ML-1", summary="Theirs")
    pull(twins)
    assert hint(twins, "ML-1", body=old) == 204
    twins.settle()
    assert "EXP-1 Theirs" in twins.type("show EXP-1")


@pytest.mark.parametrize(
    ("secret", "body", "status"),
    [
        ("wrong", b"", 401),
        ("hush", b"{", 400),
        ("hush", b"[]", 400),
        ("hush", b'{"issue": 3}', 400),
        ("hush", b"x" * (9 << 20), 413),
    ],
)
def test_a_hint_that_jira_did_not_send_is_refused(twins: World, secret: str, body: bytes, status: int) -> None:
    assert hint(twins, "ML-1", secret=secret, body=body) == status


def test_the_signature_is_the_one_of_atlassians_example() -> None:
    signed = hmac.new(b"It's a Secret to Everybody", b"Hello World!", hashlib.sha256).hexdigest()
    assert signed == "a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"


def test_an_issue_out_of_sight_is_unreachable_and_never_deleted(twins: World) -> None:
    assert take_census(twins.services) == []
    twins.jira.hide("ML-1")
    assert take_census(twins.services) == ["ML-1"]
    assert "unreachable since 23 Nov" in twins.type("show EXP-1")
    assert "ML-1 cannot be read in Jira" in twins.type("report preview")
    twins.jira.show("ML-1")
    assert take_census(twins.services) == []
    assert "unreachable" not in twins.type("show EXP-1")


def test_an_expired_token_makes_no_issue_unreachable(twins: World) -> None:
    twins.jira.token = "another"
    with pytest.raises(IntegrationError, match="did not take the account"):
        take_census(twins.services)
    twins.jira.token = "jira-sandbox-token"
    assert "unreachable" not in twins.type("show EXP-1")


HUMAN = {
    "cloud": {
        "type": "doc",
        "version": 1,
        "content": [{"type": "panel", "attrs": {"panelType": "info"}, "content": [{"type": "rule"}]}],
    },
    "server": "h1. Ours \r\n{code}x{code} \u202e <!channel>",
}


def test_the_block_tells_of_the_experiment_and_leaves_every_other_byte(twins: World) -> None:
    human = HUMAN[twins.jira.deployment]
    twins.jira.edit("ML-1", description=human)
    twins.type('frame EXP-1 --hypothesis "we believe {panel} in *chars*"')
    told = twins.jira.issue("ML-1")["fields"]["description"]
    assert "we believe" in document_text(told)
    rest = {**told, "content": told["content"][:-1]} if isinstance(told, dict) else told.partition("\n\n{panel:")[0]
    assert rest == human
    twins.type('frame EXP-1 --hypothesis "something else"')
    again = document_text(twins.jira.issue("ML-1")["fields"]["description"])
    assert "something else" in again
    assert "we believe" not in again
    property_ = json.loads(twins.jira.properties[twins.jira.issue("ML-1")["id"]]["scrumbut"])
    assert property_["experiment"] == "EXP-1"
    assert property_["told"]["Hypothesis"] == "something else"


def test_what_was_to_be_written_waits_while_the_issue_is_out_of_sight(twins: World) -> None:
    twins.jira.hide("ML-1")
    say(twins, 'edit EXP-1 --title "Ours"')
    while deliver_all(twins.services, most=1):
        pass
    assert "unreachable since" in twins.type("show EXP-1"), "and a day goes by"
    assert "ML-1" in twins.type("sync status")
    twins.jira.show("ML-1")
    take_census(twins.services)
    twins.settle()
    assert twins.jira.issue("ML-1")["fields"]["summary"] == "Ours"
    assert twins.jira.links("ML-1")[0]["object"]["title"].endswith("Ours")


def comments(world: World) -> list[str]:
    """What the issue's comments say, without their line ends."""
    return [document_text(comment["body"]).strip() for comment in world.jira.comments("ML-1")]


def test_a_note_is_a_comment_and_an_outcome_said_again_edits_its_own(twins: World) -> None:
    start(twins)
    twins.type("note EXP-1 leakage in fold 3")
    twins.type("move EXP-1 deciding")
    twins.type('outcome EXP-1 bad "no gain"')
    twins.type('outcome EXP-1 bad "no gain on new users"')
    assert comments(twins) == [
        "ana in Slack, noted: leakage in fold 3",
        "ana in Slack, outcome: bad: no gain on new users",
    ]


def test_a_note_taken_back_is_taken_back_in_jira(twins: World) -> None:
    twins.type("note EXP-1 leakage in fold 3")
    twins.type("undo EXP-1")
    assert comments(twins) == ["ana in Slack took back: noted"]


def start(world: World) -> None:
    """Bring EXP-1 to running."""
    world.type('goal add churn "keep active clients"')
    world.type("goal ready churn --labels yes --access yes --expert yes")
    world.type('frame EXP-1 --goal churn --hypothesis "we believe" --decision "which?"')
    world.type("start EXP-1")


def test_the_issue_links_back_with_the_stage_as_icon_and_title(twins: World) -> None:
    start(twins)
    link = twins.jira.links("ML-1")[0]["object"]
    assert link["title"].startswith("EXP-1 (running)")
    assert link["icon"]["title"] == "running"
    assert link["status"]["resolved"] is False
    path = link["icon"]["url16x16"].partition("://")[2].partition("/")[2]
    icon = httpx2.get(f"{twins.web_url}/{path}")
    assert icon.headers["content-type"] == "image/svg+xml"
    assert 'aria-label="running"' in icon.text
    assert httpx2.get(f"{twins.web_url}/stages/nowhere.svg").status_code == 404


def test_a_status_with_a_resolution_is_its_own_stage() -> None:
    known = StatusMap({Stage.CONCLUDED: read_target("Done / Won't Do"), Stage.MONITORED: read_target("Done / Done")})
    assert known.stages_of("done", "won't do") == [Stage.CONCLUDED]
    assert known.stages_of("Done", "Done") == [Stage.MONITORED]
    assert known.stages_of("Done", "Duplicate") == []
    assert known.stages_of("Done") == [Stage.CONCLUDED, Stage.MONITORED]


def test_a_transition_that_somebody_was_faster_with_is_tried_anew(
    twins: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = twins.services.tracker
    assert tracker
    transitions = tracker.transitions

    def slow(issue_id: str) -> object:
        ways = transitions(issue_id)
        monkeypatch.setattr(tracker, "transitions", transitions)
        twins.jira.edit("ML-1", status=("In Progress", "indeterminate"))
        return ways

    monkeypatch.setattr(tracker, "transitions", slow)
    start(twins)
    assert twins.jira.issue("ML-1")["fields"]["status"]["name"] == "In Progress"
    assert "needs a person" not in twins.type("sync status")


def test_what_people_say_in_jira_is_shown_and_our_own_words_are_not_said_twice(twins: World) -> None:
    twins.type("note EXP-1 leak in fold 3")
    said: dict[str, object] = {"author": twins.jira.person("ben"), "created": "2026-11-23T10:30:00.000+0000"}
    words = "*look* at {{fold 4}} too" if not twins.jira.cloud else "look at fold 4 too"
    twins.jira.comments("ML-1").append({"id": "77", "body": words, "properties": [], **said})
    twins.clock.forward(minutes=1)
    twins.jira.edit("ML-1", labels=["commented"])
    pull(twins)
    shown = twins.type("show EXP-1")
    assert "23 Nov 10:30 Ben in Jira: " in shown
    assert ("look at fold 4 too" if twins.jira.cloud else "**look** at `fold 4` too") in shown
    assert shown.count("leak in fold 3") == 1


def test_what_follows_a_refused_write_waits_behind_it_and_other_issues_go_on(twins: World) -> None:
    twins.type('new "Word tokens" --jira ML')
    twins.jira.faults.add("add_comment", "403")
    twins.type("note EXP-1 first")
    twins.type("note EXP-1 second")
    twins.type("note EXP-2 elsewhere")
    assert twins.jira.comments("ML-1") == []
    assert len(twins.jira.comments("ML-2")) == 1
    said = twins.type("sync status")
    assert "1 needs a person" in said
    assert "/exp sync retry ML-1" in said
    assert "Jira waits since" in twins.channel()[0]
    twins.type("sync retry ML-1")
    assert [document_text(c["body"]).split("noted: ")[1].strip() for c in twins.jira.comments("ML-1")] == [
        "first",
        "second",
    ]
    assert "needs a person" not in twins.type("sync status")


def test_what_an_expired_token_could_not_write_arrives_once_it_is_renewed(twins: World) -> None:
    twins.jira.token, good = "renewed in Jira, not in the configuration", twins.jira.token
    twins.edge.command("note EXP-1 late")
    while deliver_all(twins.services, most=1):
        twins.clock.forward(seconds=1)
    assert "Renew [jira]" in waiting_error(twins)
    twins.jira.token = good
    twins.clock.forward(minutes=10)
    twins.settle()
    assert len(twins.jira.comments("ML-1")) == 1


def waiting_error(world: World) -> str:
    with world.services.database.read() as connection:
        return " ".join(row.error for row in outbox.load_rows(connection, outbox.UNSETTLED))
