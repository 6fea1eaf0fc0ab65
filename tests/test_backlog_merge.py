"""The three-way merge of fields and of the status, on values alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlog.experiment import Experiment, Stage
from backlog.issue import Issue
from backlog.merge import Agreed, People, Side, Verdict, after, conflict_in_words, merge, our_changes, their_changes
from backlog.status import StatusMap, StatusVerdict, Target, differs, judge_status, read_target

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PEOPLE = People({"U0ANA": "acc-ana", "U0BEN": "acc-ben"})
OURS = Experiment(12, "Char tokens", NOW, "U0ANA", owner="U0ANA", labels=("nlp",), jira_priority="High")
THEIRS = Issue(
    "10345", "ML-345", "https://x", "Char tokens", "To Do", "new", "", "Ana", NOW,
    labels=("nlp",), priority="High", assignee_id="acc-ana",
)  # fmt: skip
IN_LINE = {
    "title": Agreed("Char tokens", "Char tokens"),
    "owner": Agreed("acc-ana", "acc-ana"),
    "labels": Agreed(("nlp",), ("nlp",)),
    "jira_priority": Agreed("High", "High"),
}


def judged(
    ours: Experiment, theirs: Issue, base: dict[str, Agreed] | None = None, here: int | None = 0, there: int | None = 0
) -> dict[str, Verdict]:
    times = tuple(None if minutes is None else NOW + minutes * MINUTE for minutes in (here, there))
    verdicts = merge(ours, theirs, IN_LINE if base is None else base, PEOPLE, lambda _: times)  # type: ignore[arg-type, return-value]
    return {verdict.field: verdict for verdict in verdicts}


def test_sides_in_line_ask_for_nothing() -> None:
    verdicts = judged(OURS, THEIRS).values()
    assert {verdict.stands for verdict in verdicts} == {Side.BOTH}
    assert (our_changes(verdicts, PEOPLE), their_changes(verdicts)) == ({}, {})


def test_whoever_changed_stands() -> None:
    verdicts = judged(replace(OURS, title="Ours"), replace(THEIRS, assignee_id="acc-ben")).values()
    assert their_changes(verdicts) == {"title": "Ours"}
    assert our_changes(verdicts, PEOPLE) == {"owner": "U0BEN"}


@pytest.mark.parametrize(
    ("here", "there", "stands", "lost"),
    [
        (1, 0, "ours", "B"),
        (0, 1, "theirs", "A"),
        (0, 0, "theirs", "A"),
        (None, 0, "theirs", "A"),
        (1, None, "theirs", "A"),
    ],
)
def test_of_two_changes_the_later_stands_a_tie_goes_to_jira_and_the_loser_is_kept(
    here: int | None, there: int | None, stands: str, lost: str
) -> None:
    verdict = judged(replace(OURS, title="A"), replace(THEIRS, summary="B"), here=here, there=there)["title"]
    assert (verdict.stands, verdict.lost, verdict.conflict) == (stands, lost, True)
    assert f'"{lost}" did not' in conflict_in_words(verdict)


def test_the_same_change_on_both_sides_is_no_conflict() -> None:
    verdict = judged(replace(OURS, title="A"), replace(THEIRS, summary="A"))["title"]
    assert (verdict.stands, verdict.conflict, after(verdict)) == (Side.BOTH, False, Agreed("A", "A"))


def test_what_never_agreed_stays_until_one_side_changes() -> None:
    other = replace(THEIRS, summary="A longer story")
    first = judged(OURS, other, base={})["title"]
    assert (first.stands, after(first)) == (Side.BOTH, Agreed("Char tokens", "A longer story"))
    base = {"title": after(first)}
    assert judged(OURS, other, base)["title"].stands is Side.BOTH
    assert judged(replace(OURS, title="Ours"), other, base)["title"].stands is Side.OURS
    assert judged(OURS, replace(other, summary="Theirs"), base)["title"].stands is Side.THEIRS


def test_what_the_other_side_could_not_hold_is_left_alone() -> None:
    stranger = judged(replace(OURS, owner="U0CHI"), replace(THEIRS, assignee_id="acc-ben"))["owner"]
    assert (stranger.stands, stranger.ours) == (Side.BOTH, None)
    assert judged(OURS, replace(THEIRS, assignee_id="acc-nobody"))["owner"].stands is Side.BOTH
    assert judged(OURS, replace(THEIRS, summary="🚀"))["title"].stands is Side.BOTH


def test_a_summary_too_long_for_a_title_is_cut_alike_each_time() -> None:
    long = replace(THEIRS, summary="x" * 255)
    cut = judged(OURS, long)["title"]
    assert (cut.stands, len(cut.value)) == (Side.THEIRS, 200)
    assert judged(replace(OURS, title=cut.value), long, {"title": after(cut)})["title"].stands is Side.BOTH


def test_nobody_is_an_owner_like_any_other() -> None:
    verdicts = judged(OURS, replace(THEIRS, assignee_id="")).values()
    assert our_changes(verdicts, PEOPLE) == {"owner": ""}
    assert their_changes(judged(replace(OURS, owner=""), THEIRS).values()) == {"owner": ""}


LABELS = st.frozensets(st.sampled_from("abcde")).map(lambda chosen: tuple(sorted(chosen)))


@given(base=LABELS, ours=LABELS, theirs=LABELS)
def test_joined_labels_hold_what_was_added_and_not_what_was_taken_out(
    base: tuple[str, ...], ours: tuple[str, ...], theirs: tuple[str, ...]
) -> None:
    verdict = judged(replace(OURS, labels=ours), replace(THEIRS, labels=theirs), {"labels": Agreed(base, base)})[
        "labels"
    ]
    value = set(verdict.value)
    added, gone = (set(ours) | set(theirs)) - set(base), (set(base) - set(ours)) | (set(base) - set(theirs))
    assert added <= value
    assert not gone & value
    assert set(base) - gone <= value
    assert verdict.lost is None


WORDS = st.sampled_from(["A", "B", "C"])


TIMES = st.integers(0, 2)


@given(base=st.none() | st.builds(Agreed, WORDS, WORDS), ours=WORDS, theirs=WORDS, here=TIMES, there=TIMES)
def test_carrying_a_verdict_out_settles_it_and_loses_no_value_untold(
    base: Agreed | None, ours: str, theirs: str, here: int, there: int
) -> None:
    known = {"title": base} if base else {}
    verdict = judged(replace(OURS, title=ours), replace(THEIRS, summary=theirs), known, here, there)["title"]
    settled = after(verdict)
    again = judged(replace(OURS, title=settled.ours), replace(THEIRS, summary=settled.theirs), {"title": settled})[
        "title"
    ]
    assert again.stands is Side.BOTH
    untold = {ours, theirs} - {settled.ours, settled.theirs, verdict.lost}
    assert all(base is not None and value in (base.ours, base.theirs) for value in untold), "only an old value goes"


STATUSES = StatusMap(
    {
        Stage.READY: Target("To Do"),
        Stage.RUNNING: Target("In Progress"),
        Stage.OBSERVING: Target("In Progress"),
        Stage.CONCLUDED: Target("Done", "Won't Do"),
    }
)


@pytest.mark.parametrize(
    ("stage", "status", "base", "verdict"),
    [
        ("running", "In Progress", ("running", "In Progress"), StatusVerdict()),
        ("observing", "in progress", ("running", "In Progress"), StatusVerdict()),
        ("running", "To Do", ("ready", "To Do"), StatusVerdict(push=Target("In Progress"))),
        ("ready", "In Progress", ("ready", "To Do"), StatusVerdict(move_to=Stage.RUNNING)),
        ("idea", "Done", ("idea", "To Do"), StatusVerdict(move_to=Stage.CONCLUDED)),
        ("concluded", "In Progress", ("running", "To Do"), StatusVerdict(push=Target("Done", "Won't Do"))),
        ("ready", "Parked", ("ready", "To Do"), StatusVerdict()),
        ("idea", "To Do", ("ready", "To Do"), StatusVerdict()),
        ("running", "To Do", None, StatusVerdict()),
    ],
)
def test_what_a_stage_and_a_status_ask_of_each_other(
    stage: str, status: str, base: tuple[str, str] | None, verdict: StatusVerdict
) -> None:
    agreed = Agreed(*base) if base else None
    assert judge_status(Stage(stage), replace(THEIRS, status=status), agreed, STATUSES) == verdict


def test_an_issue_as_agreed_is_not_looked_at_again() -> None:
    agreed = IN_LINE | {"status": Agreed("ready", "To Do")}
    assert not differs(THEIRS, agreed, PEOPLE)
    assert not differs(replace(THEIRS, assignee_id="acc-nobody"), agreed, PEOPLE)
    assert differs(replace(THEIRS, status="Done"), agreed, PEOPLE)
    assert differs(replace(THEIRS, labels=()), agreed, PEOPLE)
    assert differs(THEIRS, {}, PEOPLE)


def test_a_resolution_may_stand_behind_the_status() -> None:
    assert read_target("Done / Won't Do") == Target("Done", "Won't Do")
    assert read_target("In Progress") == Target("In Progress")
