"""The `/exp` grammar: a line as people type it, on phones too, to a verb with its arguments.

Knows no Slack client and no terminal; the verbs are click commands, so that help and errors are click's.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import click

from backlog.errors import BacklogError, GateClosed, Incomplete
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
REMEDY = re.compile(r"/exp ((?:goal )?[a-z]+) (EXP-\d+|[a-z0-9-]+)(?= |$)")  # a verb and what it is about
OPENERS = 4  # buttons under what a gate misses
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
    """A family of verbs; an unknown one is answered with the nearest, none with what there is. `offers` are the lines
    that a menu has buttons for, each with its label."""

    command_class = Verb

    def __init__(self, *args: Any, offers: Sequence[tuple[str, str]] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offers = tuple(offers)

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


# The menu follows the work; a verb not named here comes last, under what runs the bot.
BY_TASK = {
    "plan": ("new", "frame", "edit", "link", "goal", "metric"),
    "work": ("start", "note", "checkpoint", "hill", "block", "unblock", "park", "move"),
    "answer": ("outcome", "decide", "extend", "undo"),
    "look": ("list", "mine", "show", "find", "compare", "forecast"),
    "tell": ("report", "schedule", "health", "risk", "policy"),
    "hear": ("subscribe", "unsubscribe", "watch", "unwatch", "snooze", "settings"),
    "run": ("sync", "deployed", "reassign", "unlink", "doctor", "outbox", "help"),
}
# What the menu offers at a click.
TASKS = (
    ("New experiment", "new"), ("My experiments", "mine"), ("All experiments", "list"), ("Checkpoint", "checkpoint"),
    ("Outcome", "outcome"), ("Decide", "decide"), ("Goals", "goal"), ("Metrics", "metric"), ("Risks", "risk"),
    ("Reports", "report"), ("Schedules", "schedule"), ("Follow", "subscribe"), ("Settings", "settings"),
)  # fmt: skip


def menu() -> Answer:
    """All verbs by what one wants to do."""
    named = {name for names in BY_TASK.values() for name in names}
    last = tuple(name for name in exp.commands if name not in named)
    facts = tuple((task, " · ".join((*names, *(last if task == "run" else ())))) for task, names in BY_TASK.items())
    more = ("/exp help VERB tells more about one; /exp VERB --form opens its form in Slack.",)
    return Answer("What would you like to do?", facts=facts, more=more, offers=TASKS)


def family_menu(name: str, family: Verbs) -> Answer:
    """What there is below a verb that does nothing alone."""
    facts = tuple(
        (f"{name} {below}", verb.get_short_help_str(limit=90)) for below, verb in sorted(family.commands.items())
    )
    return Answer((family.help or name).splitlines()[0], facts=facts, offers=family.offers)


@exp.command("help", reads=True)
@click.argument("verb", nargs=-1)
def help_(verb: tuple[str, ...]) -> Answer:
    """This menu, or more about one verb: /exp help frame"""
    return help_on(verb)


def help_on(words: Sequence[str]) -> Answer:
    """More about the verb of that name; the menu where none is named. Raises click.UsageError for no verb at all."""
    if not words:
        return menu()
    found, context = find_verb(words), click.Context(exp, info_name="/exp")
    if found is not None:
        name, verb, _ = found
        return Answer(verb.make_context(name, [], parent=context, resilient_parsing=True).get_help())
    name, family, _ = exp.resolve_command(context, list(words))
    return family_menu(name, family) if isinstance(family, Verbs) else menu()


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


def option_words(params: Iterable[click.Parameter], given: Mapping[str, str | None]) -> list[str]:
    """The options of a line that say what is given, by parameter: one for each of its lines where several may be."""
    options = (param for param in params if isinstance(param, click.Option))
    return [word for option in options for word in _option_words(option, given.get(option.name or "") or "")]


def _option_words(option: click.Option, text: str) -> list[str]:
    name = option.opts[0]
    if not text:
        return []
    if option.is_flag:
        return [name]
    values = [line.strip() for line in text.splitlines() if line.strip()] if option.multiple else [text]
    return [f"{name}={value}" for value in values]


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


def names_family(words: Sequence[str]) -> bool:
    """Whether that is a verb with others below it, and none of them is named: it is answered with a menu."""
    family = exp.commands.get(words[0].lower()) if len(words) == 1 else None
    return isinstance(family, Verbs) and not family.invoke_without_command


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
        if isinstance(verb, Verbs) and names_family(words):
            return family_menu(name, verb)
        with verb.make_context(name, rest, parent=context) as inner:
            said: Answer = verb.invoke(inner)
            return said
    except click.exceptions.Exit:
        return Answer("")
    except HelpAsked as asked:
        return Answer(asked.usage)
    except FormAsked as asked:
        return refusal("There is no form to open here; the line says the same.", asked.usage, "incomplete")
    except click.BadParameter as error:
        lacks = isinstance(error, click.MissingParameter)
        about = error.param.name if error.param else None
        return refusal(error.format_message(), _usage_of(error), "incomplete" if lacks else "wrong use", about or "")
    except click.ClickException as error:
        return refusal(error.format_message(), _usage_of(error), "wrong use")
    except GateClosed as closed:
        said = refusal(_with_names(closed.what, request), closed.remedy)
        return replace(said, offers=_openers(remedy for _, remedy in closed.missing))
    except BacklogError as error:
        problem: Problem = "incomplete" if isinstance(error, Incomplete) else "refused"
        return refusal(_with_names(error.what, request), error.remedy, problem)
    except IntegrationError as error:
        return refusal(f"{error.service}: {error.what}", error.remedy)


def _openers(remedies: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The forms in which what a gate misses is filled in: `frame EXP-12` for all that a frame can say."""
    lines = (REMEDY.match(remedy) for remedy in remedies)
    return tuple(dict.fromkeys((f"{m[1].capitalize()} {m[2]}", f"{m[1]} {m[2]} --form") for m in lines if m))[:OPENERS]


