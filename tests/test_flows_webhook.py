"""Jira's webhook: registered once where the account may, extended before it expires, and never needed."""

from collections.abc import Callable

import pytest

from bot.flows.keep_webhook import keep_webhook
from tests.conftest import CONFIG, World

ADDRESS = "https://scrumbut.example.com"


@pytest.fixture
def hooked(make_world: Callable[..., World]) -> World:
    """A world with a secret and a public address."""
    secret = CONFIG.replace("[database]", 'webhook_secret = "hush"\n[database]')
    return make_world(config=secret.replace("[outbox]", f'[web]\npublic_url = "{ADDRESS}"\n[outbox]'))


def test_it_is_registered_once_and_extended_before_its_thirty_days_are_over(hooked: World) -> None:
    hooked.jira.hooks.is_app = True
    assert keep_webhook(hooked.services) == "registered"
    assert keep_webhook(hooked.services) == "alive"
    hook = hooked.jira.hooks.alive(hooked.clock())[0]
    assert (hook["url"], hook["jqlFilter"]) == (f"{ADDRESS}/jira/webhook", "project = ML")
    hooked.clock.forward(days=21)
    assert keep_webhook(hooked.services) == "extended"
    hooked.clock.forward(days=20)
    assert len(hooked.jira.hooks.alive(hooked.clock())) == 1
    assert keep_webhook(hooked.services) in ("alive", "extended")


def test_an_account_that_may_not_register_leaves_it_to_an_admin(hooked: World) -> None:
    assert keep_webhook(hooked.services) == "by hand"


def test_without_a_secret_nothing_is_asked(world: World) -> None:
    world.jira.calls.clear()
    assert keep_webhook(world.services) == "off"
    assert world.jira.calls == []


def test_the_clock_keeps_it(hooked: World) -> None:
    hooked.jira.hooks.is_app = True
    hooked.settle()
    hooked.clock.forward(days=1)
    hooked.settle()
    assert len(hooked.jira.hooks.alive(hooked.clock())) == 1
