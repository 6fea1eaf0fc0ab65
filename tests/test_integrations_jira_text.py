"""What people type comes out in Jira as they meant it, on Cloud and on Data Center, and comes back as they wrote it."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator

from integrations.jira.adf import to_document, words_of
from integrations.jira.markdown import to_markdown
from integrations.jira.wiki import escaped, from_wiki, to_wiki
from tests.conftest import CONFIG, World

ACCOUNTS, NAMES = {"ana": "acc-ana"}, {"acc-ana": "ana"}
WORDS = r"""
    recall up 0.2 a*b a_b [x] (y) 1. - # > `t` **b** *i* ~~s~~ ~ @ana <b> &amp; | \\ https://a.example/b_c :) 1) !
    [t](https://a.example) ``` --- _x_ é 世界 ***c*** ![i](https://a.example/i.png) <https://a.example>
"""
KINDS = """
    doc paragraph text heading bulletList orderedList listItem taskItem codeBlock table tableRow tableCell mention emoji
    date panel expand media inlineCard status hardBreak blockquote rule unheard
"""
WRITTEN = [
    "plain words, well-known and a_b_c",
    "one line\nand the next",
    "**bold** *italic* ~~gone~~ `code`",
    "***both** of it* and on",
    "# Heading\n\ntext below",
    "- a\n- b\n  - c\n  - d\n- e",
    "1. one\n2. two\n\nthen\n\n4. four\n5. five",
    "```python\nx = {1: 2}\n\nprint(x)\n```",
    "````\n```\nfence in a fence\n```\n````",
    "> quote\n> more\n>\n> - with a list",
    "| a | b |\n| --- | --- |\n| 1 | `x\\|y` |\n| **2** |  |",
    'see https://example.com/a_b, and [the paper](https://x.example/y "its title") @ana',
    "above\n\n---\n\nbelow",
    "ask @ana, not @chi or chi@ana.example",
    "\\*not italic\\* and 1) no list? [no\\](link)",
    "\\- no list\n\\# no heading",
    "你好 **世界** 🎉 :tada:",
    "",
]


@pytest.mark.parametrize("text", WRITTEN)
def test_what_people_write_comes_back_as_they_wrote_it(text: str) -> None:
    back = to_markdown(to_document(text, ACCOUNTS), NAMES)
    assert back == text


@st.composite
def documents(draw: Callable[..., Any]) -> str:
    """Markdown as people write it: blocks of words, among them words that look like markup."""
    word = st.sampled_from(WORDS.split())
    line = st.lists(word, min_size=1, max_size=6).map(" ".join)
    blocks = st.recursive(
        st.one_of(
            line,
            st.lists(line, min_size=1, max_size=3).map("\n".join),
            line.map(lambda text: f"## {text}"),
            st.lists(line, min_size=1, max_size=2).map(lambda lines: "~~~py\n" + "\n".join(lines) + "\n~~~"),
            st.lists(line.map(lambda text: text.replace("|", "")), min_size=2, max_size=2).map(
                lambda cells: f"| a | b |\n|---|---|\n| {cells[0]} | {cells[1]} |"
            ),
            st.just("***"),
        ),
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(
                lambda parts: "\n".join(_indented("- ", part) for part in parts)
            ),
            st.lists(inner, min_size=1, max_size=3).map(
                lambda parts: "\n".join(_indented("7. ", part) for part in parts)
            ),
            st.lists(inner, min_size=1, max_size=2).map(lambda parts: _quoted("\n\n".join(parts))),
        ),
        max_leaves=5,
    )
    return "\n\n".join(draw(st.lists(blocks, min_size=1, max_size=3)))


def _indented(mark: str, text: str) -> str:
    return mark + text.replace("\n", "\n" + " " * len(mark))


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.split("\n"))


@given(documents())
@settings(max_examples=150, deadline=None)
def test_a_document_that_was_written_out_is_read_as_the_same_document(text: str) -> None:
    document = to_document(text, ACCOUNTS)
    assert to_document(to_markdown(document, NAMES), ACCOUNTS) == document


@given(st.text())
@settings(max_examples=100, deadline=None)
def test_no_word_that_was_typed_disappears(text: str) -> None:
    letters = [char for char in text if char.isalnum()]
    for shown in (words_of(to_document(text)), to_markdown(to_document(text))):
        kept = iter(shown)
        assert all(letter in kept for letter in letters) or "&" in text or "```" in text or "~~~" in text


def json_values() -> st.SearchStrategy[Any]:
    kinds = st.sampled_from(KINDS.split())
    names = st.sampled_from(["type", "content", "text", "attrs", "marks", "level", "order", "id", "href", "state", "x"])
    leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), kinds)
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(names, inner, max_size=5),
            st.fixed_dictionaries({"type": kinds, "content": st.lists(inner, max_size=4)}),
            st.fixed_dictionaries({"type": st.just("text"), "text": st.text(), "marks": st.lists(inner, max_size=2)}),
        ),
        max_leaves=30,
    )


@given(json_values())
@settings(max_examples=200, deadline=None)
def test_whatever_jira_sends_is_read(document: Any) -> None:
    assert isinstance(to_markdown(document), str)
    assert isinstance(to_wiki(document), str)
    assert isinstance(words_of(document), str)


@pytest.mark.parametrize("kind", ["panel", "blockquote", "bulletList", "listItem", "expand"])
def test_nesting_without_end_shows_its_words(kind: str) -> None:
    node: Any = {"type": "text", "text": "deep down"}
    for _ in range(5_000):
        node = {"type": kind, "content": [node]}
    document = {"type": "doc", "version": 1, "content": [node]}
    assert "deep down" in to_markdown(document)
    assert "deep down" in to_wiki(document)


@pytest.mark.parametrize(
    "typed", [">" * 5_000 + " deep", "- " * 3_000 + "deep", "*" * 3_000 + "deep", "[" * 3_000 + "deep"]
)
def test_markdown_without_end_stays_text(typed: str) -> None:
    document = to_document(typed)
    assert "deep" in words_of(document)
    assert len(json.dumps(document)) < 100 * len(typed)


def test_a_node_nobody_heard_of_becomes_its_words() -> None:
    said = {"type": "text", "text": "kept"}
    card = {"type": "inlineCard", "attrs": {"url": "https://a.example"}}
    content = [{"type": "sparkle", "content": [said, card]}, {"type": "date", "attrs": {"timestamp": "1764547200000"}}]
    document = {"type": "doc", "version": 1, "content": content}
    assert to_markdown(document).split("\n\n") == ["kepthttps://a.example", "2025-12-01"]


@pytest.mark.contract
@given(documents())
@settings(max_examples=100, deadline=None)
def test_what_goes_to_cloud_keeps_to_atlassians_schema(text: str) -> None:
    schema = os.environ.get("SCRUMBUT_ADF_SCHEMA", "")
    if not schema:
        pytest.skip("SCRUMBUT_ADF_SCHEMA names no json-schema/v1/full.json of npm's @atlaskit/adf-schema")
    judge = Draft4Validator(json.loads(Path(schema).read_text()))
    assert [error.message[:200] for error in judge.iter_errors(to_document(text, ACCOUNTS))] == []


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("**bold** in**tra**word `code`", "*bold* in{*}tra{*}word {{code}}"),
        ("- a\n  1. b\n- c", "* a\n*# b\n* c"),
        ("```python\nx = {1}\n```", "{code:python}\nx = {1}\n{code}"),
        ("```\n{code} in it\n```", "{noformat}\n{code} in it\n{noformat}"),
        ("| a | b |\n|---|---|\n| 1 | x\\|y |", "||a||b||\n|1|x\\|y|"),
        ("> quote", "{quote}\nquote\n{quote}"),
        (
            "[t|x](https://x.example/a|b) and https://x.example/a_b",
            "[t\\|x|https://x.example/a%7Cb] and https://x.example/a_b",
        ),
        ("ask @ana", "ask [~acc-ana]"),
    ],
)
def test_markdown_is_wiki_text_on_data_center(typed: str, stored: str) -> None:
    assert to_wiki(to_document(typed, ACCOUNTS)) == stored


@pytest.mark.parametrize(
    "typed",
    [
        "{noformat} stays, [~admin] and {panel:title=x} too",
        "h1. no heading\nbq. no quote",
        "\\# no list",
        "!image.png! (x) :) :D ??cite?? {color:red}",
        "C:\\temp\\n and &#124; and a\\\\b",
        "-no strike- +no ins+ ^up^ ~down~",
        "||no||table||",
    ],
)
def test_text_that_looks_like_wiki_markup_stays_text_on_data_center(typed: str) -> None:
    stored = to_wiki(to_document(typed))
    for macro in ("{noformat}", "{panel", "[~", "{color", "!image", "(x)", ":)", ":D", "??", "||"):
        assert macro not in stored.replace("\\" + macro[0], ""), stored
    assert not stored.startswith(("h1.", "#", "-", "|"))
    assert from_wiki(escaped(typed)) == typed


def test_wiki_text_of_people_is_read_as_they_meant_it() -> None:
    typed = "h2. Result\n*good* and {{x_y}}, see [the run|https://a.example/1] of [~ana]\n"
    shown = from_wiki(typed + "{code:java}\nint *a*;\n{code}\n* a\n## b")
    assert shown == (
        "## Result\n**good** and `x_y`, see [the run](https://a.example/1) of @ana\n```java\nint *a*;\n```\n- a\n  1. b"
    )


@given(st.text())
@settings(max_examples=100, deadline=None)
def test_any_wiki_text_is_read(text: str) -> None:
    assert isinstance(from_wiki(text), str)
    assert isinstance(from_wiki(escaped(text)), str)


@pytest.mark.parametrize("deployment", ["cloud", "server"])
def test_a_note_keeps_its_lists_and_mentions_the_account(make_world: Callable[..., World], deployment: str) -> None:
    account = "acc-ana" if deployment == "cloud" else "ana"
    head, _, tail = CONFIG.partition("[database]")
    world = make_world(deployment, f'{head}[jira.users]\nU0ANA = "{account}"\n[database]{tail}')
    world.type('new "Char-level tokens"')
    world.jira.add_issue("ML", "Char tokens")
    world.type("link EXP-1 ML-1")
    world.type("note EXP-1 leak in **fold 3**, ask @ana: `{noformat}`")
    body = world.jira.comments("ML-1")[-1]["body"]
    if deployment == "server":
        assert body == "ana in Slack, noted: leak in *fold 3*, ask [~ana]: {{\\{noformat\\}}}"
    else:
        assert {"type": "mention", "attrs": {"id": "acc-ana", "text": "@ana"}} in body["content"][0]["content"]
        assert to_markdown(body) == "ana in Slack, noted: leak in **fold 3**, ask @ana: `{noformat}`"
