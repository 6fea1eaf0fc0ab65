"""A modal is sent: what was filled in becomes a line, and what the line refuses stands under its field."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from slack_bolt import Ack, App

from backlog.errors import BacklogError
from bot.flows.services import Caller
from bot.slack.answers import LATER, Place, perform, tell
from bot.slack.blocks import Block, answer_blocks, paragraph, plain
from bot.slack.buttons import clicked
from bot.slack.desk import Desk, Payload, told
from bot.slack.modals import trial
from bot.slack.modals.fields import SEARCHED, in_words, read_state, words_of
from bot.slack.modals.forms import SUBJECT, Form, Part, form_of
from bot.slack.modals.opening import FORM, draw_form, say, subject_of
from bot.verbs import Answer, split_line
from integrations.http import IntegrationError

ERROR_MAX = 300  # characters under a field


@dataclass(frozen=True, slots=True)
class Sent:
    """A modal as it came back: its form, Slack's view, what stands in each input by block id, and what it was opened
    with."""

    form: Form
    view: Payload
    state: Mapping[str, str]
    meta: Mapping[str, str]

    @property
    def place(self) -> Place:
        """Where it was asked for."""
        return _place_of(self.meta)


def register(app: App, desk: Desk) -> None:
    """Listen to modals that are sent, and to a subject that is chosen in one."""

    @app.view(FORM)
    def on_form(ack: Ack, body: Payload) -> None:
        ack(**send_form(desk, body))

    @app.view(trial.WORDS)
    def on_words(ack: Ack, body: Payload) -> None:
        ack(**send_words(desk, body))

    @app.action(re.compile(rf"^({'|'.join(SEARCHED)})(:|$)"))
    def on_chosen(ack: Ack, body: Payload) -> None:
        clicked(desk, body, choose_subject)
        ack()


def read_sent(body: Payload) -> Sent | None:
    """The modal; None for a view that is not one of ours."""
    view = body.get("view")
    meta = _meta_of(view)
    form = form_of(meta.get("form", ""))
    return Sent(form, view, read_state(view), meta) if form and isinstance(view, dict) else None


def _meta_of(view: Any) -> dict[str, str]:
    try:
        meta = json.loads(told(view, "private_metadata") or "{}")
    except ValueError:
        return {}
    if not isinstance(meta, dict):
        return {}
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in meta.items()}


def send_form(desk: Desk, body: Payload) -> Block:
    """What the view is answered with: errors in place, another view, or nothing, which closes it."""
    sent = read_sent(body)
    if sent is None:
        return {"response_action": "clear"}
    try:
        caller = desk.caller(body, "view", told(sent.view, "id"))
    except (BacklogError, IntegrationError) as error:
        return _errors(sent, sent.form.parts[0], Answer(str(error)))
    if sent.form.trial:
        begun = trial.begin(desk, caller, _words(desk, sent, sent.form.parts[0]), sent.meta)
        return _errors(sent, sent.form.parts[0], begun) if isinstance(begun, Answer) else begun
    return _carry_out(desk, caller, sent, body)


def send_words(desk: Desk, body: Payload) -> Block:
    """Carry out the line that a tried view holds, and close all of the modal."""
    view = body.get("view")
    meta = _meta_of(view)
    try:
        caller = desk.caller(body, "view", told(view, "id"))
        words = [word for word in json.loads(meta.get("words", "[]")) if isinstance(word, str)]
    except (BacklogError, IntegrationError, ValueError) as error:
        return {"response_action": "update", "view": say("Not done", paragraph(str(error)))}
    said = perform(desk.services, _once(caller, words), words, _place_of(meta))
    if said.problem:
        return {"response_action": "update", "view": say("Not done", *answer_blocks(said))}
    return _finish(desk, caller, said, body, _place_of(meta))


def _carry_out(desk: Desk, caller: Caller, sent: Sent, body: Payload) -> Block:
    said = Answer("")
    for part in sent.form.parts:
        if part.optional and not _is_filled(desk, sent, part):
            continue
        words = _words(desk, sent, part)
        said = perform(desk.services, _once(caller, words), words, sent.place)
        if said.problem == "unsure":
            return _ask_first(said, body, sent)
        if said.problem:
            return _errors(sent, part, said)
        if isinstance(said.data, dict) and "key" in said.data:
            sent = replace(sent, meta={**sent.meta, "key": said.data["key"]})
    return _finish(desk, caller, said, body, sent.place)


def _ask_first(said: Answer, body: Payload, sent: Sent) -> Block:
    """Show over the modal what the person should see first; sending that does it, going back leaves all as it was."""
    (label, line), chosen = said.offers[0], told(body, "response_urls", 0, "response_url")
    asked = {"url": chosen, "open": "yes"} if chosen else {"url": sent.meta.get("url", "")}
    held = json.dumps({"words": split_line(line), "channel": sent.meta.get("channel", ""), **asked})
    if len(held) > trial.METADATA_MAX:
        return _errors(sent, sent.form.parts[0], replace(said, more=(*said.more, "That is too long for a form.")))
    view = say(sent.form.title, *answer_blocks(said)) | {"submit": plain(label, 24), "close": plain("Back")}
    return {"response_action": "push", "view": {**view, "callback_id": trial.WORDS, "private_metadata": held}}


def _is_filled(desk: Desk, sent: Sent, part: Part) -> bool:
    """Whether something was filled in there that did not stand there already."""
    subject = subject_of(desk.services, sent.form, sent.meta.get("key", ""))
    said = subject.state if subject else {}
    return any(sent.state.get(f"{part.verb}.{name}", "") not in ("", in_words(said.get(name))) for name in part.fields)


def _once(caller: Caller, words: list[str]) -> Caller:
    """Sent again as it was, a view acts once; what was mended after an error is another act."""
    digest = sha256("\0".join(words).encode()).hexdigest()[:16]
    return replace(caller, delivery=f"{caller.delivery}:{digest}")


def _words(desk: Desk, sent: Sent, part: Part) -> list[str]:
    """The line for one part. What the form shows of the last state is not said again."""
    state, prefix = sent.state, f"{part.verb}."
    own = {block_id.removeprefix(prefix): text for block_id, text in state.items() if block_id.startswith(prefix)}
    key = own.get(SUBJECT) or state.get(f"{sent.form.parts[0].verb}.{SUBJECT}") or sent.meta.get("key", "")
    subject = subject_of(desk.services, sent.form, key)
    said = {param.name: in_words(subject.state.get(param.name or "")) for param in part.params()} if subject else {}
    required = {param.name for param in part.params() if param.required}
    given = {name: text for name, text in own.items() if name in required or text != said.get(name)}
    return words_of(part.verb, part.found().params, {**given, SUBJECT: key})


def _errors(sent: Sent, part: Part, said: Answer) -> Block:
    text = " ".join((said.text, *said.more))
    return {"response_action": "errors", "errors": {_block_of(sent, part, said, text): text[:ERROR_MAX]}}


def _block_of(sent: Sent, part: Part, said: Answer, text: str) -> str:
    """The input that a refusal is about: the parameter it names, the value it quotes, the option its remedy names,
    else the first."""
    inputs = [told(block, "block_id") for block in sent.view["blocks"] if told(block, "type") == "input"]
    shown = {f"{part.verb}.{param.name}": param for param in part.params() if f"{part.verb}.{param.name}" in inputs}
    named = [block_id for block_id, param in shown.items() if said.about and param.name == said.about]
    quoted = [block_id for block_id in shown if f'"{sent.state.get(block_id, "")}"' in said.text]
    meant = [block_id for block_id, param in shown.items() if {*param.opts} & {*text.split()}]
    return next(iter((*named, *quoted, *meant, *shown, *inputs)))


def _finish(desk: Desk, caller: Caller, said: Answer, body: Payload, place: Place) -> Block:
    """Close the modal and answer where it came from; one that came from nowhere shows the answer itself."""
    chosen = told(body, "response_urls", 0, "response_url")
    if chosen:
        tell(desk.services, caller, said, Place(told(body, "response_urls", 0, "channel_id"), chosen, open=True))
    elif place.response_url:
        if said is not LATER:
            tell(desk.services, caller, said, place)
    elif said.text:
        return {"response_action": "update", "view": say("Done", *answer_blocks(said))}
    return {"response_action": "clear"}


def _place_of(meta: Mapping[str, str]) -> Place:
    return Place(meta.get("channel", ""), meta.get("url", ""), open=meta.get("open") == "yes")


def choose_subject(desk: Desk, caller: Caller, body: Payload) -> None:
    """Fill the modal with what is known of the subject that was chosen, keeping what was typed."""
    sent = read_sent(body)
    if sent is None or not told(body, "actions", 0, "block_id").endswith(f".{SUBJECT}"):
        return
    given = {**sent.state, SUBJECT: told(body, "actions", 0, "selected_option", "value")}
    meta = {name: text for name, text in sent.meta.items() if name not in ("form", "key")}
    view = draw_form(desk.services, sent.meta["form"], sent.form, given, meta)
    desk.messenger.update_view(told(sent.view, "id"), view)
