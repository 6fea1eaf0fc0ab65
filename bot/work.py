"""The work behind the clock and the commands: takes tasks from the queue and runs their flow.

A new kind of work is one function and one entry in TASKS. A task may run twice; the flows below are built for it.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from backlog.errors import BacklogError
from bot.flows.deliver_outbox import deliver_all
from bot.flows.drop_old import drop_all_old
from bot.flows.forecast import keep_and_settle
from bot.flows.keep_webhook import keep_webhook
from bot.flows.poll_metrics import poll_source
from bot.flows.read_comments import read_comments
from bot.flows.refresh_groups import refresh_groups
from bot.flows.remind_people import remind_people
from bot.flows.report_plans import find_plan
from bot.flows.review_report import ask_reviewer
from bot.flows.run_due import Schedule, run_due
from bot.flows.services import Services
from bot.flows.sync_backlog import sync_backlog, take_census
from bot.flows.tell_subscribers import tell_subscribers
from bot.flows.thin_readings import thin_all
from bot.flows.watch_appetites import watch_appetites
from bot.flows.watch_risks import watch_risks
from bot.flows.write_report import write_report
from bot.slack.answers import answer_later
from bot.slack.modals.message import fill_from_message
from bot.slack.modals.trial import show_trial
from integrations.http import IntegrationError
from store import outbox, queue
from store.people import forget_deliveries
from store.queue import UNKNOWN

if TYPE_CHECKING:
    from store.shared_queue import SharedWorkers

log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=10)  # how long a task may take before another worker takes it over
ATTEMPTS = 8
BACKOFF = timedelta(seconds=5)  # doubled with every attempt
DELIVERIES_KEPT = timedelta(days=1)  # Slack repeats a request within minutes
THREADS = {queue.POST: 2, queue.POLL: 2, queue.SYNC: 1}  # of one replica among many, for each class of work
THREADS_OF_MANY = {queue.POST: 4, queue.POLL: 2, queue.SYNC: 2}  # the same for all other workspaces together
DELIVERIES_MOST = 20  # of one workspace, before the next has its turn
DELIVERING = 2  # threads that deliver what several workspaces of one process have to say
PATIENCE_S = 5.0  # for the work in hand at the end
IDLE_S = 0.25  # how often a worker without work looks again


def _poll(services: Services, args: Mapping[str, Any]) -> None:
    plan = services.sources.get(args["source"])
    if plan is None:
        return  # taken out of the config since it was scheduled
    done = poll_source(services, plan)
    if done.busy:
        log.warning("still being polled", source=done.source)  # the poll before takes longer than `every`
        return
    log.info(
        "polled", source=done.source, metrics=done.metrics, readings=done.readings, late=done.late, error=done.error
    )


@contextmanager
def _refusable(warning: str) -> Iterator[None]:
    """What an outside service refuses is only told: the next round does the same again."""
    try:
        yield
    except IntegrationError as error:
        log.warning(warning, why=str(error))


def _sync(services: Services, args: Mapping[str, Any]) -> None:
    with _refusable("not synced"):
        done = sync_backlog(services)
        log.info("synced", pulled=done.issues, pages=done.pages)


def _report(services: Services, args: Mapping[str, Any]) -> None:
    try:
        plan = find_plan(services, args["report"], args["audience"], args.get("number", 0))
    except BacklogError:
        return  # removed since it came due
    done = write_report(services, plan, datetime.fromisoformat(args["due_at"]))
    log.info("report", id=done.report.id, new=done.fresh, sent=done.sent, withheld=done.withheld, note=done.report.note)


def _review(services: Services, args: Mapping[str, Any]) -> None:
    try:
        plan = find_plan(services, args["report"], args["audience"], args["number"])
    except BacklogError:
        return
    due_at = datetime.fromisoformat(args["due_at"]) + plan.preview
    log.info("reviewer asked", report=plan.key, asked=ask_reviewer(services, plan, due_at))


def _appetites(services: Services, args: Mapping[str, Any]) -> None:
    with services.database.write() as connection:
        forget_deliveries(connection, services.now() - DELIVERIES_KEPT)
    log.info("watched appetites", changed=watch_appetites(services))


def _risks(services: Services, args: Mapping[str, Any]) -> None:
    opened, resolved = watch_risks(services)
    log.info("watched risks", opened=len(opened), resolved=resolved, forecasts_settled=keep_and_settle(services))


def _webhook(services: Services, args: Mapping[str, Any]) -> None:
    with _refusable("webhook not kept"):
        log.info("webhook kept", what=keep_webhook(services))


def _census(services: Services, args: Mapping[str, Any]) -> None:
    with _refusable("no census"):
        log.info("census taken", unreachable=len(take_census(services)))


def _comments(services: Services, args: Mapping[str, Any]) -> None:
    with _refusable("comments not read"):  # the next change of the issue reads them
        log.info("read comments", comments=read_comments(services, args["issue"]))


def _groups(services: Services, args: Mapping[str, Any]) -> None:
    log.info("refreshed groups", groups=refresh_groups(services))


def _subscribers(services: Services, args: Mapping[str, Any]) -> None:
    log.info("told subscribers", messages=tell_subscribers(services))


def _people(services: Services, args: Mapping[str, Any]) -> None:
    log.info("reminded", people=remind_people(services))


def _thin(services: Services, args: Mapping[str, Any]) -> None:
    done = thin_all(services)
    log.info("readings thinned", to_hours=done.readings, to_days=done.hours)


def _drop_old(services: Services, args: Mapping[str, Any]) -> None:
    log.info("old records dropped", **drop_all_old(services))


def _deliver(services: Services, args: Mapping[str, Any]) -> None:
    """A slice of the outbox; what is left, and what comes due later, is another task's."""
    deliver_all(services, DELIVERIES_MOST)
    with services.database.read() as connection:
        due = outbox.next_due(connection, services.quiet)
    if due is not None:
        with services.database.write() as connection:
            queue.wake(connection, due - services.now())


