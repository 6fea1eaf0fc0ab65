"""The screens of Jira's workflow: what a transition requires, and an answer in words in the form that Jira takes.

Dates and sprints are never given from here, whatever a screen asks for.
"""

from collections.abc import Mapping
from typing import Any

from backlog.issue import Transition
from backlog.screen import Asked, Form
from integrations.jira.adf import to_document
from integrations.jira.issues import printable

PLAIN: Mapping[str, Form] = {"string": "text", "number": "number"}  # by the type of a field's schema


def transition_of(raw: Mapping[str, Any]) -> Transition:
    """A transition as `expand=transitions.fields` tells it."""
    required = {id_: field for id_, field in (raw.get("fields") or {}).items() if field.get("required")}
    asked = {id_: _asked(id_, field) for id_, field in required.items() if not field.get("hasDefaultValue")}
    return Transition(str(raw["id"]), printable((raw.get("to") or {}).get("name")), asked)


def _asked(id_: str, field: Mapping[str, Any]) -> Asked:
    values = (value for value in field.get("allowedValues") or () if isinstance(value, dict))
    choices = {printable(value.get("name") or value.get("value")): str(value.get("id")) for value in values}
    return Asked(printable(field.get("name")) or id_, _form(id_, field.get("schema") or {}, bool(choices)), choices)


def _form(id_: str, schema: Mapping[str, Any], choices: bool) -> Form:
    kind, custom = str(schema.get("type")), str(schema.get("custom") or "")
    if choices:
        return "options" if kind == "array" else "option"
    if id_ in ("description", "environment") or custom.endswith(":textarea"):
        return "document"
    return PLAIN.get(kind, "none")


def value_of(asked: Asked, text: str, cloud: bool) -> Any:
    """An answer as Jira takes it; a choice by its id, one that is not known by its name."""
    chosen = {"id": asked.choices[text]} if text in asked.choices else {"name": text}
    forms = {"option": chosen, "options": [chosen], "document": to_document(text) if cloud else text}
    return forms.get(asked.form, float(text) if asked.form == "number" else text)
