"""Markdown as an Atlassian document, Cloud's form of rich text, and the plain words of any document.

What people type is CommonMark with tables and strikethrough, where each line break counts, as it does in a chat. HTML,
images, link definitions and code by indentation are left as the text they are: nothing that was typed disappears.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from re import compile as pattern
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

Json = dict[str, Any]
DEEPEST = 60  # levels of Markdown that are read as such; what lies deeper is kept as text
MENTION = pattern(r"(?<![\w@])@([\w][\w.-]*[\w]|[\w])")
UNSAYABLE = pattern(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")  # no JSON or XML reader is bound to take them
LINKED = ("http://", "https://", "mailto:")
MARKS: Final = {"strong": "strong", "em": "em", "s": "strike"}


def _open_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "linkify": True, "maxNesting": DEEPEST})
    parser.enable(["table", "strikethrough", "linkify"])
    parser.disable(["image", "reference", "lheading", "code"])
    assert parser.linkify is not None
    parser.linkify.set({"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})
    parser.validateLink = lambda url: url.casefold().startswith(LINKED)  # type: ignore[method-assign]
    return parser


PARSER: Final = _open_parser()


def to_document(text: str, accounts: Mapping[str, str] | None = None) -> Json:
    """Markdown as a document. `accounts` tells the account behind a name in small letters: `@ana` becomes a mention of
    it; other names stay text."""
    typed = UNSAYABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    tokens = PARSER.parse(typed)
    if any(token.level >= DEEPEST - 2 for token in tokens):
        return plain_document(typed)  # the parser drops what is nested deeper still
    content = list(_Reader(accounts or {}).blocks(SyntaxTreeNode(tokens).children, "doc"))
    return {"type": "doc", "version": 1, "content": content or [_paragraph([])]}


def plain_document(text: str) -> Json:
    """A document that shows exactly this text, one paragraph a line."""
    return {"type": "doc", "version": 1, "content": [_paragraph(_text(line)) for line in text.split("\n")]}


def _paragraph(content: Sequence[Json]) -> Json:
    return {"type": "paragraph", "content": list(content)}


def _text(text: str, marks: Sequence[Json] = ()) -> list[Json]:
    node = {"type": "text", "text": text}
    return [node | ({"marks": list(marks)} if marks else {})] if text else []


class _Reader:
    """Blocks of Markdown as nodes. `where` they stand decides what they may be: Atlassian's schema has no heading in a
    list and no table in a quote, and refuses the whole comment for it."""

    def __init__(self, accounts: Mapping[str, str]) -> None:
        self._accounts = accounts

    def blocks(self, nodes: Iterable[SyntaxTreeNode], where: str) -> Iterator[Json]:
        for node in nodes:
            yield from self._READ[node.type](self, node, where)

    def _paragraph(self, node: SyntaxTreeNode, where: str) -> Iterator[Json]:
        yield _paragraph(self._inline(node))

    def _heading(self, node: SyntaxTreeNode, where: str) -> Iterator[Json]:
        if where == "doc":
            yield {"type": "heading", "attrs": {"level": int(node.tag[1:])}, "content": self._inline(node)}
        else:
            words = self._inline(node)
            plain = [word["type"] for word in words] == ["text"] and "marks" not in words[0]
            if words:
                yield _paragraph(_text(words[0]["text"], [{"type": "strong"}]) if plain else words)

    def _list(self, node: SyntaxTreeNode, where: str) -> Iterator[Json]:
        items = [self._item(item) for item in node.children]
        if node.type == "bullet_list":
            yield {"type": "bulletList", "content": items}
        else:
            yield {"type": "orderedList", "attrs": {"order": int(node.attrGet("start") or 1)}, "content": items}

    def _item(self, node: SyntaxTreeNode) -> Json:
        content = list(self.blocks(node.children, "item"))
        if not content or content[0]["type"] not in ("paragraph", "codeBlock"):
            content.insert(0, _paragraph([]))
        return {"type": "listItem", "content": content}

    def _quote(self, node: SyntaxTreeNode, where: str) -> Iterator[Json]:
        content = list(self.blocks(node.children, "quote" if where == "doc" else where))
        if where != "doc":
            yield from content
        else:
            yield {"type": "blockquote", "content": content or [_paragraph([])]}

    def _code(self, node: SyntaxTreeNode, where: str) -> Iterator[Json]:
        language = node.info.split()[0] if node.info.split() else ""
        attrs = {"attrs": {"language": language}} if language else {}
        yield {"type": "codeBlock", **attrs, "content": _text(node.content.removesuffix("\n"))}

    def _rule(self, node: SyntaxTreeNode, where: str) -> Iterator[Json]:
        yield {"type": "rule"} if where == "doc" else _paragraph(_text(node.markup))

    def _table(self, node: SyntaxTreeNode, where: str) -> Iterator[Json]:
        rows = [row for part in node.children for row in part.children]
        if where == "doc":
            yield {"type": "table", "content": [{"type": "tableRow", "content": self._cells(row)} for row in rows]}
            return
        for row in rows:
            cells = [cell for cell in map(self._inline, row.children) if cell]
            parts = [[*_text(" | " if index else ""), *cell] for index, cell in enumerate(cells)]
            if parts:
                yield _paragraph(list(_joined(node for part in parts for node in part)))

    def _cells(self, row: SyntaxTreeNode) -> list[Json]:
        kinds = {"th": "tableHeader", "td": "tableCell"}
        return [
            {"type": kinds[cell.type], "attrs": {}, "content": [_paragraph(self._inline(cell))]}
            for cell in row.children
        ]

    def _inline(self, node: SyntaxTreeNode) -> list[Json]:
        tokens = [token for child in node.children for token in (child.token and child.token.children) or ()]
        return list(_joined(self._nodes(tokens)))

    def _nodes(self, tokens: Sequence[Token]) -> Iterator[Json]:
        marks: list[Json] = []
        for token in tokens:
            kind, _, edge = token.type.rpartition("_")
            if token.type in ("softbreak", "hardbreak"):
                yield {"type": "hardBreak"}
            elif token.type == "code_inline":
                yield from _text(token.content, [mark for mark in marks if mark["type"] == "link"] + [{"type": "code"}])
            elif edge == "open":
                marks.append(_link(token) if kind == "link" else {"type": MARKS[kind]})
            elif edge == "close":
                marks.pop()
            else:
                yield from self._words(token.content, marks)

    def _words(self, text: str, marks: Sequence[Json]) -> Iterator[Json]:
        end = 0
        linked = any(mark["type"] == "link" for mark in marks)
        for match in () if linked else MENTION.finditer(text):
            account = self._accounts.get(match[1].casefold())
            if account:
                yield from _text(text[end : match.start()], _once(marks))
                yield {"type": "mention", "attrs": {"id": account, "text": f"@{match[1]}"}}
                end = match.end()
        yield from _text(text[end:], _once(marks))

    _READ: Mapping[str, Callable[["_Reader", SyntaxTreeNode, str], Iterator[Json]]] = {
        "paragraph": _paragraph,
        "heading": _heading,
        "bullet_list": _list,
        "ordered_list": _list,
        "blockquote": _quote,
        "fence": _code,
        "hr": _rule,
        "table": _table,
    }


def _link(token: Token) -> Json:
    title = str(token.attrGet("title") or "")
    return {"type": "link", "attrs": {"href": str(token.attrGet("href")), **({"title": title} if title else {})}}


def _once(marks: Sequence[Json]) -> list[Json]:
    """Bold within bold is bold: the schema takes each mark once. In one order, so that equal texts are equal."""
    return [mark for _, mark in sorted({mark["type"]: mark for mark in marks}.items())]


def _joined(nodes: Iterable[Json]) -> Iterator[Json]:
    """Neighbours of the same marks as one text."""
    before: Json | None = None
    for node in nodes:
        if before and before["type"] == node["type"] == "text" and before.get("marks") == node.get("marks"):
            before = {**before, "text": before["text"] + node["text"]}
            continue
        if before:
            yield before
        before = node
    if before:
        yield before


# Any document, as Jira or a program of others wrote it: every part may be missing or of another type.


def kind_of(node: Any) -> str:
    """A node's type; empty for what is no node."""
    return str(node.get("type")) if isinstance(node, dict) else ""


