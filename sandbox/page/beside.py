"""What the page shows and does besides the stand-ins; it comes from whoever serves the page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

Pair = tuple[str, str]  # a value and the words for it


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a command, such as `--goal`, with the values it takes where they are known."""

    flag: str
    about: str = ""
    choices: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Command:
    """What can be typed after the slash command, such as `goal add`."""

    name: str
    about: str = ""
    options: Sequence[Option] = ()


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A shortcut of the app: global, or on a message."""

    callback_id: str
    name: str
    on_message: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step that a visitor may follow: what it is, and the line that does it or the fields of the workbench."""

    about: str
    line: str = ""
    bench: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Field:
    """A choice at the workbench."""

    name: str
    label: str
    options: Sequence[Pair]


@dataclass(frozen=True, slots=True)
class Workbench:
    """A form beside the conversation. `run` does something with the chosen values and tells what came of it, and raises
    ValueError in words for a person; `done` lists what was done before, newest first."""

    name: str
    about: str
    button: str
    fields: Callable[[], Sequence[Field]]
    run: Callable[[Mapping[str, str]], str]
    done: Callable[[], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Beside:
    """All of it. `documents` are (id, title), `read` gives one as HTML; `words` are what a command's words may be;
    `forward` moves the clock that everything runs by."""

    command: str
    commands: Sequence[Command]
    shortcuts: Sequence[Shortcut]
    steps: Sequence[Step]
    words: Callable[[], Sequence[Pair]]
    documents: Callable[[], Sequence[Pair]]
    read: Callable[[str], str]
    forward: Callable[[timedelta], None]
    bench: Workbench
