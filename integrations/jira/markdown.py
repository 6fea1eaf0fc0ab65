"""An Atlassian document as Markdown: what `adf.to_document` made of a text comes back as that text.

Any document may come: a node that has no Markdown becomes its words, what is nested too deep becomes its words, and
nothing raises.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from integrations.jira.adf import PARSER, attrs_of, children_of, code_of, kind_of, own_words, words_of

DEPTH = 30  # levels that are shown as levels
NUMBER_MAX = 999_999_999  # of an ordered list; Markdown reads nine digits
INLINE = {
    "text", "hardBreak", "mention", "emoji", "inlineCard", "status", "date", "placeholder", "inlineExtension",
    "mediaInline",
}  # fmt: skip
DELIMITERS = {"strong": "**", "em": "*", "strike": "~~"}
ENTITY = re.compile(r"&(?=#?\w{1,32};)")
ANYWHERE = re.compile(r"[\\`*]|(?<!\w)_|_(?!\w)|~(?=~|$)|(?<=~)~|^~|\](?=\(|$)|<(?=[A-Za-z])")
CLOSING = re.compile(r"#(?=#*$)")  # at the end of a heading, where Markdown would drop them
LINE_START = re.compile(r"^(\s*)(?:(\d{1,9})([.)])(?=\s|$)|(#{1,6}(?=\s|$)|>|[-+](?=\s|$)|[-_ ]{3,}$|[-:|][-:| ]*$))")


def to_markdown(document: Any, names: Mapping[str, str] | None = None) -> str:
    """A document as Markdown; a plain text is handed back. `names` tells the name behind an account."""
    if isinstance(document, str):
        return document
    printer = _Printer(names or {})
    return "\n".join(printer.blocks(children_of(document) or [document], 0)).strip("\n")


class _Printer:
    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def blocks(self, nodes: Sequence[Any], depth: int, tight: bool = False) -> list[str]:
        """The lines of blocks after each other; `tight` puts a list right under its paragraph."""
        lines: list[str] = []
        before = ""
        for node in _with_paragraphs(nodes):
            kind = kind_of(node)
            own = self._block(node, depth)
            if kind == before and kind in ("bulletList", "orderedList"):
                own = [_other_mark(line) for line in own]  # or Markdown would read both as one list
                kind = ""
            if lines and not (tight and before == "paragraph" and kind == "bulletList" and own[0] != "-"):
                lines.append("")
            lines, before = [*lines, *own], kind
        return lines

    def _block(self, node: Mapping[str, Any], depth: int) -> list[str]:
        if depth > DEPTH:
            return [escaped(line) for line in words_of(node).split("\n")]
        kind = kind_of(node)
        if kind in self._PRINT:
            return self._PRINT[kind](self, node, depth)
        title = str(attrs_of(node).get("title") or "")
        inner = self.blocks(children_of(node), depth + 1)
        return [*([escaped(title), ""] if title else []), *inner] if inner else [escaped(own_words(node))]

    def _paragraph(self, node: Mapping[str, Any], depth: int) -> list[str]:
        return _line_starts(self.inline(children_of(node))).split("\n")

    def _heading(self, node: Mapping[str, Any], depth: int) -> list[str]:
        level = attrs_of(node).get("level")
        marks = "#" * (level if isinstance(level, int) and 1 <= level <= 6 else 1)
        text = " ".join(self.inline(children_of(node)).split("\n"))
        return [f"{marks} {CLOSING.sub(_escape, text)}".rstrip()]

    def _code(self, node: Mapping[str, Any], depth: int) -> list[str]:
        text, language = code_of(node), str(attrs_of(node).get("language") or "")
        fence = "`" * max(3, _longest_run(text) + 1)
        named = language if re.fullmatch(r"[^\s`]*", language) else ""
        return [fence + named, *(text.split("\n") if text else []), fence]

    def _quote(self, node: Mapping[str, Any], depth: int) -> list[str]:
        return [f"> {line}".rstrip() for line in self.blocks(children_of(node), depth + 1) or [""]]

    def _bullets(self, node: Mapping[str, Any], depth: int) -> list[str]:
        return [line for item in children_of(node) for line in self._item(item, "- ", depth)]

    def _numbers(self, node: Mapping[str, Any], depth: int) -> list[str]:
        items, order = children_of(node), attrs_of(node).get("order")
        first = order if isinstance(order, int) and 0 <= order <= NUMBER_MAX - len(items) else 1
        return [line for n, item in enumerate(items, int(first)) for line in self._item(item, f"{n}. ", depth)]

    def _item(self, node: Any, mark: str, depth: int) -> list[str]:
        box = {"DONE": "[x] ", "TODO": "[ ] "}.get(str(attrs_of(node).get("state")), "")
        content = children_of(node)
        if len(content) > 1 and kind_of(content[0]) == "paragraph" and not children_of(content[0]):
            content = content[1:]  # Markdown needs no paragraph before a list in an item
        lines = self.blocks(content, depth + 1, tight=True) or [""]
        if re.fullmatch("[- ]+", lines[0]):
            lines[0] = lines[0].replace("-", "+")  # a line of dashes alone is a rule
        rest = [(" " * len(mark) + line).rstrip() for line in lines[1:]]
        return [f"{mark}{box}{lines[0]}".rstrip(), *rest]

    def _rule(self, node: Mapping[str, Any], depth: int) -> list[str]:
        return ["---"]

    def _table(self, node: Mapping[str, Any], depth: int) -> list[str]:
        rows = [[self._cell(cell, depth) for cell in children_of(row)] for row in children_of(node)]
        width = max(map(len, rows), default=0)
        if not width:
            return []
        lines = ["| " + " | ".join([*row, *[""] * (width - len(row))]) + " |" for row in rows]
        return [lines[0], "|" + " --- |" * width, *lines[1:]]

    def _cell(self, node: Any, depth: int) -> str:
        parts = [self.inline(children_of(b) or [b]) if _flat(b) else escaped(words_of(b)) for b in children_of(node)]
        return " ".join(" ".join(parts).split("\n")).replace("|", r"\|")

    def inline(self, nodes: Sequence[Any]) -> str:
        """Texts with their marks, in as few delimiters as they need."""
        own = [_marks(node, _links_itself(nodes, index)) for index, node in enumerate(nodes)]
        parts = [(self._words(node), _carried(nodes, own, index), node) for index, node in enumerate(nodes)]
        out, stack = "", list[str]()
        for index, (words, marks, node) in enumerate(parts):
            wanted = set(marks)
            kept = next((i for i, mark in enumerate(stack) if mark not in wanted), len(stack))
            out = _closed(out, stack[kept:], self._ends)
            del stack[kept:]
            fresh = sorted(wanted - set(stack), key=lambda mark: -_lasts(parts, index, mark))
            blank = words[: len(words) - len(words.lstrip())] if fresh else ""
            out += blank + "".join(self._begins(mark) for mark in fresh)
            stack += fresh
            text = words[len(blank) :]
            out += _break(out) if kind_of(node) == "hardBreak" else text
        return _closed(out, stack, self._ends)

    @staticmethod
    def _begins(mark: str) -> str:
        return DELIMITERS.get(mark, "[")

    @staticmethod
    def _ends(mark: str) -> str:
        return DELIMITERS.get(mark, mark)

    def _words(self, node: Any) -> str:
        attrs = attrs_of(node)
        if kind_of(node) == "mention":
            name = self._names.get(str(attrs.get("id"))) or str(attrs.get("text") or attrs.get("id") or "")
            return "@" + name.removeprefix("@")
        words = words_of(node)
        if "code" in _kinds(node):
            return _code_span(words)
        return words if words and _link_target(node) == words else escaped(words)

    _PRINT: Mapping[str, Callable[["_Printer", Mapping[str, Any], int], list[str]]] = {
        "paragraph": _paragraph,
        "heading": _heading,
        "codeBlock": _code,
        "blockquote": _quote,
        "bulletList": _bullets,
        "orderedList": _numbers,
        "taskList": _bullets,
        "decisionList": _bullets,
        "rule": _rule,
        "table": _table,
    }


def escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return ENTITY.sub(r"\\&", ANYWHERE.sub(_escape, text))


def _escape(match: re.Match[str]) -> str:
    return "\\" + match[0]


def _line_starts(text: str) -> str:
    return "\n".join(LINE_START.sub(_disarmed, line) for line in text.split("\n"))


def _disarmed(match: re.Match[str]) -> str:
    space, number, point, other = match[1], match[2], match[3], match[4]
    return f"{space}{number}\\{point}" if number else f"{space}\\{other}"


def _with_paragraphs(nodes: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    """Blocks alone: texts that stand between blocks are gathered into paragraphs."""
    loose: list[Any] = []
    for node in nodes:
        if _is_inline(node):
            loose.append(node)
            continue
        if loose:
            yield {"type": "paragraph", "content": loose}
            loose = []
        if isinstance(node, dict):
            yield node
    if loose:
        yield {"type": "paragraph", "content": loose}


def _is_inline(node: Any) -> bool:
    return isinstance(node, str) or kind_of(node) in INLINE


def _flat(node: Any) -> bool:
    return all(_is_inline(child) for child in children_of(node))


def _kinds(node: Any) -> list[str]:
    marks = node.get("marks") if isinstance(node, dict) else None
    listed = marks if isinstance(marks, list) else []
    return [kind_of(mark) for mark in listed]


def _link(node: Any) -> Mapping[str, Any]:
    marks = node.get("marks") if "link" in _kinds(node) else []
    return next((attrs_of(mark) for mark in marks if kind_of(mark) == "link"), {})


def _link_target(node: Any) -> str:
    return str(_link(node).get("href") or "")


def _marks(node: Any, links_itself: bool) -> list[str]:
    """A node's marks; a link is the text that ends it."""
    own = [kind for kind in _kinds(node) if kind in DELIMITERS and "code" not in _kinds(node)]
    href = _link_target(node)
    if not href or links_itself:
        return own
    title = str(_link(node).get("title") or "")
    told = ' "' + re.sub(r'(["\\])', r"\\\1", title.replace("\n", " ")) + '"' if title else ""
    target = re.sub(r"[\s<>\\]", lambda match: f"%{ord(match[0]):02X}", href)
    return [*own, f"](<{target}>{told})" if re.search(r"[()]", target) else f"]({target}{told})"]


