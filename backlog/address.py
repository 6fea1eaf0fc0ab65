"""E-mail addresses, as far as a plan must know them."""

import re

from backlog.errors import BacklogError

# What mail servers take in practice; a comment, a quoted part or a line break never gets into a header.
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?=.{1,190}\Z)[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


def check_address(text: str) -> str:
    """The address, its domain in lower case. Raises BacklogError for anything that is none."""
    if not ADDRESS.fullmatch(text.strip()):
        raise BacklogError(f'"{text[:60]}" is no e-mail address.', 'Write it as "ana@example.com".')
    person, _, domain = text.strip().rpartition("@")
    return f"{person}@{domain.lower()}"
