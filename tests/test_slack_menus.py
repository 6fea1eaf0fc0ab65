"""Menus: what does nothing alone shows what there is below it, and every verb that takes anything has its form."""

import json

import pytest

from bot.slack.modals.forms import form_of
from tests.conftest import World
from tests.test_slack_cards import labels
from tests.test_slack_driver import verbs

# Where the buttons of a bare verb lead: to a form, or to an answer.
FORMS = {
    "goal": {"New goal": "New goal", "Change a goal": "Change a goal", "Is the data ready?": "Goal ready"},
    "metric": {"New metric": "New metric", "Read one once": "Metric test"},
    "risk": {"New risk": "New risk", "Acknowledge": "Risk ack"},
    "report": {"Write the bottom line": "Report line", "Post now": "Report post", "A past one": "Report show"},
    "schedule": {"Schedule a report": "Schedule a report", "Pause": "Schedule pause"},
    "settings": {"Change": "Settings"},
    "subscribe": {"Follow something": "Subscribe"},
}
ANSWERS = {
    "goal": {"Goals": "No goals yet."},
    "metric": {"Watches": "Nothing is watched."},
    "risk": {"Open risks": "No open risk."},
    "report": {"Archive": "The archive opens for"},
    "schedule": {"What is scheduled": "1 scheduled", "What goes out next": "What goes out next"},
    "outbox": {"What waits": "Nothing waits for a person."},
}


@pytest.mark.parametrize("verb", FORMS)
def test_a_bare_verb_leads_to_its_forms(world: World, verb: str) -> None:
    world.type(verb)
    menu = world.slack.ephemerals[-1].message
    assert set(FORMS[verb]) <= set(labels(menu))
    for label, title in FORMS[verb].items():
        world.edge.click(label, menu)
        assert world.slack.views.top("U0ANA").content["title"]["text"] == title
        world.edge.close()


@pytest.mark.parametrize("verb", ANSWERS)
def test_a_bare_verb_leads_to_its_answers(world: World, verb: str) -> None:
    world.type(verb)
    menu = world.slack.ephemerals[-1].message
    for label, says in ANSWERS[verb].items():
        world.edge.click(label, menu)
        world.settle()
        assert says in json.dumps(world.slack.ephemerals[-1].message)


def test_every_verb_that_takes_anything_opens_its_form_when_asked(world: World) -> None:
    told = len(world.slack.ephemerals)
    for verb in verbs():
        if form_of(verb):
            assert world.edge.command(f"{verb} --form").status == 200
            assert world.slack.views.top("U0ANA").content["callback_id"] == "form", verb
            world.edge.close()
    assert len(world.slack.ephemerals) == told  # nothing was done or said


def test_a_form_keeps_what_was_typed_before_it_was_asked_for(world: World) -> None:
    world.type("subscribe goal:churn decisions --form")
    (what, *_) = (b["element"] for b in world.slack.views.top("U0ANA").content["blocks"])
    assert what["initial_value"] == "goal:churn\ndecisions"


def test_help_on_one_verb_is_what_the_verb_says_itself(world: World) -> None:
    assert world.type("help frame") == world.type("frame --help")
    assert world.type("help goal").startswith(world.type("goal"))
    assert 'There is no verb "frobnicate".' in world.type("help frobnicate")


def test_sources_are_chosen_from_those_that_are_configured(world: World) -> None:
    world.type("metric add --form")
    assert world.edge.suggest("metric add.source", "") == ["files (csv)"]
