"""Lines as people type them, on phones too."""

import pytest

from bot.verbs import exp, split_line


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
