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
from bot.slack import buttons, commands, events, leaving, options, reports, shortcuts
from bot.slack.desk import Desk
from bot.slack.modals import sending
from integrations.http import IntegrationError

log = structlog.get_logger(__name__)

FAMILIES = (commands, buttons, sending, options, shortcuts, events, reports, leaving)


def open_app(settings: Slack, services: Services) -> App:
    """The Bolt app of one workspace. Asks nothing over the network."""
    app = App(
        name="scrumbut",  # else Bolt reads the sources of all its callers to find one
        client=WebClient(base_url=settings.api_url, retry_handlers=[]),
        request_verification_enabled=False,  # the endpoint verifies before anything is parsed
        authorize=_authorize(settings.bot_token.get_secret_value()),
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
    # Bolt's own way asks auth.test with every request, and fails it when Slack is slow. The endpoint picked this app
    # for its workspace; who of a shared channel may act is the desk's to say, a token that changes the messenger's.
    def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_token=token or None)

    return authorize
