"""What Slack sends to an app, key by key as its documentation and samples have it."""

from typing import Any
from uuid import uuid4

Json = dict[str, Any]
APP = "A0SANDBOX"
FORMS = {
    "plain_text_input": "value", "number_input": "value", "url_text_input": "value", "email_text_input": "value",
    "datepicker": "selected_date", "timepicker": "selected_time", "users_select": "selected_user",
    "conversations_select": "selected_conversation", "channels_select": "selected_channel",
}  # fmt: skip
INITIAL = {"value": "initial_value", "selected_date": "initial_date", "selected_time": "initial_time",
           "selected_user": "initial_user", "selected_conversation": "initial_conversation",
           "selected_channel": "initial_channel"}  # fmt: skip
SELECTS = ("static_select", "external_select", "radio_buttons")


def envelope(kind: str, team: str, user: str, name: str, user_team: str = "") -> Json:
    """What every interaction begins with."""
    person = {"id": user, "username": name, "name": name, "team_id": user_team or team}
    return {
        "type": kind, "team": {"id": team, "domain": "sandbox"}, "user": person, "api_app_id": APP, "token": "sandbox",
        "enterprise": None, "is_enterprise_install": False,
    }  # fmt: skip


def action_of(element: Json, block_id: str, at: float, chosen: str = "") -> Json:
    """One entry of `actions`: what was clicked or chosen."""
    told: Json = {
        "action_id": element["action_id"], "block_id": block_id, "type": element["type"], "action_ts": f"{at:.6f}",
    }  # fmt: skip
    if element["type"] == "button":
        value = {"value": element["value"]} if "value" in element else {}
        return told | {"text": {"emoji": True, **element["text"]}} | value
    if element["type"] in (*SELECTS, "overflow"):
        return told | {"selected_option": _option(element, chosen)}
    return told | {FORMS[element["type"]]: chosen}


def state_of(blocks: list[Json], given: Json) -> Json:
    """`view.state`: what stands in each input, by its block's and its element's id. `given` has texts, option values
    or lists of them by block id; the rest stands as it was drawn."""
    inputs = [(block, block["element"]) for block in blocks if block["type"] == "input"]
    unknown = set(given) - {block["block_id"] for block, _ in inputs}
    if unknown:
        raise LookupError(f"there is no {', '.join(sorted(unknown))} in the view")
    return {"values": {b["block_id"]: {e["action_id"]: _stands(e, given.get(b["block_id"]))} for b, e in inputs}}


def missing_in(blocks: list[Json], state: Json) -> list[str]:
    """The required inputs that are empty: Slack does not let such a view be sent."""
    return [
        block["block_id"]
        for block in blocks
        if block["type"] == "input" and not block.get("optional") and not _filled(state["values"][block["block_id"]])
    ]


def _filled(elements: Json) -> bool:
    return any(value for held in elements.values() for name, value in held.items() if name != "type")


def _stands(element: Json, given: Any) -> Json:
    kind = element["type"]
    if kind == "checkboxes":
        chosen = element.get("initial_options", []) if given is None else [_option(element, one) for one in given]
        return {"type": kind, "selected_options": chosen}
    if kind in SELECTS:
        option = element.get("initial_option") if given is None else (_option(element, given) if given else None)
        return {"type": kind, "selected_option": option}
    name = FORMS[kind]
    return {"type": kind, name: element.get(INITIAL[name]) if given is None else (given or None)}


def _option(element: Json, value: str) -> Json:
    """The option with that value; an external select takes any, for its options were suggested elsewhere."""
    for option in element.get("options", ()):
        if value in (option["value"], option["text"]["text"]):
            return dict(option)
    if element["type"] != "external_select":
        raise LookupError(f'"{value}" is not offered in {element["action_id"]}')
    return {"text": {"type": "plain_text", "text": value, "emoji": True}, "value": value}


def event(team: str, bot_user: str, body: Json, at: float, shared: bool = False) -> Json:
    """An event's envelope."""
    return {
        "token": "sandbox", "team_id": team, "api_app_id": APP, "type": "event_callback",
        "authorizations": [{"enterprise_id": None, "team_id": team, "user_id": bot_user, "is_bot": True,
                            "is_enterprise_install": False}],
        "is_ext_shared_channel": shared, "event_id": f"Ev{uuid4().hex[:12].upper()}", "event_time": int(at),
        "event_context": "4-sandbox", "event": {**body, "event_ts": f"{at:.6f}"},
    }  # fmt: skip
