"""The `/exp` grammar: a line as people type it, on phones too, to a verb with its arguments.

Knows no Slack client and no terminal; the verbs are click commands, so that help and errors are click's.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import click

from backlog.errors import BacklogError, Incomplete
from bot.flows.read_backlog import people_by_id
from bot.flows.services import Caller, Progress, Services, unseen
from bot.verbs.answer import Answer, Problem, refusal
from integrations.http import IntegrationError

QUOTES = str.maketrans({"“": '"', "”": '"', "„": '"', "«": '"', "»": '"'})
# A phone turns -- into a dash; only a dash that opens a word is an option, one inside a sentence stays.
LONG_DASH = re.compile(r"(?<!\S)[\u2014\u2013](?=[A-Za-z])")
TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"(?=\s|$)|(\S+)', re.DOTALL)
USER = re.compile(r"<@([UW][A-Z0-9]+)(?:\|([^>]*))?>")
CHANNEL = re.compile(r"<#([CG][A-Z0-9]+)(?:\|[^>]*)?>")
LINK = re.compile(r"<(?:https?|mailto):[^|>]*\|([^>]*)>|<((?:https?|mailto):[^>]*)>")
QUOTED = frozenset(' \t\n"&<>')  # a word with one of them is quoted in a line
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")  # nobody types them, and no database need hold them
ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks, whether a slow verb may be answered later instead of at once, whether the person can be asked back
    before something is done, how many rows of a list the surface shows at once (None for all), the channel where it was
    typed, empty on the command line, and where to show how far something long has come."""

    services: Services
    caller: Caller
    may_defer: bool = False
    may_ask: bool = False
    rows: int | None = None
    channel: str = ""
    progress: Progress = unseen


class Deferred(Exception):
    """The verb is slow and may be answered later: hand the line to the queue."""


