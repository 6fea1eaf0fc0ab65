"""Several workspaces in one process: each installs the app, and sees nothing of the others."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import select, update
from starlette.applications import Starlette
from starlette.testclient import TestClient
from typer.testing import CliRunner, Result

from backlog.goal import Goal
from bot.cli import app
from bot.config import ConfigError, Settings, load_settings, workspace_settings
from bot.exposition import expose
from bot.flows.installations import WorkspaceToken
from bot.flows.services import Services
from bot.installing import Installing
from bot.schedule import schedules_of
from bot.slack.app import open_app
from bot.slack.endpoint import SlackEndpoint
from bot.verbs import exp
from bot.web import open_web
from bot.wiring import open_services
from bot.work import Turns, Workers, run_until_settled
from bot.workspaces import Workspaces
from integrations.http import IntegrationError
from sandbox.jira import JiraSandbox
from sandbox.serving import free_port, serving
from sandbox.slack import SlackSandbox
from sandbox.slack_edge import Ack, SlackEdge
from sandbox.slack_workspaces import SlackWorkspaces
from store import outbox, queue
from store.database import DatabaseError, workspace_url
from store.goals import add_goal
from store.installations import SealBroken, claim_renewal, load_installations, load_tokens, seal_anew
from store.tables import installation, metadata
from store.vault import Vault
from tests import blockkit
from tests.conftest import TestClock, _text, place_database
from tests.test_bot_serve import Place, wait_for

ALPHA, BETA = "T0ALPHA", "T0BETA"
KEY, OLD_KEY = "n" * 32, "o" * 32
PUBLIC = "http://scrumbut.example"
SECRET_OF_SLACK = "0123456789abcdef0123456789abcdef"
CONFIG = """
[slack]
signing_secret = "0123456789abcdef0123456789abcdef"
client_id = "1.2"
client_secret = "shh"
distributed = true
api_url = "{slack}/api/"
[web]
public_url = "http://scrumbut.example"
[security]
encryption_keys = ["{key}"]
[database]
url = "sqlite:///{folder}/scrumbut.db"
[[sources]]
name = "files"
kind = "csv"
url = "{folder}/readings.csv"
[[workspaces]]
id = "T0ALPHA"
config = "{folder}/alpha.toml"
[outbox]
timeout_s = 2
quiet_s = 0.2
"""


@dataclass
class Town:
    """The product among several workspaces of one Slack."""

    settings: Settings
    home: Services
    workspaces: Workspaces
    clock: TestClock
    slack: SlackWorkspaces
    slack_url: str
    web_url: str
    browser: TestClient
    folder: Path
    edges: dict[str, SlackEdge] = field(default_factory=dict)

    def install(self, team: str) -> httpx2.Response:
        """Go the whole way of an installing; the page at its end."""
        self.slack.visitor = team
        return self.come_back(self.browser, self.ask(self.browser))

    def ask(self, browser: TestClient) -> str:
        """Begin, let Slack ask, and return where it sends the browser back to."""
        asked = browser.get("/slack/install").headers["location"]
        return httpx2.get(asked, follow_redirects=False).headers["location"]

    def come_back(self, browser: TestClient, back: str) -> httpx2.Response:
        """Follow Slack's answer."""
        answer: httpx2.Response = browser.get(back)
        return answer

    def edge(self, team: str) -> SlackEdge:
        """What people do in a workspace."""
        if team not in self.edges:
            self.edges[team] = SlackEdge(self.slack.workspaces[team], self.slack_url, f"{self.web_url}/slack/events")
        return self.edges[team]

    def type(self, team: str, line: str, user: str = "U0ANA") -> str:
        """Type `/exp line` there and read every answer."""
        slack = self.slack.workspaces[team]
        before = len(slack.ephemerals)
        ack: Ack = self.edge(team).command(line, user=user)
        assert ack.status == 200, ack
        self.settle()
        return "\n".join(_text(e.message) for e in slack.ephemerals[before:])

    def settle(self) -> None:
        """Let everything that is due happen, in each workspace."""
        for team in self.slack.workspaces:
            if self.workspaces.app_of("", team):
                services = self.services(team)
                run_until_settled(
                    services,
                    schedules_of(services, timedelta(minutes=10)),
                    wait=lambda seconds: self.clock.forward(seconds=seconds),
                )

    def services(self, team: str) -> Services:
        """What serves a workspace."""
        found = self.workspaces.services_of(team)
        assert found is not None
        return found

    def tokens(self, team: str) -> WorkspaceToken:
        """A workspace's token, as a replica that just started looks for it."""
        assert self.home.installer is not None
        return WorkspaceToken(self.home.installer, team)


