"""All 17,550 real issues of a public tracker, each there and back: read, mapped, shown, linked, written, read."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import requests

from backlog.experiment import Experiment, Kind, Stage
from backlog.status import StatusMap, Target
from bot.flows.adopt_issues import MOST, adopt_issues
from bot.flows.change_experiment import edit_experiment, frame_experiment, note_experiment
from bot.flows.deliver_outbox import deliver_all
from bot.flows.services import Caller, Services
from bot.flows.sync_backlog import sync_backlog
from bot.logs import configure_logs
from bot.slack.blocks import to_message
from bot.verbs import Request, answer
from bot.web import open_web
from integrations.jira.adf import words_of
from integrations.jira.client import JiraClient
from sandbox.jira import JiraSandbox
from sandbox.jira_shapes import to_document
from store.database import open_database
from store.experiments import find_experiment
from store.issues import find_issue
from tests import blockkit
from tests.in_process import InProcess, mount

pytestmark = pytest.mark.long

ANA = Caller("U0ANA", "ana")
MOVED = "In Progress"
NOTE = "leak in **fold 3**:\n\n- `{noformat}` stays text\n- so does *[~admin]"
HOSTILE = (
    "<!channel> & <script>alert(1)</script>",
    "<@U0ANA> *bold* _i_ `c` {{ 7 * 7 }}",
    "</pre><img src=x onerror=alert(1)>",
)


class Tags(HTMLParser):
    """The tags of a page, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, list[Any]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[Any]) -> None:
        self.seen.append((tag, attrs))


class Tracker:
    """The product beside a Jira that holds the real issues."""

    def __init__(self, jira: JiraSandbox, folder: Path) -> None:
        self.jira, self.now = jira, datetime(2026, 11, 23, 10, tzinfo=UTC)
        jira.now = lambda: self.now
        client = JiraClient(
            "http://jira.test", email=jira.email, token=jira.token, pat=jira.token, deployment=jira.deployment,
            users={"U0ANA": "acc-ana" if jira.cloud else "ana"},
        )  # fmt: skip
        mount(client, jira.app)
        self.services = Services(
            open_database(f"sqlite:///{folder}/s.db"), lambda: self.now, tracker=client,
            jql=f"project in ({', '.join(sorted({raw['key'].split('-')[0] for raw in jira._issues.values()}))})",
            statuses=StatusMap({Stage.FRAMED: Target(MOVED)}), public_url="https://bot.example",
        )  # fmt: skip
        self.web = requests.Session()
        self.web.mount("http://bot.test", InProcess(open_web(self.services, None)))

    def adopt(self) -> Iterator[tuple[str, str]]:
        """Each issue's id and its experiment's key, a batch at a time, with all that follows written to Jira."""
        ids_left = iter([*self.jira._issues])
        while ids := list(islice(ids_left, MOST)):
            found = adopt_issues(self.services, ANA, f"id in ({', '.join(ids)})", kind=Kind.INFRASTRUCTURE)
            self.deliver()
            for adopted in found[::10]:
                edit_experiment(self.services, ANA, adopted.key, {"owner": "U0ANA"})
                frame_experiment(self.services, ANA, adopted.key, {"appetite": "M"})
                note_experiment(self.services, ANA, adopted.key, NOTE)
            self.deliver()
            yield from ((adopted.issue.id, adopted.key) for adopted in found)

    def deliver(self) -> None:
        while deliver_all(self.services):
            self.now += timedelta(seconds=1)

    def experiment(self, key: str) -> Experiment:
        with self.services.database.read() as connection:
            return find_experiment(connection, key)


ALL = 17_550
# Cloud sees them all, in parts that can be worked on side by side; Data Center every ninth.
PARTS = (*(("cloud", start, 6) for start in range(6)), ("server", 0, 9))


@pytest.mark.parametrize("part", PARTS, ids=lambda part: f"{part[0]} {part[1]} of {part[2]}")
def test_every_real_issue_is_read_shown_linked_and_written_to_and_what_is_not_ours_stays(
    shared: Path, part: tuple[str, int, int]
) -> None:
    configure_logs(logging.ERROR)
    jira = JiraSandbox(part[0])
    assert jira.load(shared / "data/jira/appcelerator-17k.jsonl.xz") == ALL
    keep_part(jira, part[1], part[2])
    # No disk is waited for, where the system can: 300,000 transactions are not what is tested.
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as database:
        world = Tracker(jira, Path(database))
        try:
            done = go_the_whole_way(world)
        finally:
            world.services.database.close()
    assert done == len(range(part[1], ALL, part[2]))


def keep_part(jira: JiraSandbox, start: int, step: int) -> None:
    kept = dict(list(jira._issues.items())[start::step])
    for raw, hostile in zip(kept.values(), HOSTILE, strict=False):
        raw["fields"]["summary"] = hostile
    jira._issues.clear()
    jira._issues.update(kept)


