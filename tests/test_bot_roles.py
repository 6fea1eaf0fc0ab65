"""Who may do what, and what a refused person reads."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.config import ConfigError, load_settings
from bot.flows.refresh_groups import refresh_groups
from bot.flows.services import Caller
from bot.roles import Role, Roles
from bot.verbs import Request, answer
from tests.conftest import CONFIG, World
from tests.test_flows import run_whole_experiment

LEADS = '[roles]\nviewer = ["U0CHI"]\ndecider = ["S0LEADS"]\n'


@pytest.fixture
def led(make_world: Callable[..., World]) -> World:
    """Ben is in the user group of deciders, Chi may only look, Ana is a member."""
    world = make_world(config=CONFIG + LEADS)
    world.settle()
    world.clock.forward(minutes=6)
    world.settle()
    return world


def test_until_a_decider_is_named_everybody_may_do_everything(world: World) -> None:
    run_whole_experiment(world)
    assert "monitored" in world.type("show EXP-1")
    assert Roles().role_of("U0ANA", set()) is Role.ADMIN


def test_a_viewer_reads_and_changes_nothing(led: World) -> None:
    led.type('new "Char-level tokens raise recall"')
    assert "EXP-1" in led.type("list", user="U0CHI")
    for line in ('new "Mine"', "note EXP-1 seen", "goal add churn x", "sync", "report post", "undo EXP-1"):
        said = led.type(line, user="U0CHI")
        assert "one must be a member; your role is viewer." in said, line
        assert f"You typed: /exp {line}" in said
    assert "noted" not in led.type("show EXP-1")


def test_a_member_works_and_a_refused_decision_says_who_may(led: World) -> None:
    led.type("list", user="U0BEN")
    led.type('new "Labels are there" --kind infrastructure', user="U0BEN")
    led.type('new "Labels are there too" --kind infrastructure')
    refused = led.type('decide EXP-2 stop "no"')
    assert "To decide about an experiment one must be a decider; your role is member." in refused
    assert "Who may: ben." in refused or "Who may: U0BEN." in refused
    assert 'decide EXP-2 stop "no"' in refused, "what was typed is not lost"
    assert "one must be" not in led.type('decide EXP-1 stop "no"', user="U0BEN")


def test_a_person_who_leaves_the_group_decides_no_more(led: World) -> None:
    assert led.services.roles.role_of("U0BEN", {"S0LEADS"}) is Role.DECIDER
    led.type('new "Labels are there" --kind infrastructure')
    led.slack.groups["S0LEADS"] = []
    assert refresh_groups(led.services) == 1
    assert "your role is member" in led.type('decide EXP-1 stop "no"', user="U0BEN")


def test_a_bet_over_the_limit_needs_a_decider(led: World) -> None:
    services = replace(led.services, rules=replace(led.services.rules, extensions=0))
    led.type('new "Labels are there" --kind infrastructure')
    said = answer(["extend", "EXP-1", "labels arrive"], Request(services, Caller("U0ANA", "ana")))
    assert "To extend EXP-1 for the 1. time one must be a decider" in said.text


def test_the_command_line_acts_in_the_role_that_the_config_gives_it(led: World) -> None:
    led.type('new "Labels are there"')
    by_cli = Caller("root", "root", role=Role.VIEWER)
    assert "your role is viewer" in answer(["note", "EXP-1", "x"], Request(led.services, by_cli)).text
    allowed = answer(["note", "EXP-1", "x"], Request(led.services, replace(by_cli, role=Role.MEMBER)))
    assert not allowed.problem
    assert "root: noted x" in led.type("show EXP-1")


def test_the_highest_role_that_names_a_person_counts() -> None:
    roles = Roles({Role.VIEWER: frozenset({"U0ANA"}), Role.ADMIN: frozenset({"U0ANA", "S0LEADS"})})
    assert roles.role_of("U0ANA", set()) is Role.ADMIN
    assert roles.role_of("U0BEN", {"S0LEADS"}) is Role.ADMIN
    assert roles.role_of("U0BEN", set()) is Role.MEMBER


def test_a_name_in_the_roles_that_is_no_id_is_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "config.toml"
    path.write_text('[roles]\ndecider = ["@ana"]\n')
    with pytest.raises(ConfigError, match=r'"@ana" is no Slack id. Users begin with U or W'):
        load_settings(path)