class Verb(click.Command):
    """A verb. `slow` ones go over the network, so a surface that must answer at once defers them; one that only
    `reads` may be asked again."""

    def __init__(self, *args: Any, slow: bool = False, reads: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.slow, self.reads = slow, reads

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb, or refuse to run it now."""
        request = ctx.find_object(Request)
        if self.slow and request is not None and request.may_defer:
            raise Deferred
        return super().invoke(ctx)


class Verbs(click.Group):
    """A family of verbs; an unknown one is answered with the nearest."""

    command_class = Verb

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str, click.Command, list[str]]:
        """The verb in any case. Raises click.UsageError naming the nearest."""
        word = args[0].lower().removeprefix("--")
        if word in self.commands:
            return word, self.commands[word], args[1:]
        near = get_close_matches(word, self.commands, n=1)
        hint = f'Did you mean "{near[0]}"?' if near else "See /exp help."
        raise click.UsageError(f'There is no verb "{args[0][:40]}". {hint}', ctx)


Verbs.group_class = Verbs


@click.group(cls=Verbs, name="/exp", add_help_option=False)
def exp() -> None:
    """Experiments without sprints: one line each."""


# The menu follows the work; a verb not named here comes last.
BY_TASK = (
    "new", "frame", "edit", "link", "start", "note", "checkpoint", "hill", "block", "unblock", "park", "move",
    "outcome", "decide", "extend", "undo", "list", "mine", "show", "find", "goal", "deployed", "metric", "compare",
    "watch", "unwatch", "report", "schedule", "risk", "forecast", "health", "policy", "subscribe", "unsubscribe",
    "snooze", "settings", "sync", "reassign", "unlink", "doctor", "outbox",
)  # fmt: skip


def _task(verb: str) -> int:
    return BY_TASK.index(verb) if verb in BY_TASK else len(BY_TASK)


def menu() -> Answer:
    """All verbs by what one wants to do."""
    facts = tuple((name, exp.commands[name].get_short_help_str(limit=80)) for name in sorted(exp.commands, key=_task))
    more = ("/exp VERB --help tells more about one.",)
    return Answer("What would you like to do?", facts=facts, more=more, offers=TASKS)


# What the menu offers at a click.
TASKS = (
    ("New experiment", "new"), ("My experiments", "mine"), ("All experiments", "list"), ("Checkpoint", "checkpoint"),
    ("Outcome", "outcome"), ("Decide", "decide"), ("New goal", "goal add"), ("Goals", "goal show"),
    ("New metric", "metric add"), ("Preview the report", "report preview"), ("Schedule a report", "schedule add"),
)  # fmt: skip


@exp.command("help", reads=True)
def help_() -> Answer:
    """This menu."""
    return menu()


def split_line(line: str) -> list[str]:
    """The words of a line. Curly quotes, long dashes and Slack's `<@U1|ana>` are read as they were meant; a quote
    inside a word ("it's") is a letter."""
    text = without_controls(line)
    text = LINK.sub(lambda match: match[1] or match[2], text)
    text = CHANNEL.sub(lambda match: f"#{match[1]}", text)
    text = USER.sub(lambda match: f"@{match[1]}", text)
    text = LONG_DASH.sub("--", text.translate(QUOTES))
    for entity, char in ENTITIES:
        text = text.replace(entity, char)
    return [match[2] if match[1] is None else match[1].replace('\\"', '"') for match in TOKEN.finditer(text)]


def join_words(words: Sequence[str]) -> str:
    """The line that `split_line` reads as these words."""
    return " ".join(word if word and QUOTED.isdisjoint(word) else _quoted(word) for word in words)


def _quoted(word: str) -> str:
    for entity, char in reversed(ENTITIES):
        word = word.replace(char, entity)
    return '"' + word.replace('"', '\\"') + '"'


def without_controls(text: str) -> str:
    """The text with a space for every control character but line breaks and tabs."""
    return CONTROL.sub(" ", text)


def find_verb(words: Sequence[str]) -> tuple[str, Verb, list[str]] | None:
    """The verb's full name ("goal add"), the verb and the words after it; None where there is no such verb."""
    found: click.Command = exp
    path, rest = [], list(words)
    context = click.Context(exp)
    while isinstance(found, Verbs) and rest:
        try:
            name, found, rest = found.resolve_command(context, rest)
        except click.UsageError:
            return None
        path.append(name)
    return (" ".join(path), found, rest) if isinstance(found, Verb) else None


def next_words(words: Sequence[str]) -> list[tuple[str, str]]:
    """What may come after these words, each with what it is for: the verbs of a family, or the options of a verb."""
    found: click.Command = exp
    for word in words:
        found = found.commands.get(word.lower(), found) if isinstance(found, Verbs) else found
    if isinstance(found, Verbs):
        return [(name, verb.get_short_help_str(limit=80)) for name, verb in sorted(found.commands.items())]
    options = [param for param in found.params if isinstance(param, click.Option)]
    return [(option.opts[-1], option.help or "") for option in options]


def typed_so_far(words: Sequence[str]) -> dict[str, Any]:
    """What a line gives a verb, by parameter; what is missing or cannot be read is left out."""
    found = find_verb(words)
    if found is None:
        return {}
    name, verb, rest = found
    context = verb.make_context(name, rest, token_normalize_func=str.lower, resilient_parsing=True)
    return {param: value for param, value in context.params.items() if value not in (None, "", ())}


def answer(words: Sequence[str], request: Request) -> Answer:
    """What the line does, said. Raises Deferred for a slow verb that may be answered later, and AlreadyDone for a
    delivery that was handled before; everything a person can mend comes back as a refusal with its remedy."""
    # A phone begins a word with a capital: options and choices are read in any case.
    context = click.Context(exp, info_name="/exp", obj=request, token_normalize_func=str.lower)
    try:
        name, verb, rest = exp.resolve_command(context, list(words) or ["help"])
        with verb.make_context(name, rest, parent=context) as inner:
            said: Answer = verb.invoke(inner)
            return said
    except click.exceptions.Exit:
        return Answer("")
    except HelpAsked as asked:
        return Answer(asked.usage)
    except click.BadParameter as error:
        lacks = isinstance(error, click.MissingParameter)
        about = error.param.name if error.param else None
        return refusal(error.format_message(), _usage_of(error), "incomplete" if lacks else "wrong use", about or "")
    except click.ClickException as error:
        return refusal(error.format_message(), _usage_of(error), "wrong use")
    except BacklogError as error:
        problem: Problem = "incomplete" if isinstance(error, Incomplete) else "refused"
        return refusal(_with_names(error.what, request), error.remedy, problem)
    except IntegrationError as error:
        return refusal(f"{error.service}: {error.what}", error.remedy)


def help_for(words: Sequence[str]) -> Answer | None:
    """What a line that only asks for help is answered with; it needs no services. None for any other line."""
    if not words or words[0].lower() == "help":
        return menu()
    found: click.Command = exp
    context, rest = click.Context(exp, info_name="/exp"), list(words)
    try:
        while rest and isinstance(found, Verbs):
            name, found, rest = found.resolve_command(context, rest)
            context = found.make_context(name, list(rest), parent=context)
    except HelpAsked as asked:
        return Answer(asked.usage)
    except click.ClickException:
        return None
    return None


def _with_names(what: str, request: Request) -> str:
    """The domain knows people by their ids; a person reads names."""
    names = people_by_id(request.services)
    return re.sub(r"\b\w+\b", lambda match: names.get(match[0], match[0]), what)


class HelpAsked(Exception):
    """`--help` was typed; click would print it, a surface answers it."""

    def __init__(self, usage: str) -> None:
        super().__init__(usage)
        self.usage = usage


def _help(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        raise HelpAsked(ctx.get_help())


def help_option(verb: click.Command) -> None:
    """Give a verb and all below it a `--help` that answers instead of printing."""
    verb.add_help_option = False
    option = click.Option(
        ["--help"], is_flag=True, is_eager=True, expose_value=False, callback=_help, help="Show this."
    )
    verb.params.append(option)
    for below in getattr(verb, "commands", {}).values():
        help_option(below)


def _usage_of(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return context.get_usage() if context is not None and context.parent is not None else ""
