"""The queue of many replicas: procrastinate on PostgreSQL. The rest of the product knows it through `store.queue`.

A task may run twice: a replica that was killed, paused or cut off loses its tasks to the others after the stall time.
The workspaces of one PostgreSQL have one queue in common, each task with its workspace's id among its arguments; the
home has one of its own. Questions are answered for the connection's workspace alone.
"""

import asyncio
import logging
import math
import threading
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import procrastinate
import psycopg
import stamina
import structlog
from procrastinate import exceptions, jobs, manager, schema
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from sqlalchemy import Connection, text

from store.dialect import workspace_of
from store.queue import SCHEMA, UNKNOWN, WOKEN

log = structlog.get_logger(__name__)
# Its own messages quote a task's arguments, which people wrote; what matters of them is said below.
logging.getLogger("procrastinate").setLevel(logging.CRITICAL)

POLL_S = 2.0  # how long new work waits where the listener is dead, as it is after the database restarted
AGAIN_S = 1.0  # before a worker that ended begins anew
CONNECTIONS = 10  # of a replica's workers: each listens on one
PATIENCE_S = 60  # how long the end of a task waits for a database that is away
DELIVERY = "deliver_outbox"  # the task that looks at a workspace's outbox
OURS = "coalesce(args ->> 'workspace', '') = :workspace"
FAIR_MOST = 1_000  # of what a workspace has waiting, from which on more does not set it further back
NO_DELIVERY = f"task_name <> '{DELIVERY}'"  # what the outbox knows by itself
INDEX = """
CREATE INDEX scrumbut_jobs_workspace ON procrastinate_jobs ((coalesce(args ->> 'workspace', ''))) WHERE status = 'todo'
"""
# One replica at a time looks for stalled tasks of each queue.
RESCUE = "SELECT pg_try_advisory_xact_lock(hashtext('scrumbut rescue'), hashtext(current_schema()))"

Work = Callable[[Mapping[str, Any]], None]
# Only hands over: it is never opened, every call brings its own connection. After `open_async` the workers' own one
# would hang in a thread without a loop.
_giver = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())


def defer(connection: Connection, key: str, queue: str, name: str, args: Mapping[str, Any]) -> bool:
    """Hand work over within the caller's transaction; False when a task of that key waits or is worked on already."""
    known = text("SELECT 1 FROM procrastinate_jobs WHERE queueing_lock = :key AND status IN ('todo', 'doing')")
    lock = f"{workspace_of(connection)}{key}"
    if connection.execute(known, {"key": lock}).first() is not None:
        return False
    return _defer_once(connection, _Work(queue, name, args, lock))


def defer_all(connection: Connection, works: Sequence[tuple[str, str, Mapping[str, Any]]]) -> None:
    """Hand over work that is known to be new, as (queue, name, args)."""
    if works:
        _defer(connection, [_Work(*work) for work in works])


def defer_delivery(connection: Connection, queue: str, after: timedelta) -> None:
    """See that the workspace's outbox is looked at, at once or then. At once it is a task for each transaction, for no
    earlier one is sure to see what this one puts; later, one for each second."""
    if after <= timedelta(0):
        if not connection.info.get(WOKEN):
            connection.info[WOKEN] = True
            _defer(connection, [_Work(queue, DELIVERY, {})])
        return
    now: datetime | None = connection.scalar(text("SELECT now()"))
    assert now is not None
    second = math.ceil((now + after).timestamp())
    lock = f"{workspace_of(connection)}{DELIVERY}:{second}"
    _defer_once(connection, _Work(queue, DELIVERY, {}, lock, datetime.fromtimestamp(second, UTC)))


@dataclass(frozen=True, slots=True)
class _Work:
    queue: str
    name: str
    args: Mapping[str, Any]
    lock: str | None = None
    at: datetime | None = None


def _defer_once(connection: Connection, work: _Work) -> bool:
    try:
        with connection.begin_nested():
            _defer(connection, [work])
    except exceptions.AlreadyEnqueued:
        return False
    return True


def _defer(connection: Connection, works: Sequence[_Work]) -> None:
    """Among workspaces, those take turns: a task stands as far back as its own workspace has tasks in front of it."""
    workspace = workspace_of(connection)
    before = count_waiting(connection, FAIR_MOST) if workspace else 0
    own = {"workspace": workspace} if workspace else {}
    given = [
        jobs.Job(
            id=None,
            queue=work.queue,
            lock=None,
            queueing_lock=work.lock,
            task_name=work.name,
            task_kwargs={**work.args, **own},
            priority=-(before + place) if workspace else 0,
            scheduled_at=work.at,
        )
        for place, work in enumerate(works)
    ]
    _giver.job_manager.batch_defer_jobs(given, connection=connection.connection.driver_connection)


def count_by_state(connection: Connection) -> dict[str, int]:
    """How many tasks are in each of procrastinate's states."""
    query = f"SELECT status::text, count(*) FROM procrastinate_jobs WHERE {OURS} AND {NO_DELIVERY} GROUP BY 1"
    return dict(connection.execute(text(query), _ours(connection)).all())


