"""One parameter of a verb as one input of a modal: how it is drawn, and what it says when it comes back."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from backlog.screen import Asked, Screen
from bot.slack.blocks import Block, cut, plain
from bot.verbs import without_controls
from bot.verbs.grammar import option_words

USER = re.compile(r"[UW][A-Z0-9]+")
INPUT_MAX = 3_000  # characters that a text input takes
OPTION_MAX, VALUE_MAX = 75, 150  # characters of an option's text and value
# What a select searches for; see `options.py`. A subject is a goal or an experiment.
EXPERIMENT, GOAL, ISSUE, RUN, SOURCE, SUBJECT = "experiment", "goal", "issue", "run", "source", "subject"
PERSON, LONG, FLAG, DATE, CHOICE, NUMBER, LINES, WORDS, TEXT, ANSWERS = (
    "person", "long", "flag", "date", "choice", "number", "lines", "words", "text", "answers",
)  # fmt: skip
CHOICES_MAX = 100  # of one select
SEARCHED = (EXPERIMENT, GOAL, ISSUE, RUN, SOURCE, SUBJECT)

WHOLE = (click.IntRange, type(click.INT))

# What a parameter holds, where its type alone does not say it.
KINDS = {
    "goal": GOAL, "parent": EXPERIMENT, "issue_key": ISSUE, "epic": ISSUE, "run": RUN, "source": SOURCE,
    "owner": PERSON, "old": PERSON, "new": PERSON, "subject": SUBJECT, "reviewer": PERSON, "hypothesis": LONG,
    "statement": LONG, "note": LONG, "when": WORDS, "hours": WORDS, "what": WORDS, "words": WORDS, "verb": WORDS,
    "answers": ANSWERS,
}  # fmt: skip
SUBJECTS = {
    "goal add": TEXT, "metric add": TEXT, "goal show": GOAL, "goal edit": GOAL, "goal ready": GOAL, "goal link": GOAL,
    "deployed": GOAL, "schedule remove": TEXT,
}  # fmt: skip
LABELS = {
    "key": "Experiment", "eval_set": "Evaluation set", "min_effect": "Smallest effect worth acting on",
    "serves": "Decision it serves", "min_runs": "Runs that count as evidence", "project": "New issue in Jira project",
    "parent": "Follows from", "follow": "What follows", "code": "Why, in a word", "anti_goals": "Not about",
    "guardrails": "Must not get worse", "stakeholders": "Who waits for it", "environment": "Environment",
    "better": "Better is", "issue_key": "Issue", "learning": "What we learned", "over": "Why above the limit",
    "old": "From", "new": "To", "position": "Where on the hill", "text": "What was seen", "note": "First note",
    "learning_value": "Learning, 1 to 5", "when": "When and where, such as mon 09:00 Europe/Berlin #ml-managers",
    "hours": "Quiet hours, such as 20:00-08:00 Europe/Berlin, or off", "preview_hours": "Hours before, for the review",
    "emails": "Addresses that get it by mail", "subject": "Goal or experiment", "cause": "What may happen, and why",
    "review": "Look again in, such as 14d", "epic": "Epic in Jira",
}  # fmt: skip
SUBJECT_LABELS = {TEXT: "Key", GOAL: "Goal", EXPERIMENT: "Experiment"}
VERB_LABELS = {("metric add", "key"): "Its name at the source", ("note", "text"): "Note"}


def kind_of(verb: str, param: click.Parameter) -> str:
    """What a parameter holds, and with it which input shows it."""
    name = param.name or ""
    if name == "key":
        return SUBJECTS.get(verb, EXPERIMENT)
    if name in KINDS:
        return KINDS[name]
    if getattr(param, "is_flag", False):
        return FLAG
    if getattr(param, "multiple", False):
        return LINES
    if param.nargs == -1:
        return LONG
    types = ((click.Choice, CHOICE), (click.DateTime, DATE), (WHOLE, NUMBER), (type(click.FLOAT), NUMBER))
    return next((kind for kind_types, kind in types if isinstance(param.type, kind_types)), TEXT)


def draw(verb: str, param: click.Parameter, value: Any, *, optional: bool, version: str) -> Block:
    """The input for a parameter. `version` is part of the element's id, because Slack keeps what was typed in an
    element of the same id when a view is updated."""
    kind = kind_of(verb, param)
    element = _element(kind, param, value)
    action_id = f"{kind}:{version}" if version else kind
    label = VERB_LABELS.get((verb, param.name or "")) or _label(kind, param)
    block: Block = {
        "type": "input", "block_id": f"{verb}.{param.name}", "label": plain(label, 200),
        "element": {**element, "action_id": action_id}, "optional": optional or not param.required,
    }  # fmt: skip
    hint = getattr(param, "help", "") or ""
    return block | ({"hint": plain(hint, 500)} if hint else {})


def draw_answers(verb: str, param: click.Parameter, screen: Screen | None) -> list[Block]:
    """An input for each field that a screen of Jira asks for; none where no screen waits."""
    asked = {id_: one for id_, one in screen.asked.items() if one.form != "none"} if screen else {}
    return [
        {"type": "input", "block_id": f"{verb}.{param.name}.{id_}", "label": plain(one.name, 200),
         "element": {**_answer(one), "action_id": ANSWERS}} for id_, one in asked.items()
    ]  # fmt: skip


def _answer(asked: Asked) -> Block:
    if not asked.choices:
        return {"type": "plain_text_input", "max_length": INPUT_MAX}
    return {"type": "static_select", "options": [option(one, one) for one in [*asked.choices][:CHOICES_MAX]]}


def _label(kind: str, param: click.Parameter) -> str:
    name = param.name or ""
    if name == "key":
        return SUBJECT_LABELS.get(kind, "Key")
    return LABELS.get(name) or name.replace("_", " ").capitalize()


def _element(kind: str, param: click.Parameter, value: Any) -> Block:
    text = in_words(value)
    if kind in SEARCHED:
        initial = {"initial_option": option(text, text)} if text else {}
        return {"type": "external_select", "min_query_length": 0, "placeholder": plain("Search"), **initial}
    if kind == CHOICE and isinstance(param.type, click.Choice):
        options = [option(str(one), str(one)) for one in param.type.choices]
        chosen = next((one for one in options if one["value"].lower() == text.lower()), None)
        return {"type": "static_select", "options": options, **({"initial_option": chosen} if chosen else {})}
    if kind == PERSON:
        person = text.lstrip("@")
        return {"type": "users_select", **({"initial_user": person} if USER.fullmatch(person) else {})}
    if kind == DATE:
        return {"type": "datepicker", **({"initial_date": text[:10]} if text else {})}
    if kind == FLAG:
        return {"type": "checkboxes", "options": [option("yes", "Yes")]}
    if kind == NUMBER:
        return _number(param, text)
    lines = {"multiline": True} if kind in (LONG, LINES) else {}
    return {"type": "plain_text_input", "max_length": INPUT_MAX, **lines, **_initial(text)}


def _initial(text: str) -> Block:
    return {"initial_value": cut(text, INPUT_MAX)} if text else {}


def _number(param: click.Parameter, text: str) -> Block:
    whole = isinstance(param.type, WHOLE)
    bounds = (
        {"min_value": param.type.min, "max_value": param.type.max} if isinstance(param.type, click.IntRange) else {}
    )
    limits = {name: str(bound) for name, bound in bounds.items() if bound is not None}
    return {"type": "number_input", "is_decimal_allowed": not whole, **limits, **_initial(text)}


def option(value: str, text: str) -> Block:
    """One thing to choose."""
    return {"text": plain(text, OPTION_MAX), "value": cut(value, VALUE_MAX)}


def in_words(value: Any) -> str:
    """A parameter's value as its input shows it: lists by lines, numbers without an exponent."""
    if value in (None, ""):
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, float):
        return f"{value:.10f}".rstrip("0").rstrip(".")
    if isinstance(value, (list, tuple)):
        return "\n".join(map(str, value))
    return str(value)


