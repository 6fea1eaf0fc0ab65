"""One process: the web side, the clock and the workers over one database."""

import gc
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack

import structlog
import uvicorn
from slack_bolt.adapter.socket_mode import SocketModeHandler
from starlette.routing import Route

from backlog.cadence import read_span
from bot.config import ConfigError, Settings
from bot.flows.run_due import Agenda
from bot.flows.services import Services
from bot.holding import holding
from bot.installing import Installing
from bot.jira_endpoint import JiraEndpoint
from bot.login import Login
from bot.readiness import Readiness
from bot.schedule import schedules_of, schedules_version, start_clock
from bot.slack.app import open_app
from bot.slack.endpoint import SlackEndpoint
from bot.web import Endpoint, open_web
from bot.work import Workers, begin_work
from bot.workspaces import Workspaces

log = structlog.get_logger(__name__)

# For requests in hand when the end has come, and for the workspaces' workers after those at home; with the patience for
# these less than the ten seconds promised.
LAST_S, LATER_S = 3, 1.0


def serve(settings: Settings, services: Services, workers: bool = True) -> None:
    """Run until SIGTERM or Ctrl-C; without `workers` only the web side and the clock, beside `scrumbut work`. Raises
    ConfigError when another process holds the database file."""
    if not workers:
        _must_be_shared(services, "serve --no-worker")
    with ExitStack() as running:
        running.enter_context(holding(settings.database.url))
        ready = Readiness(services)
        workspaces = _open_workspaces(settings, services, running, workers, ready)
        endpoint = _connect_slack(settings, services, running, workspaces)
        secret = settings.jira.webhook_secret.get_secret_value()
        login = Login(settings.slack, services) if _may_sign_in(settings) else None
        jira = JiraEndpoint(services, secret).receive if secret else None
        web = open_web(services, endpoint, jira, login, _ways(services, workspaces), ready)
        start_work(settings, services, running, workers, ready, workspaces)
        # uvicorn hands the signal on when it has closed; this one lets the clock and the workers end in order.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        gc.freeze()  # what is loaded by now stays, and need not be looked at again in the midst of an answer
        log.info("serving", host=settings.web.host, port=settings.web.port, slack=_mode(settings))
        uvicorn.run(
            web, host=settings.web.host, port=settings.web.port, log_level="warning", timeout_graceful_shutdown=LAST_S
        )


def work(settings: Settings, services: Services) -> None:
    """Run one replica's clock and workers until SIGTERM or Ctrl-C. Raises ConfigError on SQLite."""
    _must_be_shared(services, "work")
    with ExitStack() as running:
        ready = Readiness(services)
        workspaces = _open_workspaces(settings, services, running, workers=True, ready=ready)
        start_work(settings, services, running, workers=True, ready=ready, workspaces=workspaces)
        log.info("working")
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        ended.wait()


def _must_be_shared(services: Services, command: str) -> None:
    if not services.database.is_shared:
        raise ConfigError(
            f"scrumbut {command} needs PostgreSQL, and [database] url is {services.database.name}. On SQLite one "
            "scrumbut serve does all; scrumbut db move carries it over."
        )


def _may_sign_in(settings: Settings) -> bool:
    """Only with a bot token is it known which workspace may."""
    slack = settings.slack
    return bool(slack.client_id and slack.client_secret.get_secret_value() and slack.bot_token.get_secret_value())


def _open_workspaces(
    settings: Settings, services: Services, running: ExitStack, workers: bool, ready: Readiness
) -> Workspaces | None:
    """Those that installed the app, with the clock that ticks for them all; None where none may."""
    if services.installer is None:
        return None
    workspaces = Workspaces(settings, services, workers)
    running.callback(workspaces.close)
    running.callback(workspaces.stop, LATER_S)
    ready.parts.append(workspaces.problem)
    clock = start_clock(_logged(ready.listen(workspaces.tick)))
    running.callback(clock.shutdown)
    return workspaces


def _ways(services: Services, workspaces: Workspaces | None) -> list[Route]:
    if workspaces is None:
        return []
    installing = Installing(services, lambda _: workspaces.refresh())
    return [*installing.routes(), *workspaces.routes()]


def _connect_slack(
    settings: Settings, services: Services, running: ExitStack, workspaces: Workspaces | None
) -> Endpoint | None:
    """HTTP's endpoint, or None after Socket Mode was connected or where Slack is off."""
    if _mode(settings) == "off":
        return None
    app = open_app(settings.slack, services) if services.messenger else None
    if _mode(settings) == "http":
        others = workspaces.app_of if workspaces else None
        return SlackEndpoint(app, settings.slack.signing_secret.get_secret_value(), others).receive
    assert app is not None
    socket = SocketModeHandler(app, settings.slack.app_token.get_secret_value())
    socket.connect()  # type: ignore[no-untyped-call]  # Bolt leaves it untyped
    running.callback(socket.close)
    return None


def start_work(
    settings: Settings,
    services: Services,
    running: ExitStack,
    workers: bool = True,
    ready: Readiness | None = None,
    workspaces: Workspaces | None = None,
) -> None:
    """Start the clock, and the workers if they are wanted; `running` ends them in order, `ready` hears how they are."""
    ready = ready or Readiness(services)
    begin_work(services)
    every = read_span(settings.sync.every)
    if workers:
        started = Workers(services, others=workspaces.all_services if workspaces else None)
        started.start()
        running.callback(started.stop)
        ready.parts.append(started.problem)
    agenda = Agenda(services, lambda: schedules_of(services, every), lambda: schedules_version(services))
    clock = start_clock(_logged(ready.listen(agenda.tick)))
    running.callback(clock.shutdown)
    if workspaces:
        running.callback(workspaces.stop)  # all workers hear of the end before any is waited for


def _logged(tick: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        try:
            tick()
        except Exception:
            log.exception("tick failed")  # the next one makes up for it

    return run


def _mode(settings: Settings) -> str:
    if not (settings.slack.bot_token.get_secret_value() or settings.slack.distributed):
        return "off"
    return "socket" if settings.slack.app_token.get_secret_value() else "http"