def load_waiting(connection: Connection) -> list[tuple[str, str, dict[str, Any]]]:
    """Key, name and arguments of all that is not done yet, without what says whose they are: they may be carried to
    another place."""
    key = "coalesce(substr(queueing_lock, length(:workspace) + 1), 'moved:' || id)"
    query = f"SELECT {key}, task_name, args - 'workspace' FROM procrastinate_jobs "
    which = f"WHERE status IN ('todo', 'doing') AND {OURS} AND {NO_DELIVERY} ORDER BY id"
    rows = connection.execute(text(query + which), _ours(connection))
    return [(key, name, args) for key, name, args in rows]


def count_waiting(connection: Connection, most: int) -> int:
    """How many tasks wait, counted up to that many."""
    some = f"SELECT 1 FROM procrastinate_jobs WHERE status = 'todo' AND {OURS} LIMIT :most"
    query = text(f"SELECT count(*) FROM ({some}) AS part")
    return connection.scalar(query, {"most": most, **_ours(connection)}) or 0


def is_ready(connection: Connection) -> bool:
    """Whether a task waits that may be worked on at once."""
    ready = f"status = 'todo' AND coalesce(scheduled_at, now()) <= now() AND {OURS}"
    query = text(f"SELECT 1 FROM procrastinate_jobs WHERE {ready} LIMIT 1")
    return connection.execute(query, _ours(connection)).first() is not None


def next_due(connection: Connection) -> datetime | None:
    """When the earliest waiting task may be worked on; a time long past for one that may be at once."""
    which = f"status = 'todo' AND {OURS} AND {NO_DELIVERY}"
    query = text(f"SELECT min(coalesce(scheduled_at, 'epoch')) FROM procrastinate_jobs WHERE {which}")
    due: datetime | None = connection.scalar(query, _ours(connection))
    return due


def drop_failed(connection: Connection, before: datetime | None = None, naming: str = "") -> int:
    """Delete tasks that were given up: those where nothing happened since `before`, or whose arguments have a word."""
    recent = "EXISTS (SELECT 1 FROM procrastinate_events WHERE job_id = procrastinate_jobs.id AND at >= :before)"
    which = f"NOT {recent}" if before else "position(:naming IN args::text) > 0"
    deleted = f"DELETE FROM procrastinate_jobs WHERE status = 'failed' AND {OURS} AND {which} RETURNING id"
    given = {"before": before} if before else {"naming": naming}
    return len(connection.execute(text(deleted), given | _ours(connection)).all())


def _ours(connection: Connection) -> dict[str, str]:
    return {"workspace": workspace_of(connection)}


@contextmanager
def within(connection: Connection) -> Iterator[None]:
    """In the schema of the queue, which the workspaces have in common; at home it is the home's own."""
    if not workspace_of(connection):
        yield
        return
    (path,) = connection.execute(text("SELECT current_setting('search_path')")).one()
    connection.execute(text(f"SELECT pg_advisory_xact_lock(hashtext('{SCHEMA}'))"))  # replicas start together
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    connection.execute(text(f"SET LOCAL search_path = {SCHEMA}"))
    yield
    connection.execute(text("SELECT set_config('search_path', :path, true)"), {"path": path})


def upgrade(connection: Connection, applied: set[str]) -> set[str]:
    """Bring procrastinate's own tables to the installed version; returns the names of its migrations that are now
    part of the database, of which `applied` were before."""
    files = {path.name: path for path in schema.migrations_path.glob("*.sql")}
    there = connection.scalar(text("SELECT to_regclass('procrastinate_jobs')")) is not None
    if not there:
        _run(connection, schema.SchemaManager.get_schema())
        _run(connection, INDEX)
    elif applied:
        for name in sorted(files.keys() - applied):
            _run(connection, files[name].read_text(encoding="utf-8"))
    return set(files) | applied


def _run(connection: Connection, script: str) -> None:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    driver.execute(script.encode())  # no parameters, so a percent sign stands for itself


class _PatientManager(manager.JobManager):
    """Tells the database how a task ended even where that was away for a moment: nobody else would, while this worker
    lives. And the log of a task of another version, which procrastinate gives up at once and only tells a log of its
    own."""

    def __init__(self, connector: Any, known: Collection[str]) -> None:
        super().__init__(connector)
        self._known = known

    async def finish_job(self, *args: Any, **kwargs: Any) -> None:
        async for attempt in stamina.retry_context(on=_is_away, timeout=PATIENCE_S, attempts=None):
            with attempt:
                await super().finish_job(*args, **kwargs)

    async def fetch_job(self, *args: Any, **kwargs: Any) -> jobs.Job | None:
        job = await super().fetch_job(*args, **kwargs)
        if job and job.task_name not in self._known:
            log.error("task given up", task=job.task_name, attempts=job.attempts + 1, why=UNKNOWN)
        return job

    async def retry_job(self, *args: Any, **kwargs: Any) -> None:
        async for attempt in stamina.retry_context(on=_is_away, timeout=PATIENCE_S, attempts=None):
            with attempt:
                await super().retry_job(*args, **kwargs)


