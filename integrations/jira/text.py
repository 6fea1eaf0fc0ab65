"""Plain text for Jira: a document on Cloud, wiki text with its markup disarmed on Data Center."""

import re
from typing import Any

WIKI = re.compile(r"([{}\[\]*_^~+?!|\\#-])")


def to_document(text: str) -> dict[str, Any]:
    """An Atlassian document with one paragraph a line; the text stays text, whatever it looks like."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return {"type": "doc", "version": 1, "content": [_paragraph(line) for line in lines]}


def _paragraph(line: str) -> dict[str, Any]:
    return {"type": "paragraph", "content": [{"type": "text", "text": line}] if line else []}


def to_wiki(text: str) -> str:
    """Wiki text that shows exactly these characters."""
    return WIKI.sub(r"\\\1", text.replace("\r\n", "\n").replace("\r", "\n"))
