"""The backlog's verbs in the channel: what follows, who takes over, what comes first, what is taken back."""

import threading

import pytest

from bot.flows.services import Caller
from bot.verbs import Answer, Request, answer, split_line
from store.experiments import load_timeline
from tests.conftest import World
from tests.test_flows import frame, run_whole_experiment, state_goal


def start_question(world: World, title: str = "Are the labels there", key: str = "EXP-1") -> None:
    """An experiment that needs no metric, running."""
    world.type(f'new "{title}" --kind infrastructure --appetite M --goal churn')
    issue = world.jira.add_issue("ML", title)
    world.type(f'frame {key} --hypothesis "we believe" --decision "which?"')
    world.type(f"link {key} {issue}")
    assert "is running" in world.type(f"start {key}")


def test_an_iteration_goes_on_in_a_linked_experiment(world: World) -> None:
    state_goal(world)
    start_question(world)
    world.type('outcome EXP-1 bad "half of them are"')
    said = world.type('decide EXP-1 iterate "ask the vendor"')
    assert "EXP-2 follows from it: /exp show EXP-2" in said
    assert "followed by  EXP-2" in world.type("show EXP-1")
    child = world.type("show EXP-2")
    assert "Are the labels there, iteration 2" in child
    assert "follows from  EXP-1" in child
    assert "hypothesis  we believe" in child


def test_an_interesting_outcome_makes_or_ties_what_follows(world: World) -> None:
    state_goal(world)
    start_question(world)
    for _ in range(2):
        said = world.type('outcome EXP-1 interesting "only new users" --next "Why only new users"')
        assert "EXP-2 follows from it" in said
    world.type('new "Old users"')
    assert "EXP-3 follows from it" in world.type("decide EXP-1 pivot because --next EXP-3")
    assert "followed by  EXP-3, EXP-2" in world.type("show EXP-1")
    start_question(world, "Another", "EXP-4")
    assert "EXP-4 cannot follow from itself" in world.type("outcome EXP-4 interesting x --next EXP-4")


def test_a_decision_keeps_its_evidence(world: World) -> None:
    run_whole_experiment(world)
    shown = world.type("show EXP-1")
    assert "evidence  best 0.76 in dev, 4 runs; best 0.755 in prod, 1 run" in shown


