"""An Answer for a terminal: plain text, or JSON for scripts."""

import json

from bot.printable import printable, printable_json
from bot.verbs import Answer


def to_text(answer: Answer) -> str:
    """The answer as lines of text."""
    if answer.message is not None:
        return printable("\n".join(answer.more))
    width = max((len(name) for name, _ in answer.facts), default=0)
    parts = [
        answer.text,
        *(f"  {name.ljust(width)}  {value}" for name, value in answer.facts),
        answer.table.aligned() if answer.table else "",
        *answer.more,
    ]
    return printable("\n".join(part for part in parts if part))


def to_json(answer: Answer) -> str:
    """The answer's data, or the refusal, as JSON."""
    if answer.problem:
        return _document({"error": answer.text, "remedy": "\n".join(answer.more)})
    return _document(answer.data)


def _document(data: object) -> str:
    return printable_json(json.dumps(data, ensure_ascii=False, default=str))