def attrs_of(node: Any) -> Mapping[str, Any]:
    """A node's attributes; empty where there are none."""
    attrs = node.get("attrs") if isinstance(node, dict) else None
    return attrs if isinstance(attrs, dict) else {}


def children_of(node: Any) -> list[Any]:
    """What a node contains; empty where it contains nothing."""
    content = node.get("content") if isinstance(node, dict) else None
    return content if isinstance(content, list) else []


def own_words(node: Any) -> str:
    """What a node without content shows: a text, an emoji, a date, the name of a card or a file."""
    if isinstance(node, str):
        return node
    if not isinstance(node, dict):
        return ""
    attrs = attrs_of(node)
    if isinstance(node.get("text"), str):
        return str(node["text"])
    if kind_of(node) == "hardBreak":
        return "\n"
    if kind_of(node) == "date":
        return _day(attrs.get("timestamp"))
    named = (attrs.get(name) for name in ("text", "shortName", "url", "alt", "title", "id"))
    return next((name for name in named if isinstance(name, str) and name), "")


def _day(timestamp: Any) -> str:
    try:
        return datetime.fromtimestamp(int(timestamp) / 1000, UTC).date().isoformat()
    except (ValueError, TypeError, OverflowError, OSError):
        return ""


def words_of(document: Any) -> str:
    """All words of a document in their order, however deep it is nested; a block ends its line."""
    words, waiting = list[str](), [document]
    while waiting:
        node = waiting.pop()
        children = children_of(node)
        if children:
            waiting.extend(["\n" if _ends_line(node) else "", *reversed(children)])
        else:
            words.append(own_words(node))
    return "".join(words).strip("\n")


def code_of(node: Any) -> str:
    """The text of a code block, with every line of it."""
    return "".join(words_of(child) if children_of(child) else own_words(child) for child in children_of(node))


def _ends_line(node: Any) -> bool:
    return kind_of(node) in ("paragraph", "heading", "codeBlock", "tableRow", "taskItem", "decisionItem")