def test_two_people_decide_at_once_and_the_second_is_told_who_was_first(world: World) -> None:
    state_goal(world)
    start_question(world)
    world.type("list", user="U0BEN")
    world.type('outcome EXP-1 good "they are"')
    answers: dict[str, Answer] = {}
    together = threading.Barrier(2)

    def decide(user: str, name: str) -> None:
        line = f'decide EXP-1 stop "by {name}"'
        together.wait()
        answers[name] = answer(split_line(line), Request(world.services, Caller(user, name)))

    threads = [threading.Thread(target=decide, args=who) for who in (("U0ANA", "ana"), ("U0BEN", "ben"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (second,) = [name for name, said in answers.items() if said.problem]
    first = {"ana": "ben", "ben": "ana"}[second]
    assert answers[second].text == f"EXP-1 was already decided: stop, by {first}."
    with world.services.database.read() as connection:
        decided = [entry for entry in load_timeline(connection, "EXP-1") if entry.act == "decided"]
    assert [entry.text for entry in decided] == [f"stop: by {first}"]


def test_a_person_who_leaves_hands_everything_unfinished_over(world: World) -> None:
    world.type('new "First"')
    world.type('new "Second"')
    world.type('new "Third"', user="U0BEN")
    assert "2 from ana to ben: EXP-1, EXP-2" in world.type("reassign @ana <@U0BEN|ben>")
    assert "ana has nothing unfinished." in world.type("reassign ana ben")
    assert "3 experiments" in world.type("mine", user="U0BEN")
    assert "ana: reassigned ana → ben" in world.type("show EXP-1")


def test_the_list_comes_in_pages_with_what_is_unfinished_first(world: World) -> None:
    state_goal(world)
    start_question(world)
    world.type('outcome EXP-1 good "they are"')
    world.type("decide EXP-1 stop because")
    for number in range(2, 36):
        answer(["new", f"Idea {number}"], Request(world.services, Caller("U0ANA", "ana")))
    said = world.type("list")
    assert "35 experiments, 30 shown: --page 2 for more" in said
    assert "EXP-1 " not in said
    assert "EXP-1 " in world.type("list --page 2")
    assert "There are 35, none on page 9." in world.type("list --page 9")
    assert "1 experiment\n" in world.type("list concluded")


def test_the_list_by_priority_puts_what_has_a_score_first(world: World) -> None:
    for number in (1, 2, 3):
        world.type(f'new "Idea {number}"')
    world.type("edit EXP-2 --learning 2 --impact 2 --confidence 2 --effort 1")
    said = world.type("edit EXP-3 --learning 4 --impact 4 --confidence 4 --effort 1")
    assert "Priority: 4 learning value × 4 impact × 4 confidence ÷ 1 effort = 64" in said
    listed = world.type("list --by priority")
    assert listed.index("EXP-3") < listed.index("EXP-2") < listed.index("EXP-1")


def test_undo_without_a_key_takes_back_the_last_act_wherever_it_was(world: World) -> None:
    state_goal(world)
    world.type('new "First"')
    world.type("block EXP-1 labels")
    assert '"blocked" on EXP-1 is undone' in world.type("undo")
    world.type('goal edit churn --target 0.9 "new contract"')
    assert "Your last change of the goal churn is undone." in world.type("undo")
    assert "→ 0.8" in world.type("goal show churn")
    assert "is not a change of yours" in world.type("undo")
    assert "You have not done anything here yet." in world.type("undo", user="U0BEN")
    world.type("goal ready churn --labels no")
    world.type("undo")
    assert "labels  yes" in world.type("goal ready churn --expert yes")


def test_the_weekly_report_shows_how_a_target_moved_and_what_went_to_production(world: World) -> None:
    state_goal(world)
    world.type('goal edit churn --target 0.82 "new contract"')
    world.type("deployed churn v12")
    world.clock.forward(days=7)
    world.settle()
    told = "\n".join(world.channel())
    assert "target moved 0.8 → 0.82: new contract" in told
    assert "v12 went to production" in told


def test_a_deployment_is_remembered_with_its_day(world: World) -> None:
    state_goal(world)
    assert "churn: v12 is in production." in world.type("deployed churn v12")
    assert "in production  v12 since 23 Nov 2026" in world.type("goal show churn")
    assert 'There is no goal "chrn". Did you mean "churn"?' in world.type("deployed chrn v13")


def test_the_age_stands_beside_the_teams_own(world: World) -> None:
    state_goal(world)
    start_question(world)
    world.clock.forward(days=2)
    assert "age  2 d; the appetite serves, the team's own ages need more history (0 of 10" in world.type("show EXP-1")


def test_new_with_a_dry_run_shows_the_nearest_past_ones_and_creates_nothing(world: World) -> None:
    run_whole_experiment(world)
    said = world.type('new "Word-level tokens raise recall" --dry-run')
    assert "Nothing is created. It would be EXP-2" in said
    assert "Like it: EXP-1 Char-level tokens raise recall (good: recall up 5 points, also for new users)" in said
    assert "1 experiment\n" in world.type("list")


def test_new_shows_a_near_past_one_before_it_creates_and_goes_on_at_a_click(world: World) -> None:
    run_whole_experiment(world)
    said = world.type('new "Word-level tokens raise <recall> & \\"F1\\"" --goal churn --appetite M')
    assert "Nothing is created yet; something like it is there." in said
    assert "Like it: EXP-1 Char-level tokens raise recall (good: recall up 5 points, also for new users)" in said
    assert "1 experiment\n" in world.type("list")
    world.edge.click("Create it anyway", world.slack.ephemerals[-2].message)
    world.settle()
    shown = world.type("show EXP-2")
    assert 'EXP-2 Word-level tokens raise <recall> & "F1"' in shown
    assert ("churn" in shown, "appetite  M" in shown) == (True, True)


def test_new_asks_nothing_where_the_past_one_is_named_or_another_is_meant(world: World) -> None:
    run_whole_experiment(world)
    assert "EXP-2 is on" in world.type('new "Word-level tokens raise recall" --follows EXP-1')
    assert "EXP-3 is on" in world.type('new "Word-level tokens raise recall" --anyway')
    assert "EXP-4 is on" in world.type('new "Focal loss for rare classes"')


@pytest.mark.parametrize(
    ("line", "reads"),
    [
        ("Show exp-1", "EXP-1 Char-level tokens"),
        ("SHOW EXP-1", "EXP-1 Char-level tokens"),
        ("Frame exp-1 —Metric recall", "EXP-1 is framed: metric set."),
        ("list Idea", "1 experiment"),
        ("edit EXP-1 --Appetite l", "EXP-1: appetite changed."),
        ("note exp-1 „sehr gut“ — wirklich", "Noted on EXP-1."),
        ("frame EXP-1 --hypotesis x", "Did you mean '--hypothesis'?"),
        ("shwo EXP-1", 'There is no verb "shwo". Did you mean "show"?'),
    ],
)
def test_a_line_typed_on_a_phone_is_read_as_it_was_meant(world: World, line: str, reads: str) -> None:
    world.type('new "Char-level tokens raise recall"')
    assert reads in world.type(line)


@pytest.mark.parametrize(
    "text", ["\u202eright to left", "a\x00b\x07c", "<!channel> <@U0BEN>", "🚀🚀", "'; DROP TABLE--"]
)
def test_odd_text_is_kept_as_text_or_refused_and_never_breaks(world: World, text: str) -> None:
    said = world.type(f'new "{text}"')
    assert "EXP-1 is on the backlog" in said or "A title needs words." in said
    world.type('new "Another"')
    frame(world, "EXP-1")
    world.type(f'note EXP-1 "{text}"')
    assert "Something broke" not in world.type(f'find "{text}"') + world.type("show EXP-1")
    for message in world.slack.messages("ml"):
        assert "<!channel>" not in message["text"]
