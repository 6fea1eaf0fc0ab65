"""Who may open the pages of reports and experiments, and for how long."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from bot.config import ConfigError, Slack, load_settings
from bot.login import Login
from bot.web import open_web
from sandbox.serving import serving
from sandbox.slack_login import LoginSandbox
from tests.conftest import CONFIG, World
from tests.test_flows import run_whole_experiment

REPORT = "/reports/weekly-manager-2026-W47"


@pytest.fixture
def browser(world: World) -> TestClient:
    """A browser in front of the pages, without a login to offer; the week's report is written."""
    world.type("report post weekly")
    return TestClient(open_web(world.services, None), follow_redirects=False)


def linked(world: World, path: str) -> str:
    return world.services.links.to(path, world.clock())


def test_the_link_in_the_posted_report_opens_its_page_and_nothing_opens_without(
    world: World, browser: TestClient
) -> None:
    (head,) = [m for m in world.slack.messages("ml") if m["blocks"][0]["type"] == "header"]
    url = str(head["blocks"][-1]["elements"][0]["url"])
    assert browser.get(url.removeprefix(world.services.public_url)).status_code == 200
    fresh = TestClient(browser.app)
    for path in (REPORT, "/reports/", "/reports/nowhere", "/experiments/EXP-1", "/experiments/"):
        denied = fresh.get(path)
        assert (denied.status_code, "/exp report archive" in denied.text) == (403, True)


def test_a_changed_link_and_an_old_one_open_nothing(world: World, browser: TestClient) -> None:
    good = linked(world, REPORT)
    until, sig = (parse_qs(urlsplit(good).query)[name][0] for name in ("until", "sig"))
    changed = [
        f"{REPORT}?until={int(until) + 86400}&sig={sig}", f"{REPORT}?until={until}&sig={sig[::-1]}",
        f"{REPORT.replace('47', '46')}?until={until}&sig={sig}", f"/reports/?until={until}&sig={sig}",
        f"{REPORT}?until={'9' * 400}&sig={sig}", f"{REPORT}?until=%D9%A1&sig={sig}", f"{REPORT}?sig={sig}",
        f"{REPORT}?until={until}&sig=%FF%FE",
    ]  # fmt: skip
    assert {browser.get(path).status_code for path in changed} == {403}
    assert browser.get(good).status_code == 200
    browser.cookies.clear()
    world.clock.at += timedelta(days=92)
    assert browser.get(good).status_code == 403


def test_a_link_opens_its_report_and_for_a_while_the_experiments_it_names_but_no_other_report(
    world: World, browser: TestClient
) -> None:
    run_whole_experiment(world)
    assert browser.get("/experiments/EXP-1").status_code == 403
    browser.get(linked(world, REPORT))
    assert "Char-level tokens" in browser.get("/experiments/EXP-1").text
    assert browser.get("/experiments/?stage=monitored").text.count("EXP-1") == 1
    assert browser.get(REPORT).status_code == browser.get("/reports/").status_code == 403
    world.clock.at += timedelta(hours=13)
    assert browser.get("/experiments/EXP-1").status_code == 403


def test_the_archive_opens_every_report_and_each_is_the_same_for_ever(world: World, browser: TestClient) -> None:
    world.clock.forward(days=7)
    world.type("report post weekly")
    said = world.type("report archive")
    assert "The archive opens for 90 days" in said
    page = browser.get(linked(world, "/reports/")).text
    found = re.findall(r'href="(/reports/[^"]+)"', page)
    assert len(found) == 2
    first = [browser.get(path.replace("&amp;", "&")).text for path in found]
    run_whole_experiment(world)
    assert [browser.get(path.replace("&amp;", "&")).text for path in found] == first


def test_every_page_forbids_scripts_frames_caches_and_telling_its_address(world: World, browser: TestClient) -> None:
    for path in (linked(world, REPORT), linked(world, "/reports/"), REPORT):
        headers = browser.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "private, no-store"
        assert headers["x-content-type-options"] == "nosniff"


