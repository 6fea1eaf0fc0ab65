"""The Bolt app: one command, answered within its acknowledgement; what is slow goes to the queue.

The same app serves HTTP and Socket Mode.
"""

from collections.abc import Callable
from typing import Any

import structlog
from slack_bolt import Ack, App, BoltResponse
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient

from bot.config import Slack
from bot.flows.services import AlreadyDone, Caller, Services, meet
from bot.slack.blocks import TABLE_ROWS, to_message
from bot.slack.notices import add_notice_buttons
from bot.slack.reports import add_report_buttons
from bot.verbs import Answer, Deferred, Request, answer, split_line
from store import queue
from store.people import first_delivery

log = structlog.get_logger(__name__)

LATER = Answer("On it; the answer follows here.")
BROKEN = Answer(
    "Something broke here, and nothing was changed. The log says more; please try again.", problem="refused"
)


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
        # Our own listener never raises: what arrives here is a payload that Bolt's middleware stumbled over.
        log.warning("unreadable payload", why=f"{type(error).__name__}: {error}"[:200])
        return BoltResponse(status=400, body="unreadable")

    @app.command(settings.command)
    def on_command(ack: Ack, body: dict[str, Any]) -> None:
        said = to_message(answer_command(services, body), f"{settings.command} {body.get('text') or ''}")
        ack(**said) if said["text"] else ack()

    add_notice_buttons(app, services)
    add_report_buttons(app, services)
    return app


def _authorize(token: str) -> Callable[..., AuthorizeResult]:
    # One workspace, one token: Bolt's own way asks auth.test first, and fails the first command when Slack is slow.
    def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_token=token)

    return authorize


def answer_command(services: Services, body: dict[str, Any]) -> Answer:
    """What a slash command's payload is answered with; never raises.

    The same payload delivered again acts once and is answered with nothing.
    """
    line = str(body.get("text") or "")
    delivery = f"command:{body.get('trigger_id', '')}"
    caller = Caller(str(body.get("user_id", "")), str(body.get("user_name", "")), delivery)
    try:
        meet(services, caller)
        where = str(body.get("channel_id", ""))
        return answer(split_line(line), Request(services, caller, may_defer=True, rows=TABLE_ROWS, channel=where))
    except Deferred:
        asked_by = {"user": caller.id, "name": caller.name, "delivery": delivery}
        args = {"line": line, **asked_by, "response_url": body.get("response_url", "")}
        with services.database.write() as connection:
            # The queue forgets a finished task, so it cannot tell a late second delivery from a first one.
            fresh = first_delivery(connection, f"asked:{delivery}", services.now())
            if fresh:
                queue.defer(connection, delivery, "answer_line", args, services.now())
        return LATER if fresh else Answer("")
    except AlreadyDone:
        return Answer("")
    except Exception:
        log.exception("command failed")
        return BROKEN