def help_for(words: Sequence[str]) -> Answer | None:
    """What a line that only asks for help is answered with; it needs no services. None for any other line."""
    found: click.Command = exp
    context, rest = click.Context(exp, info_name="/exp"), list(words)
    try:
        if not words or words[0].lower() == "help":
            return help_on(words[1:])
        while rest and isinstance(found, Verbs):
            name, found, rest = found.resolve_command(context, rest)
            context = found.make_context(name, list(rest), parent=context)
    except HelpAsked as asked:
        return Answer(asked.usage)
    except (FormAsked, click.ClickException):
        return None
    return None


def _with_names(what: str, request: Request) -> str:
    """The domain knows people by their ids; a person reads names."""
    names = people_by_id(request.services)
    return re.sub(r"\b\w+\b", lambda match: names.get(match[0], match[0]), what)


class Asked(Exception):
    """Not the verb is wanted but what it is like; `usage` tells it."""

    def __init__(self, usage: str) -> None:
        super().__init__(usage)
        self.usage = usage


class HelpAsked(Asked):
    """`--help` was typed; click would print it, a surface answers it."""


class FormAsked(Asked):
    """`--form` was typed: a surface that has forms opens the verb's, whatever the line lacks or not."""


def _help(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        raise HelpAsked(ctx.get_help())


def _form(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        raise FormAsked(ctx.get_usage())


def ask_options(verb: click.Command) -> None:
    """Give a verb and all below it a `--help` that answers instead of printing, and a `--form` where it takes
    anything."""
    verb.add_help_option = False
    flags: dict[str, Any] = {"is_flag": True, "is_eager": True, "expose_value": False}
    if verb.params and not isinstance(verb, click.Group):
        verb.params.append(click.Option(["--form"], callback=_form, help="Fill it in as a form, in Slack.", **flags))
    verb.params.append(click.Option(["--help"], callback=_help, help="Show this.", **flags))
    for below in getattr(verb, "commands", {}).values():
        ask_options(below)


def _usage_of(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return context.get_usage() if context is not None and context.parent is not None else ""
