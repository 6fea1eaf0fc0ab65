"""What goes wrong is said with its remedy, loses nothing and breaks nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.config import ConfigError, load_settings
from bot.flows.deliver_outbox import deliver_all
from bot.work import work_once
from integrations.jira.client import JiraClient
from sandbox.serving import free_port
from store import outbox
from tests.conftest import CONFIG, World


def states(world: World) -> dict[str, int]:
    with world.services.database.read() as connection:
        return outbox.count_by_state(connection)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("strat EXP-1", 'There is no verb "strat". Did you mean "start"?'),
        ("show EXP-99", "There is no EXP-99 here."),
        ("show ../../etc", '"../../etc" is no experiment key.'),
        ("list later", "'later' is not one of 'idea', 'framed'"),
        ('new "🚀"', "A title needs words."),
        ("new " + "x" * 10_000, "That title has 10000 characters; 200 fit."),
        ('goal add "no good!" x', '"no good!" is no goal key.'),
        ("metric add recall --goal churn --source nowhere --key k", 'There is no source "nowhere". Sources: files.'),
        ("frame EXP-1 --min-effect much", "'much' is not a valid float"),
        ("report preview monthly", 'There is no report "monthly". There are: weekly (manager).'),
        ("edit EXP-1 --owner @nobody", 'Nobody called "nobody" has used scrumbut yet.'),
    ],
)
def test_a_wrong_line_says_what_is_wrong(world: World, line: str, says: str) -> None:
    world.type('new "Char-level tokens raise recall"')
    assert says in world.type(line)


def test_text_from_outside_never_becomes_a_mention_or_markup(world: World) -> None:
    world.type('new "<!channel> *bold* <https://evil.example|click>"')
    world.type("block EXP-1 <!here> `rm`")
    for message in world.slack.messages("ml"):
        assert "<!" not in message["text"]
        assert not [b for b in message["blocks"] if b.get("text", {}).get("type") == "mrkdwn"]


def test_jira_down_is_named_and_the_link_can_be_made_later(make_world: Callable[..., World]) -> None:
    world = make_world()
    key = world.jira.add_issue("ML", "Char tokens")
    world.type('new "Char-level tokens raise recall"')
    world.jira.faults.add("read_issue", "503", times=4)
    said = world.type(f"link EXP-1 {key}")
    assert "Jira: it answered 503: Service unavailable" in said
    assert "EXP-1 is linked" in world.type(f"link EXP-1 {key}")


def test_jira_unreachable_says_which_key_to_check(world: World) -> None:
    nowhere = JiraClient(f"http://127.0.0.1:{free_port()}", email="a@b.c", token="t", timeout_s=1)
    with pytest.raises(Exception, match=r"Jira: it does not answer .* Check the network and \[jira\] url") as told:
        nowhere.fetch_issue("ML-1")
    assert not told.value.unknown  # type: ignore[attr-defined]  # refused: nothing was sent


def test_an_expired_jira_token_is_not_read_as_an_empty_project(make_world: Callable[..., World]) -> None:
    world = make_world()
    world.jira.add_issue("ML", "Char tokens")
    world.jira.token = "another"
    assert "Jira: it did not take the account" in world.type("sync")
    assert "Renew [jira] token" in world.type("sync")


def test_a_comment_whose_answer_was_lost_is_not_written_twice(world: World) -> None:
    key = world.jira.add_issue("ML", "Char tokens")
    world.type('new "Char-level tokens raise recall"')
    world.type(f"link EXP-1 {key}")
    world.jira.faults.add("add_comment", "reset_after")
    world.type("note EXP-1 leakage in fold 3")
    assert len(world.jira.comments(key)) == 1
    assert set(states(world)) == {outbox.SENT}


@pytest.mark.parametrize("kind", ["reset_after", "error_after", "hang_after"])
def test_a_post_whose_answer_was_lost_is_looked_up_and_not_posted_twice(world: World, kind: str) -> None:
    world.slack.faults.add("chat.postMessage", kind, seconds=3)
    world.type('new "Char-level tokens raise recall"')
    assert len(world.slack.messages("ml")) == 1
    assert states(world) == {outbox.SENT: 1}


def test_a_post_that_never_arrived_is_posted_after_the_look_up(world: World) -> None:
    world.slack.faults.add("chat.postMessage", "reset_before")
    world.type('new "Char-level tokens raise recall"')
    assert len(world.slack.messages("ml")) == 1


def test_where_the_bot_may_not_read_a_report_in_doubt_is_sent_once_more_and_a_card_waits(world: World) -> None:
    world.slack.channels["C0ML"].readable = False
    world.slack.faults.add("chat.postMessage", "reset_after")
    world.type("report post weekly")
    posted = [m for m in world.slack.messages("ml") if m["blocks"][0]["type"] == "header"]
    assert len(posted) == 2
    world.slack.faults.add("chat.postMessage", "reset_after")
    world.type('new "Char-level tokens raise recall"')
    assert states(world)[outbox.UNKNOWN] == 1


def test_a_deleted_card_comes_back_with_the_next_change(world: World) -> None:
    world.type('new "Char-level tokens raise recall"')
    world.slack.messages("ml").clear()
    world.type("block EXP-1 labels are late")
    cards = [text for text in world.channel() if "Question" in text]
    assert len(cards) == 1
    assert "blocked: labels are late" in cards[0]


def test_a_429_waits_as_long_as_slack_says(world: World) -> None:
    before = world.clock()
    world.slack.faults.add("chat.postMessage", "429", seconds=17)
    world.type('new "Char-level tokens raise recall"')
    assert (world.clock() - before).total_seconds() >= 17
    assert len(world.slack.messages("ml")) == 1


def test_a_429_of_one_method_leaves_the_others_going(world: World) -> None:
    world.type('new "Char-level tokens raise recall"')
    called = len(world.slack.calls)
    world.slack.faults.add("chat.postMessage", "429", seconds=30)
    world.edge.command("block EXP-1 labels are late")
    while work_once(world.services) or deliver_all(world.services):
        pass
    world.clock.forward(seconds=20)  # the thread's line is due, and Slack takes no message for another ten
    while deliver_all(world.services):
        pass
    world.edge.command("new")
    world.edge.command("note EXP-1 seen while it rests")
    while deliver_all(world.services):
        pass
    made = [call["method"] for call in world.slack.calls[called:]]
    assert made.count("chat.postMessage") == 1  # the refused one, and none while it rests
    assert "blocked: labels are late" in str(world.slack.messages("ml")[0]["blocks"])  # by chat.update
    assert world.slack.views.top("U0ANA")  # by views.open
    world.settle()
    assert "ana blocked: labels are late" in "\n".join(world.channel())


def test_a_channel_without_the_bot_is_a_dead_row_with_its_remedy(world: World) -> None:
    world.slack.channels["C0ML"].member = False
    world.type('new "Char-level tokens raise recall"')
    with world.services.database.read() as connection:
        error = connection.exec_driver_sql("SELECT error FROM outbox WHERE state = 'dead'").scalar()
    assert error == 'Slack: it refused with "not_in_channel". Invite the bot there: /invite @scrumbut.'


def test_mlflow_down_is_kept_as_the_sources_error_and_told_in_the_report(make_world: Callable[..., World]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    allowed = f'[security]\nallow_hosts = ["{url.removeprefix("http://")}"]\n'
    source = f'[[sources]]\nname = "tracker"\nkind = "mlflow"\nurl = "{url}"\nevery = "10m"\n{allowed}[[reports]]'
    world = make_world(config=CONFIG.replace("[[reports]]", source, 1))
    world.type('goal add churn "keep active clients" --metric recall --baseline 0.71 --target 0.80')
    world.type("metric add recall --goal churn --source tracker --key val_recall")
    assert f"tracker: {url}/api/2.0/mlflow/experiments/search does not answer" in world.type("metric test recall")
    world.clock.forward(minutes=20)
    world.settle()
    assert 'Source "tracker" could not be read' in world.type("report preview weekly")


def test_a_broken_template_of_ones_own_never_means_a_missing_report(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    templates = tmp_path / "mine"
    templates.mkdir()
    (templates / "weekly.slack.j2").write_text('{"text": "x",\n "blocks": [{{ nothing_here }}]}')
    world = make_world(config=CONFIG.replace("[[reports]]", f'[[reports]]\ntemplates = "{templates}"'))
    assert "weekly.slack.j2, line 2: 'nothing_here' is undefined" in world.type("report post weekly")
    posted = [text for text in world.channel() if text.startswith("Weekly report")]
    assert len(posted) == 1
    assert "The built-in template was used" in posted[0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("channel =", "chanel ="), '"slack.chanel" is no key that scrumbut knows. Did you mean "channel"?'),
        (("[outbox]", "[outbux]"), '"outbux" is no key that scrumbut knows. Did you mean "outbox"?'),
        (("timeout_s = 2", 'timeout_s = "soon"'), "[outbox.timeout_s] Input should be a valid number"),
        (("xoxb-sandbox", "xapp-sandbox"), 'begins with "xapp-" and belongs to app_token'),
        (('signing_secret = "0', 'signing_secret = "xoxb-0'), 'begins with "xoxb-" and belongs to bot_token'),
        (("/api/", "/"), "must end in /api/"),
        (
            ("mon 09:00 UTC", "1 09:00 UTC"),
            '"1 09:00 UTC" is no schedule. Write it as "mon 09:00 Europe/Berlin"',
        ),
        (("mon 09:00 UTC", "mon 09:00 Mars"), '"Mars" is no time zone.'),
        (('jql = "project = ML"', ""), "jql: missing. Name the issues to follow"),
        (('kind = "csv"', 'kind = "excel"'), '"excel" is no kind of source.'),
        (('name = "files"', ""), '"sources.0.name" is missing.'),
        (("[testing]", "[testing"), "Mend the TOML there."),
    ],
)
def test_a_wrong_configuration_names_file_key_and_remedy(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    path = tmp_path / "config.toml"
    text = CONFIG.format(slack="http://x", jira="http://y", deployment="cloud", folder=tmp_path)
    path.write_text(text.replace(*change))
    with pytest.raises(ConfigError) as told:
        load_settings(path)
    assert str(path) in str(told.value)
    assert says in str(told.value)
    assert "0123456789abcdef" not in str(told.value)


def test_of_two_who_decide_the_second_is_told_who_was_first(world: World) -> None:
    world.jira.add_issue("ML", "Char tokens")
    world.type('goal add churn "keep active clients"')
    world.type("goal ready churn --labels yes --access yes --expert yes")
    world.type('new "Can the labels be used?" --kind data-understanding --goal churn --appetite S')
    world.type('frame EXP-1 --hypothesis "we believe" --decision "which?"')
    world.type("link EXP-1 ML-1")
    world.type("move EXP-1 deciding")
    world.type('outcome EXP-1 bad "labels <!channel> are wrong"')
    assert "EXP-1 is concluded: stop." in world.type('decide EXP-1 stop "labels are wrong"')
    second = world.type('decide EXP-1 adopt "but"', user="U0BEN")
    assert "EXP-1 was already decided: stop, by ana." in second


def test_an_issue_belongs_to_one_experiment_and_a_refused_link_changes_nothing(world: World) -> None:
    for number in (1, 2):
        world.jira.add_issue("ML", f"Issue {number}")
        world.type(f'new "Question {number}"')
    world.type("link EXP-1 ML-1")
    assert "ML-1 belongs to EXP-1 already." in world.type("link EXP-2 ML-1")
    assert "EXP-1 is already linked to ML-1." in world.type("link EXP-1 ML-2")
    assert "EXP-2 is linked to ML-2" in world.type("link EXP-2 ML-2")
    assert "EXP-1" in world.type("show ml-1")


@pytest.mark.parametrize("kind", ["reset_after", "error_after"])
def test_an_answer_to_one_person_is_given_at_most_once_and_asks_nobody(world: World, kind: str) -> None:
    world.slack.faults.add("commands", kind)
    world.type("report preview weekly")
    shown = [e for e in world.slack.ephemerals if "Weekly report" in str(e.message)]
    assert len(shown) <= 1
    assert set(states(world)) == {outbox.DROPPED}
