"""What a supervisor, a dashboard and whoever reads the log get from the running process."""

import configparser
import json
import re
from pathlib import Path

import httpx2
import pytest
import structlog
from sqlalchemy import text

from bot.logs import configure_logs
from tests.conftest import World

ROOT = Path(__file__).parent.parent


def test_it_is_ready_only_while_its_database_answers(world: World) -> None:
    assert httpx2.get(f"{world.web_url}/readyz").json() == {"ok": True}
    with world.services.database.write() as connection:
        connection.execute(text("ALTER TABLE task RENAME TO elsewhere"))
    answer = httpx2.get(f"{world.web_url}/readyz")
    assert (answer.status_code, answer.json()["ok"]) == (503, False)
    assert httpx2.get(f"{world.web_url}/healthz").status_code == 200


def test_the_dashboard_asks_for_nothing_that_is_not_told(world: World) -> None:
    world.type('new "Char tokens"')
    told = set(re.findall(r"^# TYPE (\w+) ", httpx2.get(f"{world.web_url}/metrics").text, re.MULTILINE))
    panels = json.loads((ROOT / "deploy/grafana.json").read_text())["panels"]
    asked = {name for panel in panels for one in panel["targets"] for name in re.findall(r"scrumbut_\w+", one["expr"])}
    assert asked
    assert asked <= told
    assert told - asked <= {"scrumbut_source_last_read_timestamp_seconds"}, "what the dashboard does not show"


def test_log_lines_carry_request_and_experiment_and_no_secret(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs()
    try:
        world.type('new "A very private idea"')
        world.type("show EXP-1")
        world.type("nonsense EXP-1 <@U0ANA|ana>")
        world.type("show ML-9")
        world.type("goal show goal-3")
        world.type("list --goal goal-3")
    finally:
        structlog.reset_defaults()
    lines = [line for line in capsys.readouterr().err.splitlines() if "event='command'" in line]
    assert [re.findall(r"experiment='([^']*)'", line) for line in lines[3:]] == [["ML-9"], [], []], "goal-3 is a goal"
    lines = lines[:3]
    assert all(re.search(r"request='[0-9a-f]{12}'", line) for line in lines)
    assert len({re.findall(r"request='(\w+)'", line)[0] for line in lines}) == 3
    assert ["experiment='EXP-1'" in line for line in lines] == [False, True, True]
    assert "verb='show'" in lines[1]
    assert "problem='wrong use'" in lines[2]
    said = "\n".join(lines)
    assert not [
        secret for secret in (world.slack.bot_token, world.slack.signing_secret, "private", "hooks") if secret in said
    ]


def test_the_unit_runs_what_there_is_as_nobody_special() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names have capitals
    unit.read(ROOT / "deploy/scrumbut.service")
    service = unit["Service"]
    assert service["ExecStart"].endswith("scrumbut serve --config /etc/scrumbut/config.toml")
    assert (service["User"], service["NoNewPrivileges"], service["Restart"]) == ("scrumbut", "yes", "always")


def test_the_image_runs_as_nobody_special_and_tells_its_health() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    last = lines[max(number for number, line in enumerate(lines) if line.startswith("FROM")) :]
    assert "USER scrumbut" in last
    assert any("/readyz" in line for line in last)
    assert 'CMD ["scrumbut", "serve"]' in last
    assert "--require-hashes -r constraints.txt" in "\n".join(lines)