def go_the_whole_way(world: Tracker) -> int:
    """All checks over those issues; returns how many went the whole way."""
    jira = world.jira
    before = {raw["id"]: (json.dumps(raw), json.dumps(jira.comments(raw["key"]))) for raw in jira._issues.values()}
    assert sync_backlog(world.services).issues == len(before)
    with world.services.database.read() as connection:
        for raw in jira._issues.values():
            check_mapped(raw, find_issue(connection, raw["key"]))
    done = 0
    for issue_id, key in world.adopt():
        experiment = world.experiment(key)
        check_shown(world, key)
        check_written(world, issue_id, experiment)
        check_kept(world, issue_id, experiment, *map(json.loads, before[issue_id]))
        done += 1
    assert done == len(before)
    noted = [i for i, (_, known) in before.items() if len(jira.comments(i)) > len(json.loads(known))]
    assert len(noted) >= done // 10
    check_quiet(world)
    return done


def check_quiet(world: Tracker) -> None:
    asked = len(world.jira.calls)
    assert sync_backlog(world.services).issues
    world.deliver()
    writes = [call for call in world.jira.calls[asked:] if call["method"] != "GET" and call["operation"] != "search"]
    assert writes == [], "what is in line is left alone"


def check_mapped(raw: dict[str, Any], issue: Any) -> None:
    fields = raw["fields"]
    assert issue is not None
    assert (issue.id, issue.status) == (raw["id"], " ".join(fields["status"]["name"].split()))
    assert issue.category == fields["status"]["statusCategory"]["key"]
    assert issue.resolution == ((fields["resolution"] or {}).get("name") or "")
    assert issue.updated == datetime.strptime(fields["updated"], "%Y-%m-%dT%H:%M:%S.%f%z")
    assert issue.summary.isprintable()
    assert set("".join(filter(str.isalnum, issue.summary))) == set("".join(filter(str.isalnum, fields["summary"])))


def check_shown(world: Tracker, key: str) -> None:
    said = answer(["show", key], Request(world.services, ANA))
    assert not said.problem
    assert blockkit.problems(to_message(said)["blocks"]) == []
    path = world.services.links.to(f"/experiments/{key}", world.now)
    page = world.web.get(f"http://bot.test{path}")
    assert page.status_code == 200
    assert [tag for tag, _ in Tags(page.text).seen] == ["html", "meta", "title", "h1", "pre"], "inert"


def check_written(world: Tracker, issue_id: str, experiment: Experiment) -> None:
    jira, issue, key = world.jira, world.jira.issue(issue_id), experiment.key
    assert json.loads(jira.properties[issue_id]["scrumbut"])["experiment"] == key
    (link,) = jira.links(issue["key"])
    assert link["globalId"] == f"scrumbut:{key}"
    assert link["object"]["url"].startswith(f"https://bot.example/experiments/{key}?until=")
    told = words_of(issue["fields"]["description"])
    assert f"scrumbut {key}" in json.dumps(issue["fields"]["description"])
    assert f"Stage: {experiment.stage}" in told
    assert (experiment.stage == Stage.FRAMED) is (int(key.removeprefix("EXP-")) % MOST % 10 == 1)
    if experiment.stage is Stage.FRAMED:
        assert issue["fields"]["status"]["name"] == MOVED
        assert "leak in" in words_of(jira.comments(issue["key"])[-1]["body"])


def check_kept(
    world: Tracker, issue_id: str, experiment: Experiment, before: dict[str, Any], comments: list[Any]
) -> None:
    """All that is not ours, as it was. `updated` is Jira's own; status and resolution were asked for, and an owner
    where there was no assignee."""
    jira, raw = world.jira, world.jira.issue(issue_id)
    asked = {"status", "resolution", *(() if before["fields"]["assignee"] else ("assignee",))}
    ours = {"description", "updated"} | (asked if experiment.stage is Stage.FRAMED else set())
    kept = {**before, "fields": {name: value for name, value in before["fields"].items() if name not in ours}}
    now = {**raw, "fields": {name: value for name, value in raw["fields"].items() if name not in ours}}
    assert json.dumps(now) == json.dumps(kept)
    assert json.dumps(jira.comments(raw["key"])[: len(comments)]) == json.dumps(comments)
    text, description = before["fields"].get("description"), raw["fields"]["description"]
    if jira.cloud:
        block = description["content"][-1]
        assert block["attrs"]["title"] == f"scrumbut {experiment.key}"
        assert description["content"][:-1] == ([] if text is None else to_document(text)["content"])
    else:
        assert description.startswith(
            (text or "") + ("\n\n" if text else "") + f"{{panel:title=scrumbut {experiment.key}}}\n"
        )
