"""A bare Bolt app that acknowledges, behind its own ASGI adaptor as its documentation shows it."""

from typing import Any

from slack_bolt import Ack, App
from slack_bolt.adapter.starlette.handler import SlackRequestHandler
from slack_bolt.authorization import AuthorizeResult
from starlette.applications import Starlette
from starlette.routing import Route


def bare_bolt(signing_secret: str) -> Starlette:
    """An app whose `/exp` answers "pong"."""

    def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_token="xoxb-bare")

    app = App(signing_secret=signing_secret, authorize=authorize, process_before_response=True)

    @app.command("/exp")
    def ping(ack: Ack, body: dict[str, Any]) -> None:
        ack("pong")

    return Starlette(routes=[Route("/slack/events", SlackRequestHandler(app).handle, methods=["POST"])])
