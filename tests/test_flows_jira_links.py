"""Issues that become experiments, epics that stand for goals, and what the configured names mean in this Jira."""

from collections.abc import Callable

import pytest

from sandbox.jira import GATEWAY
from tests.conftest import CONFIG, World

MAPPED = """
[jira.stages]
ready = "To Do"
running = "In Progress"
concluded = "Done"
[jira.users]
U0ANA = "ana@example.com"
[jira.issue_types]
research = "Spike"
"""


def configured(text: str, change: Callable[[str], str] = lambda config: config) -> str:
    """The configuration with more about Jira in it."""
    head, _, tail = CONFIG.partition("[database]")
    return change(head + text + "[database]" + tail)


@pytest.fixture
def mapped(make_world: Callable[..., World]) -> World:
    """Jira Cloud with stages, an e-mail address and issue types mapped."""
    return make_world(config=configured(MAPPED))


def test_issues_become_experiments_once_and_only_after_they_were_shown(mapped: World) -> None:
    for number in range(3):
        mapped.jira.add_issue("ML", f"Issue {number}")
    mapped.jira.edit("ML-1", assignee=mapped.jira.person("ana"), labels=["nlp"], priority={"name": "High"})
    shown = mapped.type('sync pull --jql "project = ML" --dry-run')
    assert "3 of 3 issues would be new" in shown
    assert "ML-2" in shown
    assert "No experiments" in mapped.type("list") or "0 experiments" in mapped.type("list")
    assert "3 of 3 issues are new" in mapped.type('sync pull --jql "project = ML" --goal ""')
    assert "0 of 3 issues are new" in mapped.type('sync pull --jql "project = ML"')
    first = mapped.type("show ML-1")
    assert "EXP-1 Issue 0" in first
    assert "owner  ana" in first
    said = [text for text in mapped.channel() if "took 3 issues" in text]
    assert len(said) == 1, "one message, whatever the number"
    assert "EXP-1" in mapped.jira.links("ML-1")[0]["object"]["title"]


def test_an_epic_stands_for_a_goal_and_its_issues_serve_it(mapped: World) -> None:
    mapped.type('goal add churn "keep active clients"')
    epic = mapped.jira.add_issue("ML", "Churn")
    mapped.jira.add_issue("ML", "Char tokens")
    mapped.jira.edit("ML-2", parent={"id": mapped.jira.issue(epic)["id"], "key": epic})
    assert "The epic of churn is ML-1." in mapped.type("goal link churn ML-1")
    mapped.type('sync pull --jql "key = ML-2"')
    assert "goal  churn" in mapped.type("show ML-2")
    assert mapped.jira.links(epic)[0]["object"]["title"] == "Goal churn: keep active clients"
    mapped.type('goal add speed "answer fast"')
    assert "is the epic of the goal churn already" in mapped.type("goal link speed ML-1")


def test_a_sprint_and_a_due_date_are_cleared_on_a_members_word_and_recorded(world: World) -> None:
    world.jira.add_issue("ML", "Char tokens")
    world.type('new "Char tokens"')
    world.type("link EXP-1 ML-1")
    assert "is in no sprint and has no due date" in world.type("sync untimebox EXP-1")
    sprint = [{"id": 1, "name": "Sprint 7", "state": "active"}]
    world.jira.edit("ML-1", duedate="2026-12-01", customfield_10020=sprint)
    world.clock.forward(minutes=11)
    world.settle()
    assert "/exp sync untimebox ML-1" in world.type("report preview")
    assert "taken out of its sprint" in world.type("sync untimebox ML-1")
    fields = world.jira.issue("ML-1")["fields"]
    assert (fields["duedate"], fields["customfield_10020"]) == (None, None)
    assert 'ana: untimeboxed ML-1, sprint "Sprint 7" and due 2026-12-01' in world.type("show EXP-1")
    assert "untimebox ML-1" not in world.type("report preview")


def test_the_issue_that_a_duplicate_points_at_is_offered_in_its_place(world: World) -> None:
    for title in ("Char tokens", "Characters"):
        world.jira.add_issue("ML", title)
    world.type('new "Char tokens"')
    world.type("link EXP-1 ML-1")
    other = world.jira.issue("ML-2")
    kind = {"id": "1", "name": "Duplicate", "inward": "is duplicated by", "outward": "duplicates"}
    link = {"id": "7", "type": kind, "outwardIssue": {"id": other["id"], "key": other["key"]}}
    world.jira.edit("ML-1", status=("Done", "done"), resolution={"name": "Duplicate"}, issuelinks=[link])
    for _ in range(2):
        world.clock.forward(minutes=11)
        world.settle()
    shown = world.type("show EXP-1")
    assert shown.count("ML-1 is closed as a duplicate of ML-2. /exp link EXP-1 ML-2 --instead") == 1
    assert "EXP-1 is linked to ML-2." in world.type("link EXP-1 ML-2 --instead")
    assert "EXP-1" in world.jira.links("ML-2")[0]["object"]["title"]