def test_the_key_of_links_is_made_once_or_is_the_configured_one(make_world: Callable[..., World]) -> None:
    world = make_world()
    again = make_world()
    assert linked(world, REPORT) == linked(again, REPORT)
    keyed = make_world(config=CONFIG + f'[security]\nencryption_keys = ["{"n" * 32}", "{"o" * 32}"]\n')
    assert linked(keyed, REPORT) != linked(world, REPORT)
    old = make_world(config=CONFIG + f'[security]\nencryption_keys = ["{"o" * 32}"]\n')
    query = {name: values[0] for name, values in parse_qs(urlsplit(linked(old, REPORT)).query).items()}
    assert keyed.services.links.admits(REPORT, query, world.clock()), "links of the key before stay good"
    (world.folder / "short.toml").write_text('[security]\nencryption_keys = ["short"]\n')
    with pytest.raises(ConfigError, match="a key needs 32 characters"):
        load_settings(world.folder / "short.toml")


def test_a_hostile_path_is_shown_as_text(world: World, browser: TestClient) -> None:
    page = browser.get(linked(world, "/reports/<script>alert(1)<%2Fscript>").replace("<", "%3C"))
    assert "<script>" not in page.text


@pytest.fixture
def login(world: World) -> Iterator[tuple[TestClient, LoginSandbox]]:
    """A browser in front of the pages with a login to offer, and the Slack it signs in with."""
    world.type("report post weekly")
    slack = LoginSandbox()
    with serving(slack.app) as url:
        settings = Slack(
            bot_token=SecretStr("xoxb-sandbox"), signing_secret=SecretStr("0f"), api_url=f"{url}/api/",
            client_id=slack.client_id, client_secret=SecretStr(slack.client_secret),
        )  # fmt: skip
        app = open_web(world.services, None, login=Login(settings, world.services))
        yield TestClient(app, base_url=world.services.public_url, follow_redirects=False), slack


def sign_in(browser: TestClient, path: str) -> httpx2.Response | object:
    """Follow the way over Slack; where it ends."""
    asked = browser.get(path).headers["location"]
    back = httpx2.get(asked, follow_redirects=False).headers["location"]
    return browser.get(back)


def test_a_member_signs_in_with_slack_and_reads_everything_for_half_a_day(
    world: World, login: tuple[TestClient, LoginSandbox]
) -> None:
    browser, _ = login
    assert f"/login?next={REPORT}" in browser.get(REPORT).text
    landed = sign_in(browser, f"/login?next={REPORT}")
    assert landed.headers["location"] == REPORT  # type: ignore[attr-defined]  # httpx2's, by way of Starlette's client
    assert browser.get(REPORT).status_code == browser.get("/reports/").status_code == 200
    world.clock.at += timedelta(hours=13)
    assert browser.get(REPORT).status_code == 403


def test_a_stranger_a_replay_and_a_login_that_was_not_begun_here_are_refused(
    login: tuple[TestClient, LoginSandbox],
) -> None:
    browser, slack = login
    slack.visitor = "T0OTHER"
    assert sign_in(browser, "/login").status_code == 403  # type: ignore[attr-defined]
    slack.visitor = slack.team
    asked = browser.get("/login").headers["location"]
    back = httpx2.get(asked, follow_redirects=False).headers["location"]
    assert TestClient(browser.app).get(back).status_code == 403, "another browser did not ask"
    assert browser.get(back).status_code == 303
    assert browser.get(back).status_code == 403, "once only"
    assert browser.get("/login/done?code=x&state=").status_code == 403


def test_a_login_leads_to_a_page_of_ours_and_nowhere_else(login: tuple[TestClient, LoginSandbox]) -> None:
    browser, _ = login
    for wanted in ("https://evil.example/", "//evil.example/reports/", "/slack/events"):
        assert sign_in(browser, f"/login?next={wanted}").headers["location"] == "/reports/"  # type: ignore[attr-defined]
