"""The app is taken out of the workspace: its token is forgotten, its backlog stays for when it is put in again.

Slack sends both events in either order, late and more than once; one that is older than the last installing is no news.
"""

from datetime import UTC, datetime

from slack_bolt import Ack, App

from bot.slack.desk import Desk, Payload


def register(app: App, desk: Desk) -> None:
    """Listen to both."""

    @app.event("app_uninstalled")
    def on_uninstalled(ack: Ack, body: Payload) -> None:
        desk.services.leave(_when(body))
        ack()

    @app.event("tokens_revoked")
    def on_revoked(ack: Ack, body: Payload) -> None:
        event = body.get("event")
        tokens = event.get("tokens") if isinstance(event, dict) else None
        if isinstance(tokens, dict) and tokens.get("bot"):  # people's own tokens are none of ours
            desk.services.leave(_when(body))
        ack()


def _when(body: Payload) -> datetime:
    at = body.get("event_time")
    return datetime.fromtimestamp(at if isinstance(at, int) and 0 < at < 1 << 33 else 0, UTC)
