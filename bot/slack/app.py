"""The Bolt app: registers the handlers, one file for each family of requests.

A handler checks, does one short transaction and acknowledges; what is slow goes to the queue. The same app serves HTTP
and Socket Mode.
"""

from collections.abc import Callable

import structlog
from slack_bolt import App, BoltResponse
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient

from bot.config import Slack
from bot.flows.services import Services
from bot.slack import buttons, commands, events, options, reports, shortcuts
from bot.slack.desk import Desk
from bot.slack.modals import sending
from integrations.http import IntegrationError

log = structlog.get_logger(__name__)

FAMILIES = (commands, buttons, sending, options, shortcuts, events, reports)


def open_app(settings: Slack, services: Services) -> App:
    """The Bolt app for these settings. Asks nothing over the network."""
    token = settings.bot_token.get_secret_value()
    app = App(
        client=WebClient(base_url=settings.api_url, retry_handlers=[]),
        request_verification_enabled=False,  # the endpoint verifies before anything is parsed
        authorize=_authorize(token),
        # The handlers are short, and without this flag Bolt polls for the ack every 10 ms.
        process_before_response=True,
        raise_error_for_unhandled_request=False,
    )

    @app.error
    def on_error(error: Exception) -> BoltResponse:
        if isinstance(error, IntegrationError):  # Slack sends an event again that is not acknowledged
            log.warning("not handled", why=str(error))
            return BoltResponse(status=503, body="try again")
        # Our handlers answer what they can tell a person; what arrives here is a payload of no shape that Slack sends.
        log.warning("unreadable payload", why=f"{type(error).__name__}: {error}"[:200])
        return BoltResponse(status=400, body="unreadable")

    desk = Desk(services, settings.command)
    for family in FAMILIES:
        family.register(app, desk)
    return app


def _authorize(token: str) -> Callable[..., AuthorizeResult]:
    # One workspace, one token: Bolt's own way asks auth.test first, and fails the first command when Slack is slow.
    def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_token=token)

    return authorize
