"""The process dies (os._exit) between any two effects of a sync and of a poll; after the next start everything is as if
it had not. Posts are in test_report_once, commands in test_slack_killed.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bot.config import load_settings
from bot.flows.change_experiment import edit_experiment, note_experiment
from bot.flows.link_issue import link_issue
from bot.flows.services import Caller
from bot.verbs import Request, answer, split_line
from bot.wiring import open_services
from sandbox.jira import JiraSandbox
from sandbox.serving import serving
from store import tables
from store.database import open_database
from tests.crashing import run_process

BEFORE = datetime(2026, 11, 23, 8, tzinfo=UTC)
DUE = BEFORE + timedelta(minutes=16)
LATER = timedelta(minutes=30)
ANA = Caller("U0ANA", "ana")
STATE = (
    tables.experiment, tables.timeline, tables.metric, tables.series, tables.reading, tables.agreed,
    tables.intent, tables.outbox, tables.source_state,
)  # fmt: skip
OWN = {  # numbers, and when something was done
    "id", "key", "attempt", "not_before", "sending_since", "deadline", "created_at", "error", "at", "read_at", "result",
    "polled_since", "updated", "stage_since", "updated_at",
}  # fmt: skip
CONFIG = """
[jira]
url = "{jira}"
email = "bot@example.com"
token = "jira-sandbox-token"
jql = "project = ML"
[database]
url = "sqlite:///{folder}/scrumbut.db"
[[sources]]
name = "files"
kind = "csv"
url = "{folder}/readings.csv"
every = "15m"
[outbox]
timeout_s = 2
quiet_s = 1
"""


@dataclass
class Place:
    """A database as it was before, and a Jira that is made anew for each life."""

    folder: Path
    jira: JiraSandbox = field(default_factory=JiraSandbox)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """Whatever Jira there is now."""
        await self.jira.app(scope, receive, send)

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    def begin(self) -> None:
        """A backlog in which both sides have changed something, and readings that nobody has read."""
        self._new_jira()
        services = open_services(load_settings(self.config), lambda: BEFORE)
        for line in ('goal add churn "keep clients" --metric recall', 'new "Idea 1" --goal churn', 'new "Idea 2"',
                     "metric add recall --goal churn --source files --key recall"):  # fmt: skip
            said = answer(split_line(line), Request(services, ANA))
            assert not said.problem, said
        for number in (1, 2):
            link_issue(services, ANA, f"EXP-{number}", f"ML-{number}")
        services.database.close()
        assert not run_process(self.config, BEFORE, names=("sync:", "poll:"))
        services = open_services(load_settings(self.config), lambda: BEFORE + timedelta(minutes=1))
        edit_experiment(services, ANA, "EXP-1", {"title": "Idea 1, sharper"})
        note_experiment(services, ANA, "EXP-2", "leakage in fold 3")
        services.database.close()
        shutil.copy(self.folder / "scrumbut.db", self.folder / "before.db")

    def back(self) -> None:
        """The same moment again."""
        for path in self.folder.glob("scrumbut.db*"):
            path.unlink()
        shutil.copy(self.folder / "before.db", self.folder / "scrumbut.db")
        self._new_jira()
        self.jira.edit("ML-2", summary="Idea 2, as Jira has it")

    def _new_jira(self) -> None:
        self.jira = JiraSandbox(now=lambda: BEFORE)
        for number in (1, 2):
            self.jira.add_issue("ML", f"Idea {number}")

    def live(self, now: datetime, names: tuple[str, ...], dies_at: int | None = None) -> bool:
        """One process at that time, by Jira's clock too; whether it died."""
        self.jira.now = lambda: now
        return run_process(self.config, now, dies_at=dies_at, names=names)

    def settle(self, names: tuple[str, ...]) -> dict[str, Any]:
        """What holds after two more starts: the second hears of what the first wrote."""
        assert not self.live(DUE + LATER, names)
        assert not self.live(DUE + 2 * LATER, names)
        return self.state()

    def state(self) -> dict[str, Any]:
        """All that both sides hold, without numbers and moments."""
        database = open_database(f"sqlite:///{self.folder}/scrumbut.db")
        with database.read() as connection:
            rows = {
                table.name: sorted(
                    str({k: v for k, v in row.items() if k not in OWN})
                    for row in connection.execute(select(table)).mappings()
                    if row.get("kind") != "jira.sync"  # asks for a look at the issue, once more after a crash
                )
                for table in STATE
            }
        database.close()
        rows["jira"] = [
            f"{issue['key']} {issue['fields']['summary']} {[c['body'] for c in self.jira.comments(issue['key'])]} "
            f"{self.jira.links(issue['key'])}"
            for issue in self.jira.issues()
        ]
        return rows


@contextmanager
def open_place(folder: Path) -> Iterator[Place]:
    place = Place(folder)
    with serving(place.app) as url:
        place.config.write_text(CONFIG.format(jira=url, folder=folder))
        lines = "".join(f"{BEFORE:%Y-%m-%dT%H:%M:%SZ},recall,0.{n},run-{n},1,dev,EXP-1\n" for n in range(10, 15))
        (folder / "readings.csv").write_text("time,metric,value,run,step,environment,experiment\n")
        place.begin()
        (folder / "readings.csv").write_text("time,metric,value,run,step,environment,experiment\n" + lines)
        yield place


@pytest.mark.parametrize(("names", "least"), [(("sync:",), 10), (("poll:",), 4)], ids=["sync", "poll"])
def test_dying_between_any_two_effects_changes_nothing(tmp_path: Path, names: tuple[str, ...], least: int) -> None:
    with open_place(tmp_path) as place:
        place.back()
        assert not place.live(DUE, names)
        wanted, deaths = place.settle(names), 0
        while True:
            place.back()
            died = place.live(DUE, names, deaths)
            assert place.settle(names) == wanted, f"died at effect {deaths}"
            if not died:
                break
            deaths += 1
    assert deaths >= least, f"only {deaths}"