@pytest.fixture
def make_town(tmp_path: Path) -> Iterator[Callable[..., Town]]:
    with ExitStack() as running:

        def make(config: str = CONFIG, rotates: bool = False, url: str = "") -> Town:
            clock = TestClock()
            places = [
                SlackSandbox(
                    now=lambda: clock().timestamp(), judge=blockkit.problems, judge_view=blockkit.view_problems
                )
                for _ in range(2)
            ]
            places[0].team, places[1].team = ALPHA, BETA
            slack = SlackWorkspaces(places, now=lambda: clock().timestamp(), rotates=rotates)
            slack_url = running.enter_context(serving(slack.app))
            for name in ("scrumbut.db", f"scrumbut.{ALPHA}.db", f"scrumbut.{BETA}.db"):
                place_database(tmp_path / name)
            (tmp_path / "readings.csv").write_text("time,metric,value,run,step,environment,experiment\n")
            (tmp_path / "alpha.toml").write_text(
                f'[slack]\nchannel = "#ml"\n[[sources]]\nname = "files"\nkind = "csv"\nurl = "{tmp_path}/readings.csv"'
            )
            path = tmp_path / "config.toml"
            path.write_text(config.format(slack=slack_url, folder=tmp_path, key=KEY))
            settings = load_settings(path)
            if url:
                database = settings.database.model_copy(update={"url": url})
                settings = settings.model_copy(update={"database": database})
            home = open_services(settings, clock)
            running.callback(home.database.close)
            workspaces = Workspaces(settings, home)
            running.callback(workspaces.close)
            endpoint = SlackEndpoint(None, settings.slack.signing_secret.get_secret_value(), workspaces.app_of)
            ways = [*Installing(home, lambda _: workspaces.refresh()).routes(), *workspaces.routes()]
            web = open_web(home, endpoint.receive, more=ways)
            web_url = running.enter_context(serving(web))
            browser = TestClient(web, base_url=PUBLIC, follow_redirects=False)
            return Town(settings, home, workspaces, clock, slack, slack_url, web_url, browser, tmp_path)

        yield make


@pytest.fixture
def town(make_town: Callable[..., Town]) -> Town:
    """Two workspaces that installed the app."""
    town = make_town()
    assert town.install(ALPHA).status_code == town.install(BETA).status_code == 200
    return town


def test_a_workspace_installs_the_app_and_works_at_once(make_town: Callable[..., Town]) -> None:
    town = make_town()
    assert "not installed in this workspace" in town.edge(BETA).command("help").body["text"]
    page = town.install(BETA)
    assert "scrumbut is in Sandbox T0BETA" in page.text
    assert "EXP-1" in town.type(BETA, 'new "Focal loss"')
    assert "not installed" in town.edge(ALPHA).command("help").body["text"], "another workspace is none the wiser"


def test_a_state_is_worth_one_answer_to_the_browser_that_asked_within_ten_minutes(
    make_town: Callable[..., Town],
) -> None:
    town = make_town()
    back = town.ask(town.browser)
    stranger = TestClient(town.browser.app, base_url=PUBLIC, follow_redirects=False)
    assert town.come_back(stranger, back).status_code == 403, "another browser did not ask"
    assert town.come_back(town.browser, back.partition("state=")[0] + "state=made-up").status_code == 403
    assert town.come_back(town.browser, back).status_code == 200
    kept = town.ask(town.browser)
    cookie = town.browser.cookies.get("scrumbut_install")
    assert town.come_back(town.browser, kept).status_code == 200
    town.browser.cookies.set("scrumbut_install", cookie or "")
    assert town.come_back(town.browser, kept).status_code == 403, "once only, whatever cookie is kept"
    late = town.ask(town.browser)
    town.clock.forward(minutes=11)
    assert town.come_back(town.browser, late).status_code == 403
    assert [one["ok"] for one in town.slack.exchanges] == [True, True], "Slack was asked for no other"


