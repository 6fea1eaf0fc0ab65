"""The workspaces of one process: each is opened once, with a database, settings, Slack app, pages and workers of its
own, so that nothing which serves one can reach another.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from threading import RLock

import structlog
from slack_bolt import App
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bot.config import ConfigError, Settings
from bot.flows.services import Services
from bot.jira_endpoint import JiraEndpoint
from bot.slack.app import open_app
from bot.web import workspace_routes
from bot.wiring import WORKSPACES, open_workspace
from store.installations import Installation, find_installation, load_installations, seal_anew

log = structlog.get_logger(__name__)

Start = Callable[[Settings, Services, ExitStack], None]


@dataclass(frozen=True, slots=True)
class Opened:
    """One workspace as it runs; `running` ends it."""

    installed: Installation
    services: Services
    app: App
    web: Starlette
    running: ExitStack


class Workspaces:
    """All that installed the app, but the one at home. `start` sets the clock and the workers of one going."""

    def __init__(self, settings: Settings, home: Services, start: Start) -> None:
        assert home.installer is not None
        self._settings, self._home, self._start = settings, home, start
        self._installer = home.installer
        self._opened: dict[str, Opened] = {}
        self._lock = RLock()
        with home.database.write() as connection:
            seal_anew(connection, home.installer.vault)

    def refresh(self) -> None:
        """Open what was installed and close what has gone, here or in another process."""
        with self._home.database.read() as connection:
            known = {one.id: one for one in load_installations(connection) if one.gone_at is None}
        with self._lock:
            for id_ in [id_ for id_, opened in self._opened.items() if known.get(id_) != opened.installed]:
                self._opened.pop(id_).running.close()
            for id_ in known.keys() - self._opened.keys() - {self._settings.slack.home}:
                self._open(known[id_])

    def app_of(self, enterprise: str, team: str) -> App | None:
        """The Slack app of the workspace that a request comes from; None for the one at home, and for none of ours."""
        opened = self._find(enterprise, team)
        return opened.app if opened else None

    def routes(self) -> list[Route]:
        """The pages and hooks of them all, each below its id."""
        return [Route(WORKSPACES + "{workspace}/{rest:path}", _Ways(self))]

    def web_of(self, id_: str) -> Starlette | None:
        """The pages of one."""
        opened = self._opened.get(id_)
        return opened.web if opened else None

    def services_of(self, id_: str) -> Services:
        """What serves one. Raises KeyError."""
        return self._opened[id_].services

    def close(self) -> None:
        """End them all."""
        with self._lock:
            while self._opened:
                self._opened.popitem()[1].running.close()

    def _find(self, enterprise: str, team: str) -> Opened | None:
        if team in self._opened:
            return self._opened[team]
        with self._home.database.read() as connection:
            found = find_installation(connection, enterprise, team)
        if found is None or found.gone_at is not None:
            return None
        if found.id not in self._opened:
            self.refresh()
        return self._opened.get(found.id)

    def _open(self, installed: Installation) -> None:
        try:
            settings, services = open_workspace(self._settings, self._home, installed)
        except ConfigError as error:  # one that cannot be opened keeps no other from its work
            log.error("workspace not opened", workspace=installed.id, why=str(error))
            return
        running = ExitStack()
        running.callback(services.database.close)
        secret = settings.jira.webhook_secret.get_secret_value()
        web = Starlette(routes=workspace_routes(services, JiraEndpoint(services, secret).receive if secret else None))
        app = open_app(settings.slack, services)
        self._opened[installed.id] = Opened(installed, services, app, web, running)
        self._start(settings, services, running)
        log.info("workspace opened", workspace=installed.id)


class _Ways:
    """Passes a request on to its workspace's pages, without what stands before them in the address."""

    def __init__(self, workspaces: Workspaces) -> None:
        self._workspaces = workspaces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        params = Request(scope).path_params
        web = self._workspaces.web_of(params["workspace"])
        if web is None:
            await Response(status_code=404)(scope, receive, send)
            return
        path = f"/{params['rest']}"
        await web({**scope, "path": path, "raw_path": path.encode(), "root_path": ""}, receive, send)
