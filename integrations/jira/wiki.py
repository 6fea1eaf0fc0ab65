"""Rich text for Data Center: a document as wiki text, text that wiki shows as it is, and wiki text as Markdown.

What may be escaped, and how, is what Atlassian's renderer takes (BackslashEscapeRendererComponent of
atlassian-renderer); a backslash itself and what it does not take are written as entities, which it leaves alone.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from integrations.jira.adf import attrs_of, children_of, code_of, kind_of, own_words, words_of

DEPTH = 30  # levels that are shown as levels
MARKS = {"strong": "*", "em": "_", "strike": "-", "underline": "+"}
LANGUAGES = {
    "bash", "c", "cpp", "css", "diff", "go", "html", "java", "javascript", "json", "kotlin", "python", "r", "ruby",
    "rust", "scala", "sh", "sql", "swift", "typescript", "xml", "yaml",
}  # fmt: skip
ENTITY = re.compile(r"&(?=#?\w{1,32};)")
# Phrase marks count at the edge of a word alone, emoticons in brackets alone; what needs no escape stays readable.
BETWEEN_WORDS = r"(?<!\w){0}|{0}(?!\w)"
SPECIAL = re.compile(
    "|".join(
        [
            r"[{}\[\]|*]",
            *(BETWEEN_WORDS.format(re.escape(mark)) for mark in "_^~+-"),
            r"\?(?=\?)|(?<=\?)\?|!(?=\S)|@(?=@)",
            r"\((?=[\w/!?*+-]{1,5}\))|(?<=[:;])[()]",
        ]
    )
)
FACE = re.compile(r"[:;](?=[PDp])")
UNLINKABLE = re.compile(r"[|\[\]{}^~!*]|[^!-~]")  # what would end an address within wiki text
LINE_START = re.compile(r"^(\s*)(?:([#])|(h[1-6]|bq)\.(?=\s))")


def escaped(text: str) -> str:
    """Text that Data Center shows as it is, whatever it looks like."""
    said = ENTITY.sub("&amp;", text.replace("\r\n", "\n").replace("\r", "\n"))
    words = [SPECIAL.sub(r"\\\g<0>", word) for word in said.split("\\")]
    shown = FACE.sub(lambda match: f"&#{ord(match[0])};", "&#92;".join(words))
    return "\n".join(LINE_START.sub(_disarmed, line) for line in shown.split("\n"))


def _disarmed(match: re.Match[str]) -> str:
    space, number, heading = match.groups()
    return f"{space}\\{number}" if number else f"{space}{heading}&#46;"


def to_wiki(document: Any) -> str:
    """A document as wiki text; a plain text is handed back. A node that has no wiki form becomes its words."""
    if isinstance(document, str):
        return document
    return "\n\n".join(part for node in children_of(document) if (part := _block(node, 0)))


def _block(node: Any, depth: int) -> str:
    if depth > DEPTH:
        return escaped(words_of(node))
    kind = kind_of(node)
    if kind in BLOCKS:
        return BLOCKS[kind](node, depth)
    inner = "\n".join(_block(child, depth + 1) for child in children_of(node))
    return inner or escaped(own_words(node))


def _paragraph(node: Any, depth: int) -> str:
    return _inline(children_of(node))


def _heading(node: Any, depth: int) -> str:
    level = attrs_of(node).get("level")
    return f"h{level if level in range(1, 7) else 1}. {_inline(children_of(node))}"


def _code(node: Any, depth: int) -> str:
    text, language = code_of(node), str(attrs_of(node).get("language") or "").lower()
    macro = next((macro for macro in ("code", "noformat") if "{" + macro not in text), "")
    if not macro:
        return escaped(text)  # nothing can be escaped inside either macro
    named = f":{language}" if macro == "code" and language in LANGUAGES else ""
    return f"{{{macro}{named}}}\n{text}\n{{{macro}}}"


def _quote(node: Any, depth: int) -> str:
    inner = "\n\n".join(_block(child, depth + 1) for child in children_of(node))
    return f"{{quote}}\n{inner}\n{{quote}}"


def _list(node: Any, depth: int, above: str = "") -> str:
    mark = above + ("#" if kind_of(node) == "orderedList" else "*")
    return "\n".join(_item(item, depth, mark) for item in children_of(node))


def _item(item: Any, depth: int, mark: str) -> str:
    lines = [f"{mark} "]
    for child in children_of(item):
        if kind_of(child) in ("bulletList", "orderedList") and depth < DEPTH:
            lines.append(_list(child, depth + 1, mark))
        elif len(lines) == 1 and lines[0] == f"{mark} ":
            lines[0] += _block(child, depth + 1)
        else:
            lines.append(_block(child, depth + 1))
    return "\n".join(lines)


def _table(node: Any, depth: int) -> str:
    return "\n".join(_row(row) for row in children_of(node))


def _row(row: Any) -> str:
    line = ""
    for cell in children_of(row):
        bar = "||" if kind_of(cell) == "tableHeader" else "|"
        words = " ".join(_inline(children_of(part) or [part]) for part in children_of(cell))
        line += bar + (words.replace("\n", r" \\ ") or " ")
        last = bar
    return line + last if line else ""


BLOCKS: Mapping[str, Callable[[Any, int], str]] = {
    "paragraph": _paragraph,
    "heading": _heading,
    "codeBlock": _code,
    "blockquote": _quote,
    "bulletList": _list,
    "orderedList": _list,
    "rule": lambda node, depth: "----",
    "table": _table,
}


def _inline(nodes: Sequence[Any]) -> str:
    words = [words_of(node) for node in nodes]
    parts = [
        _phrase(node, words[index - 1][-1:] if index else "", words[index + 1][:1] if index + 1 < len(words) else "")
        for index, node in enumerate(nodes)
    ]
    return "\n".join(LINE_START.sub(_disarmed, line) for line in "".join(parts).split("\n"))


def _phrase(node: Any, before: str, after: str) -> str:
    """A text with its marks; within a word they stand in braces."""
    if kind_of(node) == "mention":
        return f"[~{attrs_of(node).get('id') or ''}]"
    words = words_of(node)
    listed = node.get("marks") if isinstance(node, dict) else None
    marks = {kind_of(mark): mark for mark in listed} if isinstance(listed, list) else {}
    kept = words.strip()
    if not kept:
        return words
    lead, trail = words[: len(words) - len(words.lstrip())], words[len(words.rstrip()) :]
    text = "{{" + escaped(kept) + "}}" if "code" in marks else escaped(kept)
    inside = (not lead and before.isalnum()) or (not trail and after.isalnum())
    for sign in (sign for name, sign in MARKS.items() if name in marks and "code" not in marks):
        text = f"{{{sign}}}{text}{{{sign}}}" if inside else f"{sign}{text}{sign}"
    target = str(attrs_of(marks.get("link")).get("href") or "")
    if target:
        plain = target == kept and not inside and not UNLINKABLE.search(target)
        text = target if plain else _link(text, target)
    return lead + text + trail


def _link(text: str, target: str) -> str:
    return f"[{text}|{UNLINKABLE.sub(_percent, target)}]"


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "replace"))


# Wiki text as people wrote it, for reading: the common marks, one pass each and in linear time.
READ: Sequence[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = (
    (re.compile(r"^([*#-]{1,9}) +", re.M), lambda match: "  " * (len(match[1]) - 1) + _bullet(match[1])),
    (re.compile(r"^h([1-6])\. +", re.M), lambda match: "#" * int(match[1]) + " "),
    (re.compile(r"^bq\. +", re.M), "> "),
    (re.compile(r"\{\{([^{}\n]+)\}\}"), r"`\1`"),
    (re.compile(r"\[~([^\]|\n]+)\]"), r"@\1"),
    (re.compile(r"\[([^\]|\n\[]+)\|([^\]|\n\s]+)[^\]\n]*\]"), r"[\1](\2)"),
    (re.compile(r"\[((?:https?|mailto):[^\]|\n\s]+)\]"), r"\1"),
    (re.compile(r"\{\*\}([^{}\n]+)\{\*\}|(?<![\w*])\*(?=\S)([^*\n]+)(?<=\S)\*(?![\w*])"), r"**\1\2**"),
    (re.compile(r"\{([_+^~-])\}"), r"\1"),
    (re.compile(r"\{(?:quote|panel|color)[^}\n]*\}"), ""),
)
VERBATIM = re.compile(r"\{(code|noformat)(?::([^}\n]*))?\}\n?")
ESCAPED = re.compile(r"\\([-#*_+?^~|%{}\[\]()!@])")
CODES = re.compile(r"&#(\d{1,6});")
ASIDE = 0xE000  # a private character stands for an escaped one while marks are looked for
SET_ASIDE = re.compile("[\ue021-\ue07e]")


def from_wiki(text: str) -> str:
    """Wiki text as Markdown, for people to read; what is not understood stays as it is."""
    parts, end = list[str](), 0
    for start in VERBATIM.finditer(text):
        if start.start() < end:
            continue  # within the last one
        closing = text.find("{" + start[1] + "}", start.end())
        if closing < 0:
            break
        language = next((word for word in (start[2] or "").split("|") if "=" not in word), "")
        body = text[start.end() : closing].strip("\n")
        parts += [_read(text[end : start.start()]), f"```{language}\n{body}\n```"]
        end = closing + len(start[1]) + 2
    return "".join([*parts, _read(text[end:])])


def _read(text: str) -> str:
    text = ESCAPED.sub(lambda match: chr(ASIDE + ord(match[1])), text)
    for found, shown in READ:
        text = found.sub(shown, text)
    restored = CODES.sub(_char, SET_ASIDE.sub(lambda match: chr(ord(match[0]) - ASIDE), text))
    return restored.replace("&amp;", "&")


def _char(match: re.Match[str]) -> str:
    code = int(match[1])
    return chr(code) if 32 <= code < 0xD800 or 0xE000 <= code < 0x110000 else match[0]


def _bullet(mark: str) -> str:
    return "1. " if mark.endswith("#") else "- "