def _carried(nodes: Sequence[Any], marks: Sequence[list[str]], index: int) -> list[str]:
    """A node's marks; what can have none (a mention, a break, code) carries on those that surround it."""
    if not _is_bare(nodes[index]):
        return marks[index]
    before = next((marks[i] for i in range(index - 1, -1, -1) if not _is_bare(nodes[i])), [])
    after = next((marks[i] for i in range(index + 1, len(nodes)) if not _is_bare(nodes[i])), [])
    return [*marks[index], *(mark for mark in before if mark in after and mark not in marks[index])]


def _is_bare(node: Any) -> bool:
    return kind_of(node) in ("mention", "hardBreak") or "code" in _kinds(node)


def _links_itself(nodes: Sequence[Any], index: int) -> bool:
    """Whether Markdown makes this very link of an address between its neighbours."""
    assert PARSER.linkify is not None
    words = words_of(nodes[index])
    if not words or _link_target(nodes[index]) != words or "code" in _kinds(nodes[index]):
        return False
    before, after = (words_of(nodes[i]) if 0 <= i < len(nodes) else "" for i in (index - 1, index + 1))
    found = PARSER.linkify.match_at_start(words + after)
    return found is not None and found.text == words and not before[-1:].isalnum()


def _lasts(parts: Sequence[tuple[str, list[str], Any]], start: int, mark: str) -> int:
    """Over how many of the following texts a mark goes on."""
    return next((i for i in range(start, len(parts)) if mark not in parts[i][1]), len(parts)) - start


def _closed(out: str, stack: Sequence[str], ends: Callable[[str], str]) -> str:
    """Delimiters close right after a word; the space before them goes behind them."""
    if not stack:
        return out
    kept = out.rstrip()
    return kept + "".join(map(ends, reversed(stack))) + out[len(kept) :]


def _break(out: str) -> str:
    """A line break; one that a blank line would come of is written out."""
    return "\\\n" if not out or out.endswith("\n") else "\n"


def _code_span(text: str) -> str:
    ticks = "`" * (_longest_run(text) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") or (text.strip() and text[0] == text[-1] == " ") else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def _other_mark(line: str) -> str:
    return re.sub(r"^(\d+)\.(?=\s|$)", r"\1)", re.sub(r"^-(?=\s|$)", "*", line))