TASKS: Mapping[str, Callable[[Services, Mapping[str, Any]], None]] = {
    "poll_source": _poll,
    "thin_readings": _thin,
    "drop_old": _drop_old,
    "sync_backlog": _sync,
    "take_census": _census,
    "keep_webhook": _webhook,
    "read_comments": _comments,
    "watch_appetites": _appetites,
    "watch_risks": _risks,
    "refresh_groups": _groups,
    "tell_subscribers": _subscribers,
    "remind_people": _people,
    "write_report": _report,
    "ask_reviewer": _review,
    "answer_words": answer_later,
    "show_trial": show_trial,
    "fill_from_message": fill_from_message,
    "deliver_outbox": _deliver,
}


def begin_work(services: Services) -> None:
    """What a start has to see to: work that was in hand when the last process ended, and nobody's role and no webhook
    waits for the clock."""
    wanted = {"refresh_groups": services.roles.groups, "keep_webhook": services.webhook}
    at_once = [task for task, is_wanted in wanted.items() if is_wanted]
    if services.database.is_shared and not at_once:
        return
    with services.database.write() as connection:
        if not services.database.is_shared:
            queue.release_all(connection, services.now())
        for task in at_once:
            queue.defer(connection, f"{task}:{services.now().isoformat()}", task, {}, services.now())


def work_once(services: Services, without: Collection[str] = ()) -> bool:
    """Run the next task that is due, on PostgreSQL all that are; False when there is none. A task that fails is tried
    again later."""
    if services.database.is_shared:
        return _drain(services)
    task = _claim(services, without)
    if task is None:
        return False
    if task.name not in TASKS:
        _give_up(services, task, UNKNOWN)
        return True
    try:
        TASKS[task.name](services, task.args)
    except Exception as error:
        _try_again(services, task, error)
    else:
        with services.database.write() as connection:
            queue.finish(connection, task)
    return True


def _drain(services: Services) -> bool:
    with services.database.read() as connection:
        ready = queue.is_ready(connection, services.now())
    if ready:
        shared_workers(services).drain()
    return ready


def shared_workers(services: Services) -> "SharedWorkers":
    """The same tasks for the workers of one replica among many, which take them from the queue of these services."""
    from store.shared_queue import SharedWorkers

    tasks = {name: partial(_run, name, services) for name in TASKS}
    threads = THREADS_OF_MANY if services.database.workspace else THREADS
    return SharedWorkers(services.database.address, tasks, threads, rest_after, services.stall.total_seconds())


def _run(name: str, services: Services, args: Mapping[str, Any]) -> None:
    workspace = args.get("workspace", "")
    try:
        found = services if workspace == services.database.workspace else services.neighbour(workspace)
        if found is None:
            log.info("task of a workspace that has left", task=name, workspace=workspace)
            return
        TASKS[name](found, args)
    except Exception as error:
        log.warning("task failed", task=name, why=f"{type(error).__name__}: {error}", exc_info=error)
        raise


def rest_after(attempt: int) -> timedelta | None:
    """How long a task rests after that failed attempt; None when it is given up."""
    return None if attempt >= ATTEMPTS else BACKOFF * (1 << (attempt - 1))


