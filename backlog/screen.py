"""What a screen of Jira's workflow asks for on the way to a status, and what a person answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from backlog.errors import BacklogError, Incomplete

Form = Literal["option", "options", "text", "document", "number", "none"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A field that a screen requires: what people call it, the form of its value in Jira ("none" for one that is not
    given from here), and what may be chosen, each with its id; nothing where any text will do."""

    name: str
    form: Form = "text"
    choices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Screen:
    """The fields that the way to a status asks for and nobody has configured, by id."""

    status: str
    asked: Mapping[str, Asked]

    def read(self, given: Mapping[str, str]) -> dict[str, str]:
        """The answers by the fields' ids, `given` by id or name. Raises BacklogError for a field that is not asked for
        and a value that cannot be chosen, Incomplete while one lacks."""
        answers = dict(self._read(name, text) for name, text in given.items())
        lacking = [asked for id_, asked in self.asked.items() if not answers.get(id_)]
        for asked in lacking:
            if asked.form == "none":
                raise _not_from_here(asked)
        if lacking:
            what = f'The way to "{self.status}" asks for {", ".join(map(_with_choices, lacking))}.'
            raise Incomplete(what, f'Such as "{lacking[0].name}=…".')
        return answers

    def _read(self, name: str, text: str) -> tuple[str, str]:
        found = ((id_, asked) for id_, asked in self.asked.items() if name.casefold() in (id_, asked.name.casefold()))
        id_, asked = next(found, ("", None))
        if asked is None:
            known = ", ".join(asked.name for asked in self.asked.values())
            raise BacklogError(f'The way to "{self.status}" does not ask for "{name[:40]}".', f"It asks for {known}.")
        return id_, _value_of(asked, text.strip())


def _value_of(asked: Asked, text: str) -> str:
    if asked.form == "none":
        raise _not_from_here(asked)
    if asked.choices:
        chosen = next((choice for choice in asked.choices if choice.casefold() == text.casefold()), None)
        if chosen is None and text:
            raise BacklogError(f'{asked.name} cannot be "{text[:40]}".', f"One of {', '.join(asked.choices)}.")
        return chosen or ""
    if asked.form == "number" and text:
        try:
            float(text)
        except ValueError:
            raise BacklogError(f'{asked.name} is a number, and "{text[:40]}" is none.', "Such as 3.5") from None
    return text


def _not_from_here(asked: Asked) -> BacklogError:
    return BacklogError(f"{asked.name} is not given from here.", "Make this move in Jira, or take it off the screen.")


def _with_choices(asked: Asked) -> str:
    return f"{asked.name} ({', '.join(asked.choices)})" if asked.choices else asked.name
