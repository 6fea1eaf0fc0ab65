"""The bot's own block in an issue's description; every other part of it is handed back as it was.

On Cloud the block is an expandable part of the document, on Data Center a panel between two lines.
"""

from collections.abc import Sequence
from typing import Any

from integrations.jira.adf import to_document
from integrations.jira.wiki import to_wiki

TITLE = "scrumbut "  # and the experiment's key
BEGIN, END = "{{panel:title={title}}}\n", "\n{panel}"


def in_document(document: Any, key: str, lines: Sequence[str]) -> dict[str, Any]:
    """The document with the block of that experiment at its end, or where it was before."""
    known: dict[str, Any] = document if isinstance(document, dict) else {"type": "doc", "version": 1, "content": []}
    content = list(known.get("content") or [])
    title = TITLE + key
    block = {
        "type": "expand",
        "attrs": {"title": title},
        "content": [node for line in lines for node in to_document(line)["content"]],
    }
    own = [index for index, node in enumerate(content) if _title(node) == title]
    if own:
        content[own[0]] = block
    else:
        content.append(block)
    return {**known, "content": content}


def _title(node: Any) -> str:
    return str((node.get("attrs") or {}).get("title", "")) if node.get("type") == "expand" else ""


def in_wiki(text: str | None, key: str, lines: Sequence[str]) -> str:
    """The text with the block of that experiment at its end, or where it was before."""
    known = text or ""
    begin = BEGIN.format(title=TITLE + key)
    block = begin + "\n".join(to_wiki(to_document(line)) for line in lines) + END
    start = known.find(begin)
    end = known.find(END, start) if start >= 0 else -1
    if end >= 0:
        return known[:start] + block + known[end + len(END) :]
    return known + ("\n\n" if known else "") + block
