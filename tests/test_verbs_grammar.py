"""Lines as people type them, on phones too."""

from datetime import UTC, datetime

import pytest

from backlog.experiment import Experiment
from backlog.likeness import is_near
from bot.verbs import exp, split_line
from bot.verbs.grammar import join_words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('new "Char-level tokens raise recall"', ["new", "Char-level tokens raise recall"]),
        ("new “Char-level tokens”", ["new", "Char-level tokens"]),
        ("frame EXP-1 —goal churn", ["frame", "EXP-1", "--goal", "churn"]),
        ("note EXP-1 it's done — really", ["note", "EXP-1", "it's", "done", "—", "really"]),
        ('note EXP-1 the "best" one', ["note", "EXP-1", "the", "best", "one"]),
        ('note EXP-1 "say \\"hi\\""', ["note", "EXP-1", 'say "hi"']),
        ("edit EXP-1 --owner <@U0ANA|ana>", ["edit", "EXP-1", "--owner", "@U0ANA"]),
        ("report post in <#C0ML|ml>", ["report", "post", "in", "#C0ML"]),
        ("note EXP-1 see <https://x.example/a|the page>", ["note", "EXP-1", "see", "the", "page"]),
        ("note EXP-1 see <https://x.example/a>", ["note", "EXP-1", "see", "https://x.example/a"]),
        ("note EXP-1 a &lt; b &amp;&amp; c", ["note", "EXP-1", "a", "<", "b", "&&", "c"]),
        ('note EXP-1 "open', ["note", "EXP-1", '"open']),
        ("", []),
        ("   ", []),
    ],
)
def test_a_line_is_read_as_it_was_meant(line: str, words: list[str]) -> None:
    assert split_line(line) == words


def test_every_verb_explains_itself_in_one_line() -> None:
    unexplained = [name for name, verb in exp.commands.items() if not verb.get_short_help_str()]
    assert unexplained == []


def test_the_verbs_of_the_main_job_are_all_there() -> None:
    top = {"help", "new", "frame", "list", "show", "link", "move", "start", "note", "outcome", "decide", "sync"}
    assert top <= set(exp.commands)
    below = {name: set(exp.commands[name].commands) for name in ("goal", "metric", "report")}  # type: ignore[attr-defined]
    assert below["goal"] >= {"add", "show"}
    assert below["metric"] >= {"add", "test"}
    assert below["report"] >= {"preview", "post"}


@pytest.mark.parametrize("words", [["new", "a b", '--x "y" <z> & &amp;'], ["note", "EXP-1", "it's\tone\nline"], [""]])
def test_a_line_joined_of_words_is_read_as_these_words(words: list[str]) -> None:
    assert split_line(join_words(words)) == words


@pytest.mark.parametrize(
    ("title", "near"),
    [
        ("Word-level tokens raise recall", True),
        ("char level token for recall", True),
        ("Recall", False),
        ("Focal loss", False),
        ("Char-level tokens raise recall by 5 points", False),
    ],
)
def test_an_idea_is_near_another_when_it_shares_most_of_its_words_and_all_numbers(title: str, near: bool) -> None:
    past = Experiment(1, "Char-level tokens raise recall", datetime(2026, 11, 23, tzinfo=UTC), "ana")
    assert is_near(title, past) is near
