"""Keeps Jira's webhook alive where the account may: registered once, extended long before it expires.

An account that may not register one is no trouble: an admin makes it by hand, and polling is complete without it.
"""

from datetime import timedelta
from typing import Literal

from bot.flows.services import Services
from integrations.http import FORBIDDEN, IntegrationError

EXTEND_BEFORE = timedelta(days=10)  # Jira drops a dynamic webhook after 30

Kept = Literal["off", "by hand", "registered", "extended", "alive"]


def keep_webhook(services: Services) -> Kept:
    """Register our webhook or extend it; says what was done. Raises IntegrationError where Jira does not answer."""
    if services.tracker is None or not services.webhook:
        return "off"
    url = f"{services.public_url}/jira/webhook"
    try:
        own = [hook for hook in services.tracker.webhooks() if hook.url == url]
        if not own:
            services.tracker.register_webhook(url, services.jql)
            return "registered"
    except IntegrationError as error:
        if error.code != FORBIDDEN:
            raise
        return "by hand"
    if min(hook.expires for hook in own) - services.now() > EXTEND_BEFORE:
        return "alive"
    services.tracker.extend_webhooks([hook.id for hook in own])
    return "extended"
