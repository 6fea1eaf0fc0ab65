"""Text from anywhere, as a terminal may show it."""

import re

# What moves a cursor, changes colours, writes titles or turns the direction of writing; lines and tabs may stay.
ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """The text with every character that acts on a terminal written out, for it may come from anybody."""
    return ACTING.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def printable_json(written: str) -> str:
    """A JSON document whose words stay what they are, with those characters as JSON's escapes."""
    return ACTING.sub(lambda match: f"\\u{ord(match[0]):04x}", written)
