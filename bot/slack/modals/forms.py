"""Which modals there are: one short description each, over the verbs' own parameters."""

from collections.abc import Mapping
from dataclasses import dataclass

import click

from bot.verbs import find_verb
from bot.verbs.grammar import Verb

SUBJECT = "key"  # the parameter that names what a verb is about
OWN = "own"  # what a person and the channel have set for themselves
NEVER = ("help", "form", "dry_run", "anyway")  # parameters that are for typing only


@dataclass(frozen=True, slots=True)
class Part:
    """One verb of a modal and those of its parameters that are shown, in order. An `optional` part is only carried out
    when something is filled in there; it is about what the part before it was about."""

    verb: str
    fields: tuple[str, ...]
    optional: bool = False

    def found(self) -> Verb:
        """The verb. Raises LookupError where there is none of that name."""
        found = find_verb(self.verb.split())
        if found is None:
            raise LookupError(self.verb)
        return found[1]

    def params(self) -> list[click.Parameter]:
        """The parameters that are shown, in order."""
        known = {param.name: param for param in self.found().params}
        return [known[name] for name in self.fields if name in known]


@dataclass(frozen=True, slots=True)
class Form:
    """A modal: its title of at most 24 characters, its parts, and the word on its button. `trial` runs the line with
    `--dry-run` first and shows what that says; `about` names what it is about where no parameter does."""

    title: str
    parts: tuple[Part, ...]
    submit: str = "Save"
    trial: bool = False
    about: str = ""


SETTINGS = Form(
    "Settings",
    (Part("settings quiet", ("hours",), optional=True), Part("settings goal", ("goal", "channel"), optional=True)),
    about=OWN,
)

FORMS: Mapping[str, Form] = {
    "new": Form(
        "New experiment",
        (Part("new", ("title", "goal", "kind", "appetite", "project", "parent", "note")),),
        "Add",
    ),
    "frame": Form(
        "Frame the experiment",
        (
            Part(
                "frame",
                ("key", "hypothesis", "metric", "min_effect", "eval_set", "serves", "goal", "kind", "appetite",
                 "min_runs"),
            ),
        ),
    ),
    "outcome": Form(
        "Outcome and decision",
        (
            Part("outcome", ("key", "outcome", "learning", "code", "follow")),
            Part("decide", ("decision", "reason"), optional=True),
        ),
    ),
    "decide": Form("Decision", (Part("decide", ("key", "decision", "reason", "follow")),), "Decide"),
    "checkpoint": Form(
        "Checkpoint", (Part("checkpoint", ("key", "text")), Part("hill", ("position",), optional=True))
    ),
    "goal add": Form(
        "New goal",
        (
            Part(
                "goal add",
                ("key", "statement", "anti_goals", "metric", "baseline", "target", "guardrails", "stakeholders"),
            ),
        ),
        "Add",
    ),
    "goal edit": Form(
        "Change a goal",
        (
            Part(
                "goal edit",
                ("key", "statement", "anti_goals", "metric", "baseline", "target", "guardrails", "stakeholders", "why"),
            ),
        ),
    ),
    "metric add": Form(
        "New metric",
        (
            Part(
                "metric add",
                ("name", "goal", "source", "key", "environment", "aggregation", "better", "unit", "eval_set",
                 "tolerance", "scope"),
            ),
        ),
        "Read once",
        trial=True,
    ),
    "schedule add": Form(
        "Schedule a report",
        (Part("schedule add", ("report", "when", "audience", "emails", "reviewer", "preview_hours")),),
        "Schedule",
    ),
    "sync screen": Form("What Jira asks for", (Part("sync screen", ("key", "answers")),), "Try again"),
    "settings quiet": SETTINGS,
    "settings goal": SETTINGS,
    "risk add": Form("New risk", (Part("risk add", ("subject", "cause", "impact", "owner", "review")),), "Add"),
}  # fmt: skip


def form_of(name: str) -> Form | None:
    """The modal of a verb, by the verb's full name; every verb has one, None where there is no such verb."""
    if name in FORMS:
        return FORMS[name]
    found = find_verb(name.split())
    if found is None or found[0] != name:
        return None
    shown = tuple(param.name or "" for param in found[1].params if param.name not in NEVER)
    return Form(name.capitalize()[:24], (Part(name, shown),)) if shown else None
