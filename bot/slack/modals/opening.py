"""Opens a modal: drawn from what was typed, from the thread and from the last state."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import structlog

from bot.flows.services import Caller, Services
from bot.slack.answers import Place
from bot.slack.blocks import Block, paragraph, plain
from bot.slack.desk import Desk
from bot.slack.modals.fields import ANSWERS, SEARCHED, draw, draw_answers, in_words, kind_of
from bot.slack.modals.forms import OWN, SUBJECT, Form, form_of
from bot.slack.modals.prefill import Subject, find_subject
from bot.verbs import find_verb, typed_so_far
from integrations.http import IntegrationError

log = structlog.get_logger(__name__)

FORM = "form"  # callback_id of every modal that becomes a line
LOADING = "One moment …"
USED = "exchanged_trigger_id"  # the modal stands open already: this is a replay of what opened it


def open_for(desk: Desk, caller: Caller, words: Sequence[str], trigger_id: str, place: Place) -> bool:
    """Open the modal of the verb that the line begins with, filled with what the line says; False where there is none
    or Slack does not open it, so that the refusal can be told in words."""
    found = find_verb(words)
    form = form_of(found[0]) if found else None
    if found is None or form is None:
        return False
    own = {SUBJECT: f"{caller.id} {place.channel}"} if form.about else {}
    view = draw_form(desk.services, found[0], form, {**typed_so_far(words), **own}, came_from(place))
    try:
        desk.messenger.open_view(trigger_id, view)
    except IntegrationError as error:
        log.warning("no modal", verb=found[0], why=str(error))
        return error.code == USED
    return True


def draw_form(
    services: Services,
    name: str,
    form: Form,
    given: Mapping[str, Any],
    meta: Mapping[str, str],
    extra: Sequence[Block] = (),
) -> Block:
    """The modal's view. `given` is by parameter and wins over the last state; `meta` comes back when it is sent."""
    subject = subject_of(services, form, in_words(given.get(SUBJECT)))
    about = {"key": subject.key} if subject else {}
    return {
        "type": "modal", "callback_id": FORM, "title": plain(form.title, 24), "submit": plain(form.submit, 24),
        "close": plain("Cancel"), "private_metadata": json.dumps({"form": name, **meta, **about}),
        "blocks": [*([paragraph(subject.line, bold=True)] if subject else ()), *_inputs(form, given, subject), *extra],
    }  # fmt: skip


def came_from(place: Place) -> dict[str, str]:
    """What a modal remembers of where it was asked for, so that its answer goes there."""
    return {"url": place.response_url, "channel": place.channel}


def subject_of(services: Services, form: Form, key: str) -> Subject | None:
    """What the modal is about, where it is about something that exists already."""
    first = form.parts[0]
    kinds = [form.about, *(kind_of(first.verb, param) for param in first.params() if param.name == SUBJECT)]
    kind = next((kind for kind in kinds if kind in (OWN, *SEARCHED)), "")
    return find_subject(services, kind, key) if key and kind else None


def _inputs(form: Form, given: Mapping[str, Any], subject: Subject | None) -> list[Block]:
    state = subject.state if subject else {}
    blocks = []
    for part in form.parts:
        for param in part.params():
            name = param.name or ""
            if name == SUBJECT and subject:
                continue
            if kind_of(part.verb, param) == ANSWERS:
                blocks += draw_answers(part.verb, param, state.get(name))
                continue
            value = given.get(f"{part.verb}.{name}", given.get(name))
            value = state.get(name) if value in (None, "", ()) else value
            version = subject.key if subject else ""
            block = draw(part.verb, param, value, optional=part.optional, version=version)
            picks = name == SUBJECT and kind_of(part.verb, param) in SEARCHED
            blocks.append(block | ({"dispatch_action": True} if picks else {}))
    return blocks


def new_name(kind: str) -> str:
    """A name for a view of ours, which no other view in the workspace has."""
    return f"{kind}:{uuid4().hex}"


def say(title: str, *blocks: Block, **more: Any) -> Block:
    """A view that only says something."""
    return {"type": "modal", "title": plain(title, 24), "close": plain("Close"), "blocks": list(blocks), **more}


def loading(title: str, external_id: str) -> Block:
    """What stands there until the data has come; named by us, for only then can it be found again."""
    return say(title, paragraph(LOADING), external_id=external_id)


def fill(services: Services, view: Block) -> None:
    """Put the view in the place of the loading one of its name; one that was closed meanwhile is let be."""
    assert services.messenger is not None
    try:
        services.messenger.update_view(view["external_id"], view, external=True)
    except IntegrationError as error:
        if not error.permanent:
            raise
        log.info("the view is closed", why=error.what)
