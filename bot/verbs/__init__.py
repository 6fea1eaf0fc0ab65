"""The verbs of `/exp` and `scrumbut exp`: one file per family; each parses, calls one flow and answers.

Add a verb as a click command on `exp` in the file of its family, or a new file imported here.
"""

from bot.verbs import (
    administration,
    comparing,
    decisions,
    experiments,
    forecasts,
    goals,
    metrics,
    reading,
    reporting,
    risks,
    scheduling,
    subscriptions,
    syncing,
    templates,
    watches,
)
from bot.verbs.answer import Answer, Table
from bot.verbs.grammar import (
    Deferred,
    Request,
    answer,
    ask_options,
    exp,
    find_verb,
    help_for,
    names_family,
    next_words,
    split_line,
    typed_so_far,
    without_controls,
)

for _verb in exp.commands.values():
    ask_options(_verb)

__all__ = [
    "Answer",
    "Deferred",
    "Request",
    "Table",
    "administration",
    "answer",
    "comparing",
    "decisions",
    "exp",
    "experiments",
    "find_verb",
    "forecasts",
    "goals",
    "help_for",
    "metrics",
    "names_family",
    "next_words",
    "reading",
    "reporting",
    "risks",
    "scheduling",
    "split_line",
    "subscriptions",
    "syncing",
    "templates",
    "typed_so_far",
    "watches",
    "without_controls",
]
