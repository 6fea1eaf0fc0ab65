"""The workspaces of one process: each is opened once, with a database, settings, Slack app and pages of its own, so
that nothing which serves one can reach another. One clock ticks for them all, and on PostgreSQL one set of workers
serves them, so that a thousand cost little more than what they have to do.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from threading import Event, RLock
from typing import TYPE_CHECKING

import structlog
from slack_bolt import App
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from backlog.cadence import read_span
from bot.config import ConfigError, Settings
from bot.flows.run_due import NEVER, Agenda, Schedule
from bot.flows.services import Services
from bot.jira_endpoint import JiraEndpoint
from bot.schedule import schedules_of, schedules_version
from bot.slack.app import open_app
from bot.web import workspace_routes
from bot.wiring import WORKSPACES, open_workspace
from bot.work import begin_work, shared_workers
from store.database import WorkspaceDatabases
from store.installations import Installation, find_installation, load_installations, seal_anew

if TYPE_CHECKING:
    from store.shared_queue import SharedWorkers

log = structlog.get_logger(__name__)

REFRESH = timedelta(seconds=2)  # how long a workspace that another replica let in may wait
AGAIN = timedelta(minutes=1)  # before one that could not be opened is tried again, unless somebody asks for it
OPENED_MOST = 20  # at one beat, so that the clock of those already open goes on
LOOK = timedelta(seconds=15)  # how long a schedule that another replica was told may go unseen: each look is a question


LoadSchedules = Callable[[Services, timedelta], Sequence[Schedule]]


@dataclass(frozen=True)
class Opened:
    """One workspace as it runs; what only requests need is made at the first one."""

    installed: Installation
    settings: Settings
    services: Services
    agenda: Agenda

    @cached_property
    def app(self) -> App:
        """What answers its Slack."""
        return open_app(self.settings.slack, self.services)

    @cached_property
    def web(self) -> Starlette:
        """Its pages and hooks."""
        secret = self.settings.jira.webhook_secret.get_secret_value()
        jira = JiraEndpoint(self.services, secret).receive if secret else None
        return Starlette(routes=workspace_routes(self.services, jira))


class Workspaces:
    """All that installed the app, but the one at home. With `works` they have workers in this process: on PostgreSQL
    these are its own, on SQLite whoever works at home works for them too."""

    def __init__(
        self, settings: Settings, home: Services, works: bool = False, schedules: LoadSchedules = schedules_of
    ) -> None:
        assert home.installer is not None
        self._settings, self._home, self._works, self._schedules = settings, home, works, schedules
        self._databases = WorkspaceDatabases(settings.database.url)
        self._opened: dict[str, Opened] = {}
        self._lock = RLock()
        self._refused: dict[str, datetime] = {}  # those that could not be opened, and when to try again
        self._refreshed_at = NEVER
        self._stopped = Event()
        self._workers: SharedWorkers | None = None
        with home.database.write() as connection:
            seal_anew(connection, home.installer.vault)

    def tick(self) -> None:
        """Hand over what came due in any of them; one that fails keeps no other waiting."""
        now = self._home.now()
        if not self._refreshed_at <= now < self._refreshed_at + REFRESH and self.refresh(OPENED_MOST):
            self._refreshed_at = now
        due = [opened for opened in list(self._opened.values()) if opened.agenda.has_news(now)]
        # In an order of its own, so that of two replicas each finds half of it done by the other.
        random.shuffle(due)
        for opened in due:
            if self._stopped.is_set():
                return
            try:
                opened.agenda.tick()
            except Exception:
                log.exception("tick failed", workspace=opened.installed.id)  # the next one makes up for it

    def refresh(self, most: int | None = None) -> bool:
        """Open what was installed, at most that many, and close what has gone, here or in another process; whether all
        are open now."""
        with self._home.database.read() as connection:
            known = {one.id: one for one in load_installations(connection) if one.gone_at is None}
        for id_ in [id_ for id_, opened in self._opened.items() if known.get(id_) != opened.installed]:
            self._close(id_)
        now = self._home.now()
        waiting = {id_ for id_, until in self._refused.items() if until > now}
        shut = sorted(known.keys() - self._opened.keys() - waiting - {self._settings.slack.home})
        for id_ in shut[:most]:
            self._open(known[id_])
        return most is None or len(shut) <= most

    def app_of(self, enterprise: str, team: str) -> App | None:
        """The Slack app of the workspace that a request comes from; None for the one at home, and for none of ours."""
        opened = self._find(enterprise, team)
        return opened.app if opened else None

    def routes(self) -> list[Route]:
        """The pages and hooks of them all, each below its id."""
        return [Route(WORKSPACES + "{workspace}/{rest:path}", _Ways(self))]

    def web_of(self, id_: str) -> Starlette | None:
        """The pages of one, which the clock may not have opened yet after a start; None where it has left."""
        opened = self._find("", id_)
        return opened.web if opened else None

    def services_of(self, id_: str) -> Services | None:
        """What serves one that another replica may have let in; None where it has left."""
        opened = self._find("", id_)
        return opened.services if opened else None

    def all_services(self) -> Sequence[Services]:
        """What serves each of them."""
        return [opened.services for opened in list(self._opened.values())]

    def problem(self) -> str:
        """Why their work is not being done; empty where it is."""
        return "" if self._workers is None or self._workers.is_alive() else "the workers of workspaces ended"

    def stop(self, patience_s: float = 0.0) -> None:
        """End clock and workers after the work in hand; what takes longer is left to other replicas."""
        self._stopped.set()
        if self._workers is not None:
            self._workers.stop(patience_s)

    def close(self) -> None:
        """End them all."""
        for id_ in list(self._opened):
            self._close(id_)
        self._databases.close()

    def _find(self, enterprise: str, team: str) -> Opened | None:
        if team in self._opened:
            return self._opened[team]
        with self._home.database.read() as connection:
            found = find_installation(connection, enterprise, team)
        if found is None or found.gone_at is not None or found.id == self._settings.slack.home:
            return None
        if found.id not in self._opened:
            self._open(found)
        return self._opened.get(found.id)

    def _open(self, installed: Installation) -> None:
        with self._lock:
            if installed.id in self._opened:
                return
            try:
                settings, services = open_workspace(self._settings, self._home, installed, self._databases.open)
            except ConfigError as error:  # one that cannot be opened keeps no other from its work
                log.error("workspace not opened", workspace=installed.id, why=str(error))
                self._refused[installed.id] = self._home.now() + AGAIN
                return
            services = replace(services, neighbour=self.services_of)
            every = read_span(settings.sync.every)
            agenda = Agenda(
                services, lambda: self._schedules(services, every), lambda: schedules_version(services), LOOK
            )
            begin_work(services)
            self._opened[installed.id] = Opened(installed, settings, services, agenda)
            if self._works and self._workers is None and services.database.is_shared:
                self._workers = shared_workers(services)
                self._workers.start()
            log.info("workspace opened", workspace=installed.id)

    def _close(self, id_: str) -> None:
        with self._lock:
            opened = self._opened.pop(id_, None)
            if opened is not None:
                opened.services.database.close()


class _Ways:
    """Passes a request on to its workspace's pages, without what stands before them in the address."""

    def __init__(self, workspaces: Workspaces) -> None:
        self._workspaces = workspaces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        params = Request(scope).path_params
        web = await run_in_threadpool(self._workspaces.web_of, params["workspace"])
        if web is None:
            await Response(status_code=404)(scope, receive, send)
            return
        path = f"/{params['rest']}"
        await web({**scope, "path": path, "raw_path": path.encode(), "root_path": ""}, receive, send)
