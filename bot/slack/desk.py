"""What every handler of Slack's requests begins with: whose request it is, and whether it is one of ours at all."""

from dataclasses import dataclass
from typing import Any

from backlog.errors import BacklogError
from bot.flows.meet_person import meet_person
from bot.flows.services import Caller, Messenger, Services
from bot.slack.answers import Place

Payload = dict[str, Any]
KEY_MAX = 140  # characters of a delivery's key that come from Slack


class Stranger(BacklogError):
    """Somebody of another workspace, in a shared channel; they see what is posted there, and change nothing."""

    def __init__(self) -> None:
        super().__init__(
            "scrumbut belongs to another workspace, and only its members may use it.", "Ask one of them to do it."
        )


class TooMany(BacklogError):
    """Somebody asks more often than `[limits] requests_person` lets them."""

    def __init__(self, a_minute: int, wait_s: float) -> None:
        super().__init__(f"That was more than {a_minute} requests a minute.", f"Go on in {int(wait_s) + 1} s.")


@dataclass(frozen=True, slots=True)
class Desk:
    """What the handlers share: the services, and the slash command's name."""

    services: Services
    command: str

    @property
    def messenger(self) -> Messenger:
        """Slack; handlers exist only where it is configured."""
        assert self.services.messenger is not None
        return self.services.messenger

    def caller(self, body: Payload, kind: str, name: str) -> Caller:
        """Who acts; `kind` and `name` are the key under which this delivery acts once. Raises Stranger, TooMany, and
        IntegrationError while Slack does not say whose bot this is."""
        ours = self.messenger.installation()
        team = told(body, "user", "team_id") or told(body, "team", "id") or told(body, "team_id")
        enterprise = told(body, "enterprise", "id") or told(body, "enterprise_id")
        if team != ours.team and not (ours.enterprise and enterprise == ours.enterprise):
            raise Stranger
        user = told(body, "user", "id") or told(body, "user_id")
        if wait_s := self.services.persons.wait_s(user):
            raise TooMany(self.services.persons.a_minute, wait_s)
        called = told(body, "user", "username") or told(body, "user", "name") or told(body, "user_name")
        caller = Caller(user[:80], called, f"{kind}:{name[:KEY_MAX]}")
        meet_person(self.services, caller)
        return caller


def told(payload: Any, *path: str | int) -> str:
    """The text at that place of a payload; empty where there is none, whatever shape the payload has."""
    found = payload
    for step in path:
        if isinstance(step, int):
            found = found[step] if isinstance(found, list) and len(found) > step else None
        else:
            found = found.get(step) if isinstance(found, dict) else None
    return found if isinstance(found, str) else ""


def place_of(body: Payload) -> Place:
    """Where a command or a click came from."""
    channel = told(body, "channel_id") or told(body, "channel", "id") or told(body, "container", "channel_id")
    return Place(channel, told(body, "response_url"))