def read_state(view: Any) -> dict[str, str]:
    """What stands in each input of a view, by block id; an input that is empty, or of another shape than Slack's, is
    left out."""
    values = view.get("state", {}).get("values", {}) if isinstance(view, dict) else {}
    found = {}
    for block_id, elements in values.items() if isinstance(values, dict) else ():
        for held in elements.values() if isinstance(elements, dict) else ():
            text = _held(held)
            if text:
                found[str(block_id)] = without_controls(text)
    return found


def _held(held: Any) -> str:
    if not isinstance(held, dict):
        return ""
    chosen = held.get("selected_option")
    if isinstance(chosen, dict) and isinstance(chosen.get("value"), str):
        return str(chosen["value"])
    if isinstance(held.get("selected_options"), list) and held["selected_options"]:
        return "yes"
    names = ("value", "selected_date", "selected_user", "selected_conversation", "selected_channel")
    return next((held[name].strip() for name in names if isinstance(held.get(name), str)), "")


def words_of(verb: str, params: Sequence[click.Parameter], given: Mapping[str, str]) -> list[str]:
    """The words of the line that says what was filled in, `given` by parameter."""
    arguments = []
    for param in params:
        if kind_of(verb, param) == ANSWERS:
            own = f"{param.name}."
            arguments += [f"{name.removeprefix(own)}={text}" for name, text in given.items() if name.startswith(own)]
        elif isinstance(param, click.Argument):
            if not given.get(param.name or ""):
                if param.required:
                    continue  # the verb says what is missing
                break
            text = given[param.name or ""]
            arguments += text.split() if kind_of(verb, param) == WORDS else [text]
    return [*verb.split(), *option_words(params, given), "--", *arguments]
