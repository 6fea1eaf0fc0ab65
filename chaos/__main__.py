"""`make chaos`: ten minutes each of three replicas on PostgreSQL, of one process on SQLite, and of a day's commands.

CHAOS_SECONDS makes each part shorter, CHAOS_PARTS names some of them. Exits 1 when something does not hold.
"""

import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from chaos.day import live_a_day
from chaos.place import Place, next_minute, open_place
from chaos.storm import Driver, Storm
from chaos.verdict import Verdict, is_settled, judge, wait_for
from sandbox.serving import free_port
from tests import postgres

SECONDS = int(os.environ.get("CHAOS_SECONDS", "600"))
PARTS = os.environ.get("CHAOS_PARTS", "replicas,alone,day").split(",")
START_S, SETTLE_S = 20, 420
TICKS = 1_000  # in ten minutes
KILLS_ALONE = 15
EXPERIMENTS = 5


def main() -> int:
    """Run the parts; returns the exit code."""
    logging.getLogger("uvicorn.error").disabled = True  # a stand-in that drops a connection is none
    parts: dict[str, Callable[[Path], list[Verdict]]] = {"replicas": replicas, "alone": alone, "day": day}
    found: dict[str, list[Verdict]] = {}
    for name in PARTS:
        with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
            print(f"== {name}, {SECONDS} s", flush=True)
            found[name] = parts[name](Path(folder))
            _keep_logs(Path(folder), name)
        for verdict in found[name]:
            print(f"{'ok    ' if verdict.holds else 'BROKEN'} {verdict.what}: {verdict.seen}", flush=True)
    told = {name: [asdict(verdict) for verdict in verdicts] for name, verdicts in found.items()}
    (_out() / "chaos.json").write_text(json.dumps(told, indent=2))
    return 0 if all(verdict.holds for verdicts in found.values() for verdict in verdicts) else 1


def replicas(folder: Path) -> list[Verdict]:
    """Three processes on a PostgreSQL that falls over half-way."""
    found = postgres.binaries()
    if found is None:
        return [Verdict("PostgreSQL is installed", postgres.MISSING, False)]
    with postgres.server(found) as server:
        storm = {"every_s": 6.0, "pauses": 0.4, "restart_database": server.crash_and_start}
        return _weather(folder, postgres.fresh_database(server.url), 3, storm, least_kills=SECONDS // 30)


def alone(folder: Path) -> list[Verdict]:
    """One process on a file."""
    every = SECONDS / (KILLS_ALONE * SECONDS / 600 + 5)
    storm = {"every_s": every, "pauses": 0.0, "restart_database": None}
    return _weather(folder, f"sqlite:///{folder}/scrumbut.db", 1, storm, least_kills=KILLS_ALONE * SECONDS // 600)


def day(folder: Path) -> list[Verdict]:
    """A day of a hundred thousand commands."""
    return live_a_day(folder, SECONDS)


def _weather(folder: Path, database: str, count: int, storm: Mapping[str, object], least_kills: int) -> list[Verdict]:
    with ExitStack() as running:
        ports = [free_port() for _ in range(count)]
        first = next_minute(START_S)
        place = running.enter_context(open_place(folder, database, ports, first, max(1, SECONDS // 60)))
        for replica in place.replicas:
            replica.start()
        driver = Driver(place)
        keys = _begin(place)
        while datetime.now(UTC) < first:
            time.sleep(0.1)
        told = Storm(place, SECONDS, **storm)  # type: ignore[arg-type]
        told.run(driver, keys)
        place.calm()
        began = time.monotonic()
        settled = wait_for(lambda: is_settled(place, datetime.now(UTC)), SETTLE_S, lambda: _tend(place))
        did = f"{told.kills} kills, {told.stops} pauses, {sum(r.starts for r in place.replicas)} starts"
        return [
            Verdict(f"at least {least_kills} kills", did, told.kills >= least_kills),
            Verdict("it settles", f"{time.monotonic() - began:.0f} s after the storm", settled),
            *judge(place, driver, TICKS * SECONDS // 600),
        ]


def _tend(place: Place) -> None:
    for replica in place.replicas:
        replica.tend()


def _begin(place: Place) -> list[str]:
    """Experiments with their issues, before anything goes wrong."""
    if not wait_for(lambda: all(replica.is_up() for replica in place.replicas), 60, lambda: None):
        raise RuntimeError(f"it does not start: {place.replicas[0].log.read_text()[-2_000:]}")
    keys = []
    edge = place.edge(place.replicas[0])
    for number in range(1, EXPERIMENTS + 1):
        issue = place.jira.add_issue("ML", f"Issue {number}")
        edge.command(f'new "Experiment {number}"')
        edge.command(f"link EXP-{number} {issue}")
        keys.append(f"EXP-{number}")
    return keys


def _out() -> Path:
    out = Path("chaos-out")
    out.mkdir(exist_ok=True)
    return out


def _keep_logs(folder: Path, name: str) -> None:
    for log in folder.glob("*.log"):
        (_out() / f"{name}-{log.name}").write_bytes(log.read_bytes())


if __name__ == "__main__":
    sys.exit(main())
