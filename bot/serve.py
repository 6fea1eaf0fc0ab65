"""One process: the web side, the clock and the workers over one database."""

import fcntl
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import structlog
import uvicorn
from slack_bolt.adapter.socket_mode import SocketModeHandler
from starlette.routing import Route

from backlog.cadence import read_span
from bot.config import ConfigError, Settings
from bot.flows.run_due import run_due
from bot.flows.services import Services
from bot.installing import Installing
from bot.jira_endpoint import JiraEndpoint
from bot.login import Login
from bot.schedule import schedules_of, start_clock
from bot.slack.app import open_app
from bot.slack.endpoint import SlackEndpoint
from bot.web import Endpoint, open_web
from bot.work import Workers
from bot.workspaces import Workspaces
from store import queue

log = structlog.get_logger(__name__)


def serve(settings: Settings, services: Services) -> None:
    """Run until SIGTERM or Ctrl-C. Raises ConfigError when another process holds the database file."""
    with ExitStack() as running:
        running.enter_context(_only_one(settings.database.url))
        workspaces = _open_workspaces(settings, services, running)
        endpoint = _connect_slack(settings, services, running, workspaces)
        secret = settings.jira.webhook_secret.get_secret_value()
        login = Login(settings.slack, services) if _may_sign_in(settings) else None
        jira = JiraEndpoint(services, secret).receive if secret else None
        web = open_web(services, endpoint, jira, login, _ways(services, workspaces))
        _start_work(settings, services, running)
        # uvicorn hands the signal on when it has closed; this one lets the clock and the workers end in order.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        log.info("serving", host=settings.web.host, port=settings.web.port, slack=_mode(settings))
        uvicorn.run(web, host=settings.web.host, port=settings.web.port, log_level="warning")


def _may_sign_in(settings: Settings) -> bool:
    """Only with a bot token is it known which workspace may."""
    slack = settings.slack
    return bool(slack.client_id and slack.client_secret.get_secret_value() and slack.bot_token.get_secret_value())


def _open_workspaces(settings: Settings, services: Services, running: ExitStack) -> Workspaces | None:
    """Those that installed the app; None where none may. They are looked at every few seconds, for another replica may
    have let one in."""
    if services.installer is None:
        return None
    workspaces = Workspaces(settings, services, _start_work)
    running.callback(workspaces.close)
    workspaces.refresh()
    looking = start_clock(_logged(workspaces.refresh))
    running.callback(looking.shutdown)
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


def _start_work(settings: Settings, services: Services, running: ExitStack) -> None:
    with services.database.write() as connection:
        queue.release_all(connection, services.now())
        # Nobody's role and no webhook waits for the clock after a start.
        at_once = {"refresh_groups": services.roles.groups, "keep_webhook": services.webhook}
        for task in (task for task, wanted in at_once.items() if wanted):
            queue.defer(connection, f"{task}:{services.now().isoformat()}", task, {}, services.now())
    every = read_span(settings.sync.every)
    workers = Workers(services)
    workers.start()
    running.callback(workers.stop)
    clock = start_clock(_logged(lambda: run_due(services, schedules_of(services, every))))
    running.callback(clock.shutdown)


def _logged(tick: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        try:
            tick()
        except Exception:
            log.exception("tick failed")  # the next one, a second later, makes up for it

    return run


def _mode(settings: Settings) -> str:
    if not (settings.slack.bot_token.get_secret_value() or settings.slack.distributed):
        return "off"
    return "socket" if settings.slack.app_token.get_secret_value() else "http"


@contextmanager
def _only_one(url: str) -> Iterator[None]:
    """Hold the lock beside a SQLite file; two processes would both deliver and both tick."""
    if not url.startswith("sqlite:///"):
        yield
        return
    path = Path(url.removeprefix("sqlite:///") + ".lock")
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise ConfigError(
                f"Another scrumbut serve (process {holder}) uses {url}. Stop it, or name another [database] url."
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