def _claim(services: Services, without: Collection[str]) -> queue.Task | None:
    now = services.now()
    with services.database.read() as connection:
        due = queue.next_due(connection, without)
    if due is None or due > now:
        return None  # the common case takes no lock
    with services.database.write() as connection:
        return queue.claim(connection, now, LEASE, without)


def _try_again(services: Services, task: queue.Task, error: Exception) -> None:
    what, rest = f"{type(error).__name__}: {error}", rest_after(task.attempt)
    if rest is None:
        _give_up(services, task, what)
        return
    log.warning("task failed", task=task.name, attempt=task.attempt, why=what, exc_info=error)
    with services.database.write() as connection:
        queue.retry(connection, task, services.now() + rest, what)


def _give_up(services: Services, task: queue.Task, why: str) -> None:
    log.error("task given up", task=task.name, attempts=task.attempt, why=why)
    with services.database.write() as connection:
        queue.fail(connection, task, why)


def run_until_settled(
    services: Services, schedules: Sequence[Schedule], wait: Callable[[float], None] = time.sleep
) -> None:
    """Run all that is due, work and deliveries alike, until nothing is pending any more.

    Waits for retries and look-ups that come due later, so it may take as long as the outbox's quiet time.
    """
    run_due(services, schedules)
    while True:
        while work_once(services) or deliver_all(services):
            pass
        with services.database.read() as connection:
            times = (queue.next_due(connection), outbox.next_due(connection, services.quiet))
        due = min((at for at in times if at), default=None)
        if due is None:
            return
        wait(max(0.05, (due - services.now()).total_seconds()))


Others = Callable[[], Sequence[Services]]


class Turns:
    """A step of work for each workspace in turn. Where there are several, none has all the threads at work: what one
    waits for, others need not."""

    def __init__(self, each: Callable[[], Sequence[Services]], threads: int) -> None:
        self._each, self._threads = each, threads
        self._busy = Counter[int]()
        self._lock = threading.Lock()

    def take(self, step: Callable[[Services], bool]) -> bool:
        """One turn for each; whether there was anything to do."""
        each = self._each()
        most = max(1, self._threads - (len(each) > 1))
        return sum(self._take(services, step, most) for services in each) > 0

    def _take(self, services: Services, step: Callable[[Services], bool], most: int) -> bool:
        with self._lock:
            if self._busy[id(services)] >= most:
                return False
            self._busy[id(services)] += 1
        try:
            return step(services)
        except Exception:
            log.exception("worker failed")
            return False
        finally:
            with self._lock:
                self._busy[id(services)] -= 1


class Workers:
    """Threads that run tasks and deliver the outbox until they are stopped; one of them never polls, so that sources
    that hang keep nobody's command waiting. On PostgreSQL the tasks' are procrastinate's. On SQLite `others` have the
    same threads."""

    def __init__(self, services: Services, tasks: int = 2, others: Others | None = None) -> None:
        self._stopped = threading.Event()
        self._shared = shared_workers(services) if services.database.is_shared else None
        here = others if others and not self._shared else tuple

        def each() -> Sequence[Services]:
            return (services, *here())

        senders = DELIVERING if here is others else 1
        working, delivering = Turns(each, tasks + 1), Turns(each, senders)
        steps = [partial(delivering.take, lambda services: deliver_all(services, DELIVERIES_MOST) > 0)] * senders
        if not self._shared:
            steps += [partial(working.take, work_once)] * tasks
            steps += [partial(working.take, partial(work_once, without=("poll_source",)))]
        self._threads = [threading.Thread(target=self._run, args=(step,), daemon=True) for step in steps]

    def start(self) -> None:
        """Begin; returns at once."""
        for thread in (*self._threads, *([self._shared] if self._shared else ())):
            thread.start()

    def problem(self) -> str:
        """Why the work is not being done; empty where it is."""
        dead = sum(not thread.is_alive() for thread in self._threads)
        dead += bool(self._shared and not self._shared.is_alive())
        return f"{dead} of the workers ended" if dead else ""

    def stop(self, patience_s: float = PATIENCE_S) -> None:
        """End after the work in hand; what takes longer is taken over, after the next start or by another replica."""
        self._stopped.set()
        until = time.monotonic() + patience_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        if self._shared:
            self._shared.stop(max(0.0, until - time.monotonic()))

    def _run(self, step: Callable[[], bool]) -> None:
        while not self._stopped.is_set():
            if not step():
                self._stopped.wait(IDLE_S)