def _is_away(error: Exception) -> bool:
    """Else the database answered: another worker ended the task before, or the same work waits already."""
    cause = error.__cause__
    return isinstance(error, exceptions.ConnectorException) and isinstance(
        cause, psycopg.OperationalError | psycopg.InterfaceError
    )


class _Backoff(BaseRetryStrategy):
    def __init__(self, wait: Callable[[int], timedelta | None]) -> None:
        self._wait = wait

    def get_retry_decision(self, *, exception: BaseException, job: jobs.Job) -> RetryDecision | None:
        wait = self._wait(job.attempts + 1)
        return None if wait is None else RetryDecision(retry_in={"seconds": int(wait.total_seconds())})


class SharedWorkers:
    """The workers of one replica, each queue with its own, in a thread of their own until they are stopped."""

    def __init__(
        self,
        address: str,
        tasks: Mapping[str, Work],
        threads: Mapping[str, int],
        wait: Callable[[int], timedelta | None],
        stall_s: float,
    ) -> None:
        """`threads` says how many tasks of each queue run at once, `wait` how long after its n-th failure a task
        rests, None to give it up; a worker that is silent for `stall_s` loses its tasks."""
        self._address, self._tasks, self._threads = address, tasks, threads
        self._backoff, self._stall_s = _Backoff(wait), stall_s
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), daemon=True, name="workers")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = threading.Event()
        self._wake: asyncio.Event | None = None

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether they work, or try to."""
        return self._thread.is_alive()

    def stop(self, patience_s: float) -> bool:
        """End after the work in hand; False when that takes longer, and is left to the other replicas."""
        self._stopped.set()
        if self._loop is not None and self._wake is not None:
            with suppress(RuntimeError):  # it may have ended already
                self._loop.call_soon_threadsafe(self._wake.set)
        self._thread.join(patience_s)
        return not self._thread.is_alive()

    def drain(self) -> None:
        """Work in this thread until nothing is due."""
        asyncio.run(self._drain())

    async def _drain(self) -> None:
        async with self._app().open_async() as app:
            await app.run_worker_async(**self._options(wait=False, listen_notify=False))

    def _app(self) -> procrastinate.App:
        connector = procrastinate.PsycopgConnector(conninfo=self._address, min_size=1, max_size=CONNECTIONS)
        app = procrastinate.App(connector=connector)
        app.job_manager = _PatientManager(app.connector, self._tasks)
        for name, work in self._tasks.items():
            app.task(name=name, retry=self._backoff)(_taking_args(work))
        return app

    def _options(self, **own: Any) -> Any:
        return {
            "fetch_job_polling_interval": POLL_S,
            "delete_jobs": "successful",
            "install_signal_handlers": False,
            "update_heartbeat_interval": self._stall_s / 3,
            "stalled_worker_timeout": self._stall_s,
            **own,
        }

    async def _live(self) -> None:
        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        self._loop.set_default_executor(ThreadPoolExecutor(sum(self._threads.values()) + 2))
        app = self._app()
        await self._again(self._until_open, app)
        parts = [asyncio.create_task(self._again(self._rescue, app))] + [
            asyncio.create_task(self._again(self._work, app, queue, threads))
            for queue, threads in self._threads.items()
        ]
        if not self._stopped.is_set():
            await self._wake.wait()
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
        await app.close_async()

    async def _again(self, part: Callable[..., Awaitable[bool]], *given: Any) -> None:
        """Do one part of the work again and again, whatever ends it, until there is no more of it. A worker ends when
        it was pruned while it was paused, and where the database restarts."""
        more = True
        while more and not self._stopped.is_set():
            try:
                more = await part(*given)
            except Exception as error:
                log.warning("workers begin anew", part=part.__name__, why=f"{type(error).__name__}: {error}")
            if more and not self._stopped.is_set():
                await asyncio.sleep(AGAIN_S)

    async def _until_open(self, app: procrastinate.App) -> bool:
        await app.open_async()
        return False

    async def _work(self, app: procrastinate.App, queue: str, threads: int) -> bool:
        await app.run_worker_async(**self._options(queues=[queue], name=queue, concurrency=threads))
        return True

    async def _rescue(self, app: procrastinate.App) -> bool:
        """Give the tasks of silent workers back: one replica at a time does so, and none waits for another that was
        paused meanwhile."""
        await asyncio.sleep(self._stall_s / 2)
        async with await psycopg.AsyncConnection.connect(self._address) as connection:
            row = await (await connection.execute(RESCUE)).fetchone()
            if row is not None and row[0]:
                for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=self._stall_s):
                    log.warning("task taken over", task=job.task_name, attempt=job.attempts + 1)
                    await _give_back(app, job)
        return True


async def _give_back(app: procrastinate.App, job: jobs.Job) -> None:
    try:
        await app.job_manager.retry_job(job)
    except exceptions.UniqueViolation:  # the same work waits already
        await app.job_manager.finish_job(job, jobs.Status.FAILED, delete_job=True)


def _taking_args(work: Work) -> Callable[..., None]:
    def run(**args: Any) -> None:
        work(args)

    return run