def test_whoever_says_no_at_slack_changes_nothing(make_town: Callable[..., Town]) -> None:
    town = make_town()
    back = town.ask(town.browser)
    said = town.come_back(town.browser, back.replace("code=", "error=access_denied&ignored="))
    assert (said.status_code, "Nothing was changed" in said.text) == (403, True)
    with town.home.database.read() as connection:
        assert load_installations(connection) == []


SECRET = "zanzibar"  # in every word that the first workspace writes
SAID = ("keep clients", "Tokens", "leakage in fold", "vendor ends", "labels late")


def furnish(town: Town) -> None:
    """Have the first workspace say something of every kind."""
    for line in (
        f'goal add churn "keep clients {SECRET}" --metric recall --baseline 0.71 --target 0.80',
        f'new "Tokens {SECRET}" --goal churn',
        f"note EXP-1 leakage in fold {SECRET}",
        "metric add recall --goal churn --source files --key k --better up",
        "watch recall --below 0.5 --recover 0.6",
        f'risk add churn "vendor ends {SECRET}" --impact high',
        "subscribe goal:churn decisions",
        "schedule weekly mon 09:00 UTC #ml",
        f'health churn at-risk "labels late {SECRET}"',
        "deployed churn v12",
        "settings quiet 20:00-08:00 UTC",
        "report post weekly",
    ):
        assert town.type(ALPHA, line), line


# Every verb with what would show or change the first workspace's, if it were within reach.
LINES = {
    "show": ["EXP-1"], "list": [""], "mine": [""], "find": ["leakage", "tokens"], "frame": ["EXP-1 --hypothesis h"],
    "edit": ["EXP-1 --title mine"], "undo": [""], "link": ["EXP-1 ML-1"], "unlink": ["EXP-1 ML-1"],
    "start": ["EXP-1"], "move": ["EXP-1 framed"], "block": ["EXP-1 why"], "unblock": ["EXP-1"],
    "park": ["EXP-1 why --until 2027-03-01"], "note": ["EXP-1 mine"], "checkpoint": ["EXP-1 mine"],
    "outcome": ["EXP-1 bad mine"], "decide": ["EXP-1 stop mine"], "extend": ["EXP-1 mine"],
    "hill": ["EXP-1 downhill"], "reassign": ["@ana @ben"], "deployed": ["churn v2"],
    "goal": ["show churn", "list", "ready churn --labels yes", "edit churn --target 0.9 why"],
    "metric": ["test recall", "list", "add m --goal churn --source files --key k"],
    "watch": ["recall --below 0.4 --recover 0.6"], "unwatch": ["1"],
    "compare": ["EXP-1 --dev --prod"], "forecast": ["churn"],
    "report": ["preview weekly", "list", "archive", "show 2026-W47", "feedback", "show 2026-W48"],
    "health": ["churn on-track fine"], "risk": ["list", "add churn w --impact low", "answer 1 accept w"],
    "subscribe": ["goal:churn decisions"], "unsubscribe": ["1"], "snooze": ["EXP-1"],
    "schedule": ["list", "next", "remove 1", "pause 1"], "sync": ["status", "diff EXP-1"], "policy": [""],
    "doctor": [""], "settings": [""], "outbox": ["list", "show 1", "retry 1", "drop 1"],
    "new": ["mine"], "help": [""],
}  # fmt: skip


def test_no_verb_of_one_workspace_sees_or_changes_anything_of_another(town: Town) -> None:
    furnish(town)
    before = everything_of(town.services(ALPHA))
    assert [said for said in SAID if f"{said} {SECRET}" not in before] == [], "there is something to be seen"
    assert set(LINES) >= set(exp.commands), "a new verb needs a line here"
    said = ""
    for _ in ("while it has nothing", "and once it has its own EXP-1"):
        for verb, lines in LINES.items():
            said += "".join(town.type(BETA, f"{verb} {line}") for line in lines)
    told = json.dumps([m for c in town.slack.workspaces[BETA].channels.values() for m in c.messages])
    mine = everything_of(town.services(BETA))
    assert SECRET not in said + told + mine
    assert "EXP-1" in mine
    assert everything_of(town.services(ALPHA)) == before, "nothing of the first was changed"


