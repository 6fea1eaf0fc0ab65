"""Gates, acts and the timeline that replays to the state."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backlog import gates, lifecycle
from backlog.aging import ages_of
from backlog.errors import BacklogError, GateClosed
from backlog.experiment import Decision, Entry, Experiment, Kind, Outcome, Stage, apply, clean_title, replay
from backlog.gates import Evidence
from backlog.goal import Answer3, Goal, Mark
from backlog.metric import Better, Metric
from backlog.parity import Parity
from backlog.policy import Rules
from backlog.priority import Priority, Weights, priority_of

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
READY = {name: Mark(Answer3.YES) for name in ("labels", "access", "expert", "pipeline")}
GOAL = Goal("churn", "keep active clients", NOW, "ana", (), "recall", 0.71, 0.80, readiness=READY)
METRIC = Metric("churn", "recall", "dev", "mlflow", "val_recall", Better.UP, eval_set="holdout-v3", id=1)
HELD = Parity(0.0, 0.02, True)
ALL_GOOD = Evidence(goal=GOAL, metrics=(METRIC,), dev_runs=3, parity=HELD, jira_configured=True)
FRAMED = Experiment(
    12, "Char-level tokens raise recall", NOW, "ana", stage=Stage.FRAMED, goal="churn", owner="ana",
    hypothesis="we believe …", metric="recall", min_effect=0.01, serves="replace the model?", appetite="M",
    issue_id="10345", issue_key="ML-345",
)  # fmt: skip


def move(experiment: Experiment, to: Stage, evidence: Evidence = ALL_GOOD, **words: str) -> Entry:
    return lifecycle.move(experiment, to, "ana", NOW, evidence, Rules(), **words)


def missing(experiment: Experiment, to: Stage, evidence: Evidence) -> list[str]:
    with pytest.raises(GateClosed) as closed:
        gates.check_gates(experiment, to, evidence)
    return [lack for lack, _ in closed.value.missing]


def test_an_idea_needs_only_a_title_and_belongs_to_who_had_it() -> None:
    entry = lifecycle.create("Char-level tokens raise recall", "ana", NOW)
    idea = replay(1, [entry])
    assert (idea.key, idea.stage, idea.owner, idea.title) == (
        "EXP-1",
        Stage.IDEA,
        "ana",
        "Char-level tokens raise recall",
    )


def test_framing_an_idea_makes_it_framed_and_needs_an_owner() -> None:
    idea = Experiment(12, "t", NOW, "ana", owner="ana")
    assert apply(idea, lifecycle.frame(idea, "ana", NOW, {"metric": "recall"})).stage is Stage.FRAMED
    with pytest.raises(GateClosed, match="an owner"):
        lifecycle.frame(replace(idea, owner=""), "ana", NOW, {"metric": "recall"})


@pytest.mark.parametrize(
    ("change", "lack"),
    [
        ({"goal": ""}, "a goal"),
        ({"hypothesis": ""}, "a hypothesis"),
        ({"metric": ""}, "a primary metric"),
        ({"metric": "f1"}, 'the metric "f1" with its source'),
        ({"serves": ""}, "the decision it serves"),
        ({"min_effect": None}, "the smallest effect worth acting on"),
    ],
)
def test_a_framed_experiment_is_not_ready_until_its_question_is_complete(change: dict[str, Any], lack: str) -> None:
    evidence = replace(ALL_GOOD, goal=None) if "goal" in change else ALL_GOOD
    assert lack in missing(replace(FRAMED, **change), Stage.READY, evidence)
    assert move(FRAMED, Stage.READY).changes["stage"] is Stage.READY


def test_a_metric_without_an_evaluation_set_does_not_compare_experiments() -> None:
    evidence = replace(ALL_GOOD, metrics=(replace(METRIC, eval_set=""),))
    assert missing(FRAMED, Stage.READY, evidence) == ["the evaluation set"]
    assert missing(replace(FRAMED, eval_set="holdout-v3", serves=""), Stage.READY, evidence) == [
        "the decision it serves"
    ]


def test_a_baseline_value_or_a_baseline_experiment_is_needed_except_by_the_baseline_itself() -> None:
    bare = replace(ALL_GOOD, goal=replace(GOAL, baseline=None))
    assert missing(FRAMED, Stage.READY, bare) == ["a baseline value, or an experiment of kind baseline"]
    gates.check_gates(FRAMED, Stage.READY, replace(bare, baseline_experiment="EXP-1"))
    gates.check_gates(replace(FRAMED, kind=Kind.BASELINE), Stage.READY, bare)


@pytest.mark.parametrize("mark", ["labels", "access", "expert"])
def test_unconfirmed_data_keeps_an_experiment_from_starting(mark: str) -> None:
    unsure = replace(GOAL, readiness={**READY, mark: Mark(Answer3.UNKNOWN, "from 1 May")})
    ready = replace(FRAMED, stage=Stage.READY)
    assert missing(ready, Stage.RUNNING, replace(ALL_GOOD, goal=unsure)) == [f"data confirmed ({mark})"]


def test_pipeline_appetite_and_issue_are_needed_before_running() -> None:
    ready = replace(FRAMED, stage=Stage.READY, appetite="", issue_id="")
    goal = replace(GOAL, readiness={**READY, "pipeline": Mark()})
    assert missing(ready, Stage.RUNNING, replace(ALL_GOOD, goal=goal)) == [
        "the evaluation pipeline run on the baseline",
        "an appetite",
        "a linked Jira issue",
    ]
    no_jira = replace(ALL_GOOD, jira_configured=False)
    gates.check_gates(replace(ready, appetite="M"), Stage.RUNNING, no_jira)


def test_research_waits_for_a_model_that_beats_the_baseline_in_production() -> None:
    research = replace(FRAMED, stage=Stage.READY, kind=Kind.RESEARCH)
    assert missing(research, Stage.RUNNING, ALL_GOOD) == [
        "a model that beats the baseline in production, before research"
    ]
    gates.check_gates(research, Stage.RUNNING, replace(ALL_GOOD, prod_beats_baseline=True))


def test_a_full_slot_needs_a_reason_and_keeps_it() -> None:
    ready = replace(FRAMED, stage=Stage.READY)
    full = replace(ALL_GOOD, wip_person=2)
    with pytest.raises(BacklogError, match="No free slot for EXP-12: its owner has 2 of 2 in progress"):
        move(ready, Stage.RUNNING, full)
    assert "prod incident" in move(ready, Stage.RUNNING, full, over="prod incident").text


def test_too_few_runs_on_dev_data_are_no_evidence() -> None:
    running = replace(FRAMED, stage=Stage.RUNNING)
    assert missing(running, Stage.OBSERVING, replace(ALL_GOOD, dev_runs=2)) == [
        "evidence on development data: 2 of 3 runs"
    ]


def test_parity_or_a_recorded_reason_ends_the_observation() -> None:
    observing = replace(FRAMED, stage=Stage.OBSERVING)
    apart = replace(ALL_GOOD, parity=Parity(0.05, 0.02, False))
    assert missing(observing, Stage.DECIDING, apart) == ["parity between dev and prod (gap 0.05, tolerance 0.02)"]
    entry = move(observing, Stage.DECIDING, apart, reason="labels are late")
    assert apply(observing, entry).parity_reason == "labels are late"


def test_skipping_a_stage_skips_none_of_its_gates() -> None:
    running = replace(FRAMED, stage=Stage.RUNNING)
    nothing = replace(ALL_GOOD, dev_runs=0, parity=Parity(None, None, None, "no reading in prod yet"))
    assert len(missing(running, Stage.DECIDING, nothing)) == 2


def test_kinds_without_a_metric_pass_when_their_question_is_answered() -> None:
    question = replace(FRAMED, kind=Kind.DATA_UNDERSTANDING, metric="", min_effect=None)
    nothing = Evidence(goal=GOAL)
    gates.check_gates(question, Stage.DECIDING, nothing)
    assert missing(replace(question, stage=Stage.DECIDING), Stage.CONCLUDED, nothing) == ["an outcome and a learning"]


def test_nothing_is_decided_without_outcome_and_learning_and_nothing_twice() -> None:
    deciding = replace(FRAMED, stage=Stage.DECIDING)
    with pytest.raises(GateClosed, match="an outcome and a learning"):
        lifecycle.decide(deciding, Decision.STOP, "gain 0.2 pt, needs 1.0", "ana", NOW, ALL_GOOD)
    found = lifecycle.record_outcome(deciding, Outcome.BAD, "no gain on new users", "ana", NOW)
    known = apply(deciding, found)
    stopped = apply(known, lifecycle.decide(known, Decision.STOP, "gain 0.2 pt", "ana", NOW, ALL_GOOD))
    assert (stopped.stage, stopped.decided_by, stopped.learning) == (
        Stage.CONCLUDED,
        "ana",
        "no gain on new users",
    )
    with pytest.raises(BacklogError, match="already decided: stop, by ana"):
        lifecycle.decide(stopped, Decision.ADOPT, "but", "ben", NOW, ALL_GOOD)


def test_adopting_means_watching_it_in_production() -> None:
    deciding = replace(FRAMED, stage=Stage.DECIDING, outcome=Outcome.GOOD, learning="recall +2 pt")
    entry = lifecycle.decide(deciding, Decision.ADOPT, "beats the baseline", "ana", NOW, ALL_GOOD)
    assert apply(deciding, entry).stage is Stage.MONITORED


def test_an_interesting_outcome_names_what_follows() -> None:
    running = replace(FRAMED, stage=Stage.RUNNING)
    with pytest.raises(BacklogError, match="names what follows"):
        lifecycle.record_outcome(running, Outcome.INTERESTING, "only for new users", "ana", NOW)
    entry = lifecycle.record_outcome(running, Outcome.INTERESTING, "only for new users", "ana", NOW, "EXP-19")
    assert apply(running, entry).next_key == "EXP-19"


def test_going_back_is_allowed_counted_and_keeps_the_age() -> None:
    observing = replace(FRAMED, stage=Stage.OBSERVING, running_since=NOW - timedelta(days=6))
    back = apply(observing, move(observing, Stage.FRAMED, Evidence()))
    assert (back.went_back, back.age_days(NOW)) == (1, 6)


def test_age_counts_calendar_days_from_running_to_the_decision() -> None:
    started = replace(FRAMED, stage=Stage.RUNNING, running_since=NOW)
    assert FRAMED.age_days(NOW) is None
    assert started.age_days(NOW + timedelta(days=9, hours=5)) == 9
    assert replace(started, decided_at=NOW + timedelta(days=3)).age_days(NOW + timedelta(days=90)) == 3


def test_a_decided_experiment_takes_notes_and_nothing_else() -> None:
    done = replace(FRAMED, stage=Stage.CONCLUDED, decision=Decision.STOP)
    assert lifecycle.note(done, "ana", NOW, "seen again in May").text == "seen again in May"
    with pytest.raises(BacklogError, match="its question was answered"):
        move(done, Stage.RUNNING)


def test_a_later_kind_before_an_earlier_one_has_concluded_warns() -> None:
    evidence = replace(ALL_GOOD, open_kinds=frozenset({Kind.BASELINE, Kind.RESEARCH}))
    assert gates.warnings(FRAMED, Stage.RUNNING, evidence) == [
        'An experiment of kind "baseline" on this goal has not concluded yet.'
    ]
    assert gates.warnings(FRAMED, Stage.OBSERVING, evidence) == []


@pytest.mark.parametrize("title", ["", "   ", "🚀🔥", "\u200b", "—"])
def test_a_title_needs_words(title: str) -> None:
    with pytest.raises(BacklogError, match="A title needs words"):
        clean_title(title)


def test_a_title_is_one_printable_line_of_bounded_length() -> None:
    assert clean_title(" a\x00b\n c ") == "a b c"
    with pytest.raises(BacklogError, match="has 10000 characters; 200 fit"):
        clean_title("x" * 10_000)


RUNNING = replace(FRAMED, stage=Stage.RUNNING, running_since=NOW, bet_since=NOW)
DAY = timedelta(days=1)


def passes(experiment: Experiment, days: int) -> str | None:
    entry = lifecycle.pass_time(experiment, NOW + days * DAY, Rules())
    return entry.act if entry else None


def test_half_way_asks_once_for_a_look_and_a_spent_appetite_waits_for_a_decision() -> None:
    assert [passes(RUNNING, days) for days in (0, 4, 5, 9, 10, 40)] == [
        None, None, "half-way", "half-way", "appetite spent", "appetite spent",
    ]  # fmt: skip
    asked = apply(RUNNING, lifecycle.pass_time(RUNNING, NOW + 5 * DAY, Rules()))  # type: ignore[arg-type]
    assert passes(asked, 6) is None
    spent = apply(RUNNING, lifecycle.pass_time(RUNNING, NOW + 10 * DAY, Rules()))  # type: ignore[arg-type]
    assert (spent.stage, spent.decision, passes(spent, 99)) == (Stage.DECIDING, None, None)


def test_a_new_bet_is_counted_and_needs_new_runs_and_a_reason() -> None:
    deciding = replace(RUNNING, stage=Stage.DECIDING)
    later = NOW + 10 * DAY
    with pytest.raises(GateClosed, match="a run since the last bet"):
        lifecycle.extend(deciding, "ana", later, "labels arrive", 0)
    with pytest.raises(BacklogError, match="needs its reason"):
        lifecycle.extend(deciding, "ana", later, " ", 3)
    again = apply(deciding, lifecycle.extend(deciding, "ana", later, "labels arrive", 3))
    assert (again.stage, again.extensions, again.bet_days(later), again.age_days(later)) == (Stage.RUNNING, 1, 0, 10)
    assert lifecycle.pass_time(again, later + 4 * DAY, Rules()) is None


def test_a_parked_experiment_rests_and_comes_back_on_its_day() -> None:
    entry = lifecycle.park(RUNNING, "ana", NOW, "after the migration", (NOW + 20 * DAY).date())
    parked = apply(RUNNING, entry)
    assert passes(parked, 12) is None, "its appetite rests"
    assert passes(parked, 20) == "came back"
    forever = apply(RUNNING, lifecycle.park(RUNNING, "ana", NOW, "after the migration"))
    assert passes(forever, 900) is None
    assert apply(forever, move(forever, Stage.OBSERVING)).parked_since is None
    with pytest.raises(BacklogError, match="needs its reason"):
        lifecycle.park(RUNNING, "ana", NOW, "")


def test_ones_own_last_act_is_undone_within_fifteen_minutes_and_both_stay() -> None:
    timeline = [lifecycle.create("t", "ana", NOW)]
    idea = replay(1, timeline)
    timeline.append(lifecycle.block(idea, "ana", NOW, "labels late"))
    blocked = replay(1, timeline)
    with pytest.raises(BacklogError, match="is not yours"):
        lifecycle.undo(blocked, timeline, "ben", NOW)
    with pytest.raises(BacklogError, match="older than 15 minutes"):
        lifecycle.undo(blocked, timeline, "ana", NOW + timedelta(minutes=16))
    timeline.append(lifecycle.undo(blocked, timeline, "ana", NOW + timedelta(minutes=3)))
    again = replay(1, timeline)
    assert (again.blocked_reason, again.blocked_since) == ("", None)
    assert [entry.act for entry in timeline] == ["created", "blocked", "undone"]
    with pytest.raises(BacklogError, match="cannot be undone"):
        lifecycle.undo(idea, timeline[:1], "ana", NOW)


def test_a_checkpoint_is_kept_and_says_something() -> None:
    seen = apply(RUNNING, lifecycle.checkpoint(RUNNING, "ana", NOW, "gain holds on two seeds"))
    assert seen.checkpoint_at == NOW
    with pytest.raises(BacklogError, match="says what was seen"):
        lifecycle.checkpoint(RUNNING, "ana", NOW, "")
    with pytest.raises(BacklogError, match="it has not run"):
        lifecycle.checkpoint(FRAMED, "ana", NOW, "seen")


def test_a_blocked_experiment_is_asked_about_on_its_day() -> None:
    blocked = apply(RUNNING, lifecycle.block(RUNNING, "ana", NOW, "labels late", (NOW + 2 * DAY).date()))
    assert passes(blocked, 1) is None
    asked = lifecycle.pass_time(blocked, NOW + 2 * DAY, Rules())
    assert asked is not None
    assert asked.text == "labels late. Is it still? /exp unblock EXP-12"
    assert apply(blocked, asked).blocked_reason == "labels late", "only a person knows"


def test_an_old_experiment_is_named_once_for_each_percentile_and_deciding_is_only_offered() -> None:
    ages = ages_of(list(range(1, 21)))  # half took 10 days at most, 85 % 17, 95 % 19
    old = replace(RUNNING, appetite="")
    found = []
    for days in range(25):
        entry = lifecycle.pass_time(old, NOW + days * DAY, Rules(), ages)
        if entry:
            old = apply(old, entry)
            found.append((days, entry.text.partition(":")[2].strip()))
    assert found == [
        (11, "older than 50 % of the last 20 finished"),
        (18, "older than 85 % of the last 20 finished. Is it answered? /exp move EXP-12 deciding"),
        (20, "older than 95 % of the last 20 finished. Is it answered? /exp move EXP-12 deciding"),
    ]
    assert old.stage is Stage.RUNNING
    assert lifecycle.pass_time(replace(RUNNING, appetite=""), NOW + 99 * DAY, Rules(), ages_of([5] * 9)) is None


def test_a_parked_experiment_comes_back_to_where_it_was_and_needs_a_slot_again() -> None:
    parked = apply(RUNNING, lifecycle.park(RUNNING, "ana", NOW, "after the migration"))
    with pytest.raises(BacklogError, match="No free slot"):
        move(parked, Stage.RUNNING, replace(ALL_GOOD, wip_person=2))
    back = apply(parked, move(parked, Stage.RUNNING))
    assert (back.parked_reason, back.stage, back.running_since) == ("", Stage.RUNNING, NOW)


def test_a_reason_stands_for_parity_only_where_the_observation_ends() -> None:
    running = replace(FRAMED, stage=Stage.RUNNING)
    early = apply(running, move(running, Stage.OBSERVING, reason="shadow from today"))
    assert early.parity_reason == ""
    late = replace(FRAMED, stage=Stage.DECIDING)
    assert apply(late, move(late, Stage.DECIDING, reason="labels are late")).parity_reason == "labels are late"


def test_what_the_clock_took_to_deciding_is_not_adopted_without_evidence() -> None:
    spent = replace(RUNNING, stage=Stage.DECIDING, outcome=Outcome.GOOD, learning="better")
    bare = replace(ALL_GOOD, dev_runs=0, parity=Parity(None, None, None, "no reading in prod yet"))
    with pytest.raises(GateClosed) as closed:
        lifecycle.decide(spent, Decision.ADOPT, "looks fine", "ana", NOW, bare)
    assert len(closed.value.missing) == 2
    assert lifecycle.decide(spent, Decision.STOP, "no time", "ana", NOW, bare).changes["decision"] is Decision.STOP


def test_undoing_a_step_back_passes_no_closed_gate() -> None:
    timeline = [Entry(NOW, "ana", "created", "t", {"stage": Stage.RUNNING, "kind": Kind.BASELINE})]
    timeline.append(lifecycle.move(replay(1, timeline), Stage.FRAMED, "ana", NOW, ALL_GOOD, Rules()))
    with pytest.raises(GateClosed, match="cannot go from framed to running"):
        lifecycle.undo(replay(1, timeline), timeline, "ana", NOW, replace(ALL_GOOD, goal=None))


def test_parking_and_extending_are_decisions_that_conclude_nothing() -> None:
    parked = lifecycle.decide(RUNNING, Decision.PARK, "after the migration", "ana", NOW, ALL_GOOD)
    assert apply(RUNNING, parked).parked_reason == "after the migration"
    extended = lifecycle.decide(
        RUNNING, Decision.EXTEND, "labels arrive", "ana", NOW, replace(ALL_GOOD, runs_since_bet=2)
    )
    assert extended.text == "bet 2: labels arrive (2 runs since the last bet)"
    assert {d for d in Decision if not d.concludes} == {Decision.PARK, Decision.EXTEND}


def test_an_iteration_asks_the_same_question_again_and_a_pivot_another_one() -> None:
    again = replay(13, [lifecycle.follow_up(FRAMED, "ben", NOW, decision=Decision.ITERATE)])
    assert (again.title, again.parent, again.owner) == ("Char-level tokens raise recall, iteration 2", "EXP-12", "ana")
    assert (again.hypothesis, again.metric, again.min_effect) == ("we believe …", "recall", 0.01)
    third = replay(14, [lifecycle.follow_up(again, "ben", NOW, decision=Decision.ITERATE)])
    assert third.title == "Char-level tokens raise recall, iteration 3"
    turned = replay(15, [lifecycle.follow_up(FRAMED, "ben", NOW, "Words instead", Decision.PIVOT)])
    assert (turned.title, turned.hypothesis, turned.metric) == ("Words instead", "", "recall")


def test_nothing_follows_from_itself() -> None:
    with pytest.raises(BacklogError, match="EXP-12 cannot follow from itself"):
        lifecycle.follow(FRAMED, "EXP-13", ["EXP-12"], "ana", NOW)
    assert apply(FRAMED, lifecycle.follow(FRAMED, "EXP-13", ["EXP-2"], "ana", NOW)).parent == "EXP-13"


def test_a_question_that_moves_after_the_start_is_seen_to_move() -> None:
    entry = lifecycle.frame(RUNNING, "ana", NOW, {"min_effect": 0.001, "eval_set": "holdout-v4"})
    assert entry.text == "eval_set, min_effect 0.01 → 0.001"


def test_the_priority_shows_its_arithmetic_and_what_it_lacks() -> None:
    scored = replace(FRAMED, learning_value=3, impact=4, confidence=5, effort=2)
    assert priority_of(scored, Weights()) == Priority(30, "3 learning value × 4 impact × 5 confidence ÷ 2 effort = 30")
    weighted = priority_of(scored, Weights(learning_value=2, effort=0))
    assert weighted == Priority(180, "3^2 learning value × 4 impact × 5 confidence = 180")
    lacking = priority_of(replace(scored, effort=None), Weights())
    assert lacking == Priority(None, "needs effort: /exp edit EXP-12 --effort 3")
    assert priority_of(FRAMED, Weights()) == Priority(None, "")
