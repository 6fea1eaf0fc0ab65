"""Forgetting a person: nothing of them is left, and everything of the team's is."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Text, type_coerce
from typer.testing import CliRunner

from backlog.errors import NotFound
from backlog.experiment import replay
from bot.cli import app
from bot.flows.forget_person import forget_person
from bot.flows.services import Caller
from bot.roles import NotAllowed, Role
from bot.terminal import to_text
from bot.verbs import Request, answer
from store.experiments import load_experiments, load_timeline
from store.memory import search
from store.tables import metadata
from tests.conftest import CONFIG, World

ZEB, NAME = "U0ZEBEDIAH", "zebediah o'hara"
ADMIN = Caller("root", "root", role=Role.ADMIN)
WORDS = "periwinkle"  # in what only they said


ADMINS = f'[roles]\nadmin = ["{ZEB}"]\n'


@pytest.fixture
def known(make_world: Callable[..., World]) -> World:
    """A backlog in which a person left traces of every kind."""
    world = make_world(config=CONFIG + ADMINS)
    furnish(world)
    return world


def furnish(world: World) -> None:
    """Have the person do what leaves traces."""
    world.slack.users[ZEB] = NAME
    key = world.jira.add_issue("ML", "Char tokens")
    for line in (
        'goal add churn "keep active clients" --metric recall --baseline 0.71 --target 0.80',
        'new "Char-level tokens" --goal churn',
        f'note EXP-1 leakage {WORDS}, ask @"{NAME}"',
        f'block EXP-1 "labels {WORDS}"',
        f"link EXP-1 {key}",
        'health churn at-risk "labels late"',
        'risk add churn "vendor data ends" --impact high --review 14d',
        "metric add recall --goal churn --source files --key k --better up",
        "watch recall --below 0.5 --recover 0.6",
        "subscribe goal:churn decisions",
        'subscribe everything --channel "#ml"',
        "settings quiet 20:00-08:00 UTC",
        "schedule weekly tue 09:00 UTC #ml-managers",
        "schedule pause all",
        "schedule resume all",
        f'goal edit churn --target 0.82 "because {WORDS}"',
        "report post weekly",
        "snooze EXP-1",
    ):
        world.type(line, user=ZEB)
    world.type(f"edit EXP-1 --owner <@{ZEB}|zeb>")
    world.type("note EXP-1 thanks zebediah o'hara for it")
    world.edge.event({"type": "app_home_opened", "user": ZEB, "channel": "D1", "tab": "home"})
    world.settle()


def everything(world: World) -> str:
    with world.services.database.read() as connection:
        return json.dumps(
            [
                [str(value) for value in row]
                for table in metadata.sorted_tables
                for row in connection.execute(
                    table.select().with_only_columns(*(type_coerce(c, Text) for c in table.columns))
                )
            ]
        )


def file_bytes(world: World) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(world.folder.glob("scrumbut.db*")))


def test_nothing_of_a_forgotten_person_is_left_and_everything_of_the_team_is(known: World) -> None:
    before = everything(known)
    assert ZEB in before
    assert NAME in before
    with known.services.database.read() as connection:
        timeline = len(load_timeline(connection, "EXP-1"))
    done = forget_person(known.services, ADMIN, NAME)
    after = everything(known)
    for trace in (ZEB, NAME, "zebediah", "o&#x27;hara"):
        assert trace not in after, f"{trace}: {after[max(0, after.find(trace) - 200) : after.find(trace) + 40]}"
    held = file_bytes(known)
    assert ZEB.encode() not in held
    assert NAME.encode() not in held
    assert WORDS in after, "their words stay unless that is wished"
    with known.services.database.read() as connection:
        (experiment,) = load_experiments(connection)
        assert experiment.owner == done.pseudonym
        entries = load_timeline(connection, "EXP-1")
        assert len(entries) == timeline
        assert replay(1, entries) == experiment
        assert search(connection, "zebediah", every_word=True) == []
    said = to_text(answer(["show", "EXP-1"], Request(known.services, ADMIN)))
    assert f"former member {done.pseudonym[-8:]}" in said


def test_the_words_of_a_person_go_on_request_and_what_an_experiment_is_made_of_stays(known: World) -> None:
    done = forget_person(known.services, ADMIN, ZEB, with_text=True)
    after = everything(known)
    assert WORDS not in after, after[max(0, after.find(WORDS) - 800) : after.find(WORDS) + 40]
    assert WORDS.encode() not in file_bytes(known)
    assert done.texts >= 3
    assert "Char-level tokens" in after
    assert "keep active clients" in after
    with known.services.database.read() as connection:
        (experiment,) = load_experiments(connection)
        assert replay(1, load_timeline(connection, "EXP-1")) == experiment
        assert experiment.blocked_reason == "(dropped for its author)"
        assert search(connection, WORDS, every_word=True) == []


def test_nobody_is_written_to_under_a_pseudonym_and_the_person_may_come_back(known: World) -> None:
    forget_person(known.services, ADMIN, ZEB)
    known.clock.forward(days=8)
    known.settle()
    with known.services.database.read() as connection:
        stuck = connection.exec_driver_sql("SELECT target, error FROM outbox WHERE state IN ('dead', 'unknown')").all()
    assert stuck == []
    assert "EXP-2" in known.type('new "I am back"', user=ZEB)
    assert "EXP-1 " not in known.type("mine", user=ZEB), "what was theirs is not theirs any more"


def test_a_dry_run_and_a_repetition_change_nothing(known: World) -> None:
    before = everything(known)
    tried = forget_person(known.services, ADMIN, ZEB, dry_run=True)
    assert tried.rows["timeline"] >= 9
    assert everything(known) == before
    forget_person(known.services, ADMIN, ZEB)
    with pytest.raises(NotFound, match='Nothing here is of "U0ZEBEDIAH"'):
        forget_person(known.services, ADMIN, ZEB)


def test_only_an_admin_may_have_somebody_forgotten(known: World) -> None:
    with pytest.raises(NotAllowed, match="To forget a person one must be an admin"):
        forget_person(known.services, Caller("U0BEN", "ben"), ZEB)


def test_a_name_that_is_a_word_stays_in_sentences_and_one_that_two_have_as_well(world: World) -> None:
    world.slack.users |= {"U0WILL": "will", "U0WILL2": "will"}
    world.type('new "it will do, says @will"', user="U0WILL")
    forget_person(world.services, ADMIN, "U0WILL", name_is_a_word=True)
    assert "it will do, says @former member" in world.type("show EXP-1")
    world.type('new "will it?"', user="U0WILL")
    world.type("list", user="U0WILL2")
    done = forget_person(world.services, ADMIN, "U0WILL")
    assert done.same_name
    assert "will it?" in world.type("show EXP-2")
    assert "U0WILL2" in everything(world)


def test_the_command_says_where_the_configuration_still_names_them(known: World, tmp_path: Path) -> None:
    run = CliRunner().invoke(app, ["forget", ZEB, "--text", "--config", str(known.folder / "config.toml")])
    assert run.exit_code == 0, run.output
    assert f"config.toml still names {ZEB}: roles.admin. Take it out." in run.output
    again = CliRunner().invoke(app, ["forget", ZEB, "--config", str(known.folder / "config.toml")])
    assert (again.exit_code, "Nothing here is of" in again.output) == (1, True)