def everything_of(services: Services) -> str:
    """Every row that a workspace has of its own, but for the clock's, which moves on by itself."""
    own = [table for name, table in metadata.tables.items() if name not in ("schedule", "occurrence", "task")]
    with services.database.read() as connection:
        return json.dumps([[tuple(map(str, row)) for row in connection.execute(table.select())] for table in own])


def test_what_the_operator_configured_for_one_workspace_no_other_has(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    alpha, beta = town.services(ALPHA), town.services(BETA)
    assert (list(alpha.sources), list(beta.sources)) == (["files"], [])
    assert (alpha.channel, beta.channel) == ("#ml", "")
    monkeypatch.setenv("SCRUMBUT_JIRA__TOKEN", "the-operators")
    assert workspace_settings(town.settings, BETA).jira.token.get_secret_value() == ""
    (town.folder / "alpha.toml").write_text('[database]\nurl = "sqlite:///elsewhere.db"\n')
    with pytest.raises(ConfigError, match=r'"database" is the operator.s and stands in'):
        workspace_settings(town.settings, ALPHA)
    (town.folder / "alpha.toml").unlink()
    with pytest.raises(ConfigError, match=r'not found\. \[\[workspaces\]\] names it for "T0ALPHA"'):
        workspace_settings(town.settings, ALPHA)


def test_a_link_of_one_workspace_opens_no_page_of_another(town: Town) -> None:
    for team in (ALPHA, BETA):
        town.type(team, "report post weekly")
    alpha, beta = town.services(ALPHA), town.services(BETA)
    page = "/reports/weekly-manager-2026-W47"
    link = alpha.links.to(page, town.clock())
    assert alpha.public_url == f"{PUBLIC}/w/{ALPHA}"
    assert town.browser.get(f"/w/{ALPHA}{link}").status_code == 200
    fresh = TestClient(town.browser.app, base_url=PUBLIC)
    assert fresh.get(f"/w/{BETA}{link}").status_code == 403
    assert fresh.get(link).status_code == 403, "nor one at home"
    assert fresh.get(f"/w/T0NOBODY{link}").status_code == 404
    cookie = town.browser.cookies.get("scrumbut", path=f"/w/{ALPHA}")
    fresh.cookies.set("scrumbut", cookie or "")
    assert fresh.get(f"/w/{BETA}/experiments/").status_code == 403, "nor does its cookie"
    archive = TestClient(town.browser.app, base_url=PUBLIC)
    listed = archive.get(f"/w/{BETA}" + beta.links.to("/reports/", town.clock())).text
    assert f'href="/w/{BETA}{page}?' in listed, "pages lead to pages of their own workspace"


def test_pages_are_there_from_the_first_moment_after_a_start(town: Town) -> None:
    with closing(Workspaces(town.settings, town.home)) as started:
        assert started.all_services() == [], "the clock has not come to any yet"
        pages = TestClient(Starlette(routes=started.routes()), base_url=PUBLIC)
        link = town.services(BETA).links.to("/reports/", town.clock())
        assert pages.get(f"/w/{BETA}{link}").status_code == 200
        assert pages.get(f"/w/T0NOBODY{link}").status_code == 404


def stored_tokens(town: Town) -> dict[str, tuple[str, str]]:
    with town.home.database.read() as connection:
        rows = connection.execute(select(installation.c.id, installation.c.token, installation.c.refresh))
        return {row.id: (row.token, row.refresh) for row in rows}


def test_tokens_are_sealed_and_one_that_is_copied_to_another_workspace_does_not_open(town: Town) -> None:
    kept = stored_tokens(town)
    assert "xoxb" not in str(kept)
    assert town.tokens(ALPHA).current().startswith(f"xoxb-{ALPHA}")
    with town.home.database.write() as connection:
        move = update(installation).where(installation.c.id == BETA).values(token=kept[ALPHA][0])
        connection.execute(move)
    with pytest.raises(IntegrationError, match="the token of T0BETA does not open: it was changed, or belongs to") as e:
        town.tokens(BETA).current()
    assert "xoxb" not in str(e.value)


def test_a_changed_cipher_another_purpose_and_an_unknown_key_do_not_open() -> None:
    vault = Vault([KEY, OLD_KEY])
    sealed = vault.seal("xoxb-1", ALPHA, "token")
    assert vault.open(sealed, ALPHA, "token") == "xoxb-1"
    assert sealed != vault.seal("xoxb-1", ALPHA, "token"), "never the same twice"
    flipped = sealed[:-6] + ("A" if sealed[-6] != "A" else "B") + sealed[-5:]
    for wrong, *bond in ((sealed, BETA, "token"), (sealed, ALPHA, "refresh"), (flipped, ALPHA, "token"),
                         (sealed[:-9], ALPHA, "token"), ("", ALPHA, "token"), ("v1.x.é", ALPHA, "token")):  # fmt: skip
        with pytest.raises(SealBroken):
            vault.open(wrong, *bond)
    with pytest.raises(SealBroken, match="a key that is not in"):
        Vault([OLD_KEY]).open(sealed, ALPHA, "token")
    assert KEY not in repr(vault)


def test_keys_are_renewed_by_a_new_one_in_front_and_the_old_one_may_go_after_a_start(town: Town) -> None:
    vault = Vault([OLD_KEY, KEY])
    before = {team: town.tokens(team).current() for team in (ALPHA, BETA)}
    with town.home.database.write() as connection:
        assert seal_anew(connection, vault) == 2
        assert seal_anew(connection, vault) == 0
    with town.home.database.read() as connection:
        alone = Vault([OLD_KEY])
        after = {team: load_tokens(connection, alone, team) for team in (ALPHA, BETA)}
    assert {team: tokens.token for team, tokens in after.items() if tokens} == before


def renewals(town: Town) -> list[bool]:
    return [one["ok"] for one in town.slack.exchanges if one["grant_type"] == "refresh_token"]


def test_a_token_that_ends_soon_is_renewed_once_however_many_ask(make_town: Callable[..., Town]) -> None:
    town = make_town(rotates=True)
    town.install(ALPHA)
    first = town.tokens(ALPHA).current()
    town.clock.forward(hours=11)
    replicas = [town.tokens(ALPHA) for _ in range(12)]
    with ThreadPoolExecutor(12) as pool:
        tokens = set(pool.map(lambda replica: replica.current(), replicas))
    assert renewals(town) == [True], "a refresh token is spent by its first use"
    assert tokens - {first}, "somebody has the new one"
    assert town.tokens(ALPHA).current() != first
    town.clock.forward(hours=2)
    assert "EXP-1" in town.type(ALPHA, 'new "after the first token ended"')


def test_with_an_ended_token_everybody_waits_for_the_one_that_renews_it(make_town: Callable[..., Town]) -> None:
    town = make_town(rotates=True)
    town.install(ALPHA)
    first = town.tokens(ALPHA).current()
    town.clock.forward(hours=13)
    replicas = [town.tokens(ALPHA) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        tokens = set(pool.map(lambda replica: replica.current(), replicas))
    assert (renewals(town), len(tokens - {first})) == ([True], 1)


def test_a_renewal_that_was_killed_is_taken_over_and_a_refused_one_says_what_to_do(
    make_town: Callable[..., Town],
) -> None:
    town = make_town(rotates=True)
    town.install(ALPHA)
    town.clock.forward(hours=11)
    with town.home.database.write() as connection:
        assert claim_renewal(connection, ALPHA, town.clock(), town.clock() + timedelta(seconds=30))
    town.tokens(ALPHA).current()
    assert renewals(town) == [], "somebody is at it, and the token lives"
    town.clock.forward(seconds=31)
    town.tokens(ALPHA).current()
    assert renewals(town) == [True]
    town.slack.revoke(ALPHA)
    town.clock.forward(hours=13)
    with pytest.raises(IntegrationError, match=r'"invalid_refresh_token"\. Install the app there again'):
        town.tokens(ALPHA).current()


def leave(town: Town, team: str, kind: str = "app_uninstalled") -> None:
    body = {"type": kind} | ({"tokens": {"bot": ["U0BOT"], "oauth": []}} if kind == "tokens_revoked" else {})
    assert town.edge(team).event(body)[0].status == 200
    town.workspaces.refresh()


def test_a_workspace_whose_work_hangs_keeps_no_other_waiting(town: Town) -> None:
    """Forty reports are asked for in the one, and its Slack takes each answer only after a time-out."""
    slow, quick = town.slack.workspaces[ALPHA], town.slack.workspaces[BETA]
    slow.faults.add("commands", "hang_before", times=1_000, seconds=60)
    for _ in range(40):
        town.edge(ALPHA).command("report preview weekly")
    workers = Workers(town.home, others=town.workspaces.all_services)
    workers.start()
    town.edge(BETA).command("report preview weekly")
    wait_for(lambda: "Weekly report" in json.dumps([_text(e.message) for e in quick.ephemerals]))
    services = town.services(ALPHA)
    with services.database.read() as connection:
        assert sum(outbox.count_by_state(connection).values()) > 0
        assert "sent" not in outbox.count_by_state(connection), "the other one still waits for its first"
    workers.stop(0.1)


def test_of_the_threads_one_is_left_for_others_whatever_a_workspace_waits_for(town: Town) -> None:
    alpha, beta = (town.services(team) for team in (ALPHA, BETA))
    released, at_work, done = threading.Event(), threading.Semaphore(0), list[Services]()

    def step(services: Services) -> bool:
        at_work.release()
        if services is alpha:
            released.wait(10)
        done.append(services)
        return True

    turns = Turns(lambda: (alpha, beta), 3)
    threads = [threading.Thread(target=turns.take, args=(step,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert all(at_work.acquire(timeout=10) for _ in range(3)), "two wait for the one, the third has gone on"
    threads[2].join(10)
    assert done == [beta]
    released.set()
    for thread in threads:
        thread.join()
    assert done.count(alpha) == 2


@pytest.mark.parametrize("kind", ["app_uninstalled", "tokens_revoked"])
def test_a_workspace_that_takes_the_app_out_is_served_no_more_and_finds_its_backlog_when_it_is_back(
    town: Town, kind: str
) -> None:
    town.type(BETA, 'new "Focal loss"')
    leave(town, BETA, kind)
    assert stored_tokens(town)[BETA] == ("", ""), "nothing of the token is left"
    assert "not installed" in town.edge(BETA).command("list").body["text"]
    assert town.browser.get(f"/w/{BETA}/reports/").status_code == 404
    town.clock.forward(hours=1)
    assert town.install(BETA).status_code == 200
    assert "Focal loss" in town.type(BETA, "list")


def test_old_news_of_an_uninstalling_ends_no_newer_installing(town: Town) -> None:
    before = int(town.clock().timestamp()) - 60
    payload = {"type": "app_uninstalled"}
    town.slack.workspaces[BETA].now = lambda: before
    assert town.edge(BETA).event(payload)[0].status == 200
    town.edge(BETA).event({"type": "tokens_revoked", "tokens": {"oauth": ["U0ANA"]}})
    town.slack.workspaces[BETA].now = lambda: town.clock().timestamp()
    town.edge(BETA).event({"type": "tokens_revoked", "tokens": {"oauth": ["U0ANA"]}})
    town.workspaces.refresh()
    assert "No experiments here yet" in town.type(BETA, "list"), "it is still served"


def test_an_organisation_that_installs_for_all_its_workspaces_is_served_by_its_own_id(
    make_town: Callable[..., Town],
) -> None:
    town = make_town()
    town.slack.enterprises, town.slack.whole = {BETA: "E0BIG"}, True
    town.install(BETA)
    with town.home.database.read() as connection:
        (known,) = load_installations(connection)
    assert (known.id, known.team, known.enterprise, known.name) == ("E0BIG", "", "E0BIG", "Sandbox Inc")
    assert town.workspaces.app_of("E0BIG", BETA) is town.workspaces.app_of("E0BIG", "T0OTHER") is not None
    assert town.workspaces.app_of("", BETA) is None


def test_the_command_line_works_in_the_workspace_that_the_environment_names(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.type(BETA, 'new "Focal loss"')

    def listed(workspace: str) -> Result:
        monkeypatch.setenv("SCRUMBUT_WORKSPACE", workspace)
        return CliRunner().invoke(app, ["exp", "list", "--config", str(town.folder / "config.toml")])

    assert "Focal loss" in listed(BETA).output
    assert "Focal loss" not in listed(ALPHA).output + listed("").output
    unknown = listed("T0NOBODY")
    assert (unknown.exit_code, "There are: T0ALPHA, T0BETA" in unknown.output) == (1, True)


def test_the_operator_sees_all_workspaces_and_what_waits_in_each(town: Town) -> None:
    with town.services(BETA).database.write() as connection:
        queue.defer(connection, "k", "watch_risks", {}, town.clock())
    leave(town, ALPHA)
    seen = CliRunner().invoke(app, ["workspaces", "--json", "--config", str(town.folder / "config.toml")])
    told = {one["id"]: (one["state"], one["tasks waiting"]) for one in json.loads(seen.stdout)}
    assert told == {ALPHA: (f"left {town.clock():%Y-%m-%d}", 0), BETA: ("served", 1)}
    shown = CliRunner().invoke(app, ["workspaces", "--config", str(town.folder / "config.toml")])
    assert "Sandbox T0BETA" in shown.stdout
    assert 'scrumbut_workspaces{state="installed"} 1.0' in expose(town.home).decode()


def test_a_backlog_with_a_token_in_the_config_goes_on_when_its_workspace_installs_the_app(
    make_town: Callable[..., Town],
) -> None:
    town = make_town(CONFIG.replace("distributed = true", f'distributed = true\nhome = "{BETA}"'))
    with town.home.database.write() as connection:
        add_goal(connection, Goal("churn", "keep clients", town.clock(), "U0ANA"))
    assert town.home.messenger is not None
    with pytest.raises(IntegrationError, match="the app is not installed in this workspace"):
        town.home.messenger.installation()
    town.install(BETA)
    assert town.workspaces.app_of("", BETA) is None, "it is at home"
    bolt = open_app(town.settings.slack, town.home)
    web = open_web(town.home, SlackEndpoint(bolt, SECRET_OF_SLACK, town.workspaces.app_of).receive)
    with serving(web) as url:
        edge = SlackEdge(town.slack.workspaces[BETA], town.slack_url, f"{url}/slack/events")
        assert "keep clients" in json.dumps(edge.command("goal show churn").body)


def test_the_process_serves_a_workspace_from_its_installing_on_and_after_kill_9(tmp_path: Path) -> None:
    beta = SlackSandbox()
    beta.team = BETA
    slack, port = SlackWorkspaces([beta]), free_port()
    with serving(slack.app) as slack_url:
        config = CONFIG.replace(PUBLIC, f"http://127.0.0.1:{port}").replace(
            "[web]", f"[testing]\nallow = true\n[web]\nport = {port}"
        )
        (tmp_path / "config.toml").write_text(config.format(slack=slack_url, folder=tmp_path, key=KEY))
        place = Place(beta, JiraSandbox(), slack_url, port, tmp_path)
        with place.serve(), httpx2.Client(follow_redirects=True) as browser:
            assert "scrumbut is in Sandbox T0BETA" in browser.get(f"{place.web}/slack/install").text
            assert "EXP-1" in json.dumps(place.edge().command('new "Focal loss"').body)
        with place.serve():
            assert "Focal loss" in json.dumps(place.edge().command("list").body)
            place.edge().command("report preview weekly")  # slow, so its workers answer
            wait_for(lambda: "Weekly report" in json.dumps(beta.ephemerals[-1].message))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('client_id = "1.2"\n', ""), "client_id: missing. Other workspaces install with it"),
        (('public_url = "http://scrumbut.example"', ""), r"\[web\] public_url: missing. Slack sends whoever installs"),
        (('encryption_keys = ["{key}"]', ""), r"\[security\] encryption_keys: missing. The tokens of workspaces"),
        (("distributed = true", 'home = "T0BETA"'), "home: needs distributed = true"),
        (("distributed = true", 'distributed = true\napp_token = "xapp-1"'), "Socket Mode serves one workspace"),
    ],
)
def test_what_other_workspaces_need_is_asked_for_at_the_start(
    tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.replace(*change).format(slack="http://127.0.0.1:1", folder=tmp_path, key=KEY))
    with pytest.raises(ConfigError, match=says):
        load_settings(path)


@pytest.mark.parametrize("id_", ["../../etc/x", "T0; DROP", "t0beta", "", "T" * 60])
def test_an_id_that_is_none_of_slacks_names_no_place(id_: str) -> None:
    with pytest.raises(DatabaseError, match="is no id of a Slack workspace"):
        workspace_url("sqlite:///scrumbut.db", id_)