def test_the_mapping_is_told_with_what_it_does_to_real_issues(mapped: World) -> None:
    for number in range(2):
        mapped.jira.add_issue("ML", f"Issue {number}")
    mapped.jira.edit("ML-2", status=("Waiting", "indeterminate"), assignee=mapped.jira.person("ben"))
    mapped.jira.required_fields.append("duedate")
    mapped.jira.screens["Done"] = ("resolution",)
    mapped.type('sync pull --jql "project = ML"')
    mapped.jira.required_fields.clear()
    shown = mapped.type("sync mapping")
    waiting = next(line for line in shown.splitlines() if line.startswith("Waiting"))
    assert waiting.split() == ["Waiting", "1", "1", "left", "alone"]
    assert "Ben (1 issues)" in shown
    assert '"To Do" → "Done" asks for' in shown


def test_what_a_new_issue_needs_is_known_before_one_is_made(mapped: World) -> None:
    mapped.jira.add_issue("ML", "Issue")
    mapped.type('sync pull --jql "project = ML"')
    mapped.jira.required_fields.append("components")
    assert "new Task in ML asks for  components" in mapped.type("sync mapping")


def test_a_project_where_nothing_may_be_made_hides_nothing_of_the_mapping(mapped: World) -> None:
    mapped.jira.add_issue("ML", "Issue")
    mapped.type('sync pull --jql "project = ML"')
    mapped.jira.projects.clear()
    assert "new Task in ML asks for  a right to create issues there" in mapped.type("sync mapping")


def test_an_e_mail_address_finds_its_account(mapped: World) -> None:
    mapped.jira.add_issue("ML", "Char tokens")
    mapped.type('new "Char tokens"')
    mapped.type("link EXP-1 ML-1")
    mapped.type("edit EXP-1 --owner @ana --label nlp")
    mapped.jira.edit("ML-1", assignee=mapped.jira.person("ben"))
    mapped.type("edit EXP-1 --label recall")
    assert "owner  ana" in mapped.type("show EXP-1"), "Ben is paired with nobody"


def named(stage: str) -> str:
    """The configuration with a field for the stage."""
    plain = '{{ sprint = "customfield_10020" }}'
    return CONFIG.replace(plain, f'{{{{ sprint = "customfield_10020", stage = "{stage}" }}}}')


def test_a_field_is_told_by_its_name(make_world: Callable[..., World]) -> None:
    world = make_world(config=named("Experiment stage"))
    world.jira.add_issue("ML", "Char tokens")
    world.type('new "Char tokens"')
    world.type("link EXP-1 ML-1")
    assert world.jira.issue("ML-1")["fields"]["customfield_10030"] == "idea"


def test_a_name_that_no_field_has_is_told_with_the_key_to_mend(make_world: Callable[..., World]) -> None:
    world = make_world(config=named("Stage of it"))
    world.jira.add_issue("ML", "Char tokens")
    world.type('new "Char tokens"')
    said = world.type("link EXP-1 ML-1")
    assert 'it has no field named "Stage of it"' in said
    assert "Give [jira.fields] stage an id" in said


def test_a_token_with_scopes_is_taken_at_the_gateway_whose_site_is_found_by_itself(
    make_world: Callable[..., World],
) -> None:
    scoped = CONFIG.replace("[database]", 'scoped = true\ngateway = "{jira}"\n[database]')
    world = make_world(config=scoped.replace('fields = {{ sprint = "customfield_10020" }}\n', ""))
    world.jira.scoped = True
    world.jira.add_issue("ML", "Char tokens")
    world.type('new "Char tokens"')
    assert "EXP-1 is linked to ML-1." in world.type("link EXP-1 ML-1")
    assert {call["path"].startswith(GATEWAY) for call in world.jira.calls} == {False}, "paths are told without it"
    with world.services.database.read() as connection:
        url = connection.exec_driver_sql("SELECT issue_url FROM experiment").scalar()
    assert url == f"{world.settings.jira.url}/browse/ML-1", "people read it at the site"


def test_a_token_with_scopes_at_the_site_is_told_what_to_set(world: World) -> None:
    world.jira.scoped = True
    world.type('new "Char tokens"')
    assert "a token with scopes needs [jira] scoped = true" in world.type("link EXP-1 ML-1")
