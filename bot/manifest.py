"""The Slack app as its manifest says it: the one place that lists every scope, event and shortcut, and why.

What a handler needs is declared here with it; `scrumbut doctor` holds the installed app against it.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from bot.config import Settings

CREATE = "https://api.slack.com/apps?new_app=1&manifest_json="
# Each scope with what it is for; without one of OPTIONAL something smaller is missing, and doctor says what.
SCOPES: Mapping[str, str] = {
    "commands": "the slash command and the shortcuts",
    "chat:write": "cards, reports, notices",
    "channels:read": "to find a channel by its name, and whether the bot is in it",
    "channels:history": "to look up whether a message arrived before it is sent again",
    "im:write": "notices and reminders to one person",
    "im:history": "to answer what people write to the bot, and to look its notices up",
    "app_mentions:read": "to answer a mention with the menu",
    "links:read": "to see links to experiments, reports and issues",
    "links:write": "to show what such a link leads to",
    "groups:read": "private channels by name",
    "groups:history": "looking a message up in private channels",
    "usergroups:read": "roles by user group",
    "users:read": "people's names and time zones",
    "files:write": "charts as pictures where native ones are refused",
}
OPTIONAL = frozenset({"groups:read", "groups:history", "usergroups:read", "users:read", "files:write"})
EVENTS = ("app_home_opened", "app_mention", "app_uninstalled", "link_shared", "message.im", "tokens_revoked")
FROM_MESSAGE, FROM_ANYWHERE = "make_experiment", "new_experiment"  # callback ids of the shortcuts
SHORTCUTS = (
    {
        "name": "Make an experiment",  # Slack allows 24 characters
        "type": "message",
        "callback_id": FROM_MESSAGE,
        "description": "Make an experiment of this message; its text and link are kept.",
    },
    {
        "name": "New experiment",
        "type": "global",
        "callback_id": FROM_ANYWHERE,
        "description": "Put an idea on the backlog from anywhere.",
    },
)
REDIRECTS = ("/slack/oauth_redirect", "/login/done")  # where Slack sends people back: installing, signing in


def app_manifest(settings: Settings) -> dict[str, Any]:
    """The manifest for the configured command and address; over Socket Mode it names no address at all."""
    socket = bool(settings.slack.app_token.get_secret_value())
    public = settings.web.public_url.rstrip("/")
    url = {} if socket else {"url": f"{public or 'https://your-host.example'}/slack/events"}
    request_url = {"request_url": url["url"]} if url else {}
    command = {
        "command": settings.slack.command,
        "description": "Experiments without sprints",
        "usage_hint": "new | list | show EXP-12 | help",
        "should_escape": True,
        **url,
    }
    return {
        "_metadata": {"major_version": 2, "minor_version": 1},
        "display_information": {
            "name": "scrumbut",
            "description": "An untimeboxed experiment backlog between Slack, Jira and your metric tracker.",
            "background_color": "#1f2a44",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "scrumbut", "always_online": True},
            "shortcuts": [dict(shortcut) for shortcut in SHORTCUTS],
            "slash_commands": [command],
            **({"unfurl_domains": domains} if (domains := unfurl_domains(settings)) else {}),
        },
        "oauth_config": {
            "scopes": {"bot": sorted(SCOPES)},
            **({"redirect_urls": [f"{public}{path}" for path in REDIRECTS]} if settings.web.public_url else {}),
        },
        "settings": {
            "event_subscriptions": {"bot_events": sorted(EVENTS), **request_url},
            "interactivity": {
                "is_enabled": True,
                **request_url,
                **({"message_menu_options_url": url["url"]} if url else {}),
            },
            "org_deploy_enabled": False,
            "socket_mode_enabled": socket,
            # A token in the configuration cannot be renewed; those of workspaces that installed the app are.
            "token_rotation_enabled": settings.slack.distributed,
        },
    }


def unfurl_domains(settings: Settings) -> list[str]:
    """Where links lead that the bot shows; Slack takes names with a dot, and no ports."""
    hosts = (urlsplit(url).hostname or "" for url in (settings.web.public_url, settings.jira.url))
    return list(dict.fromkeys(host for host in hosts if "." in host and not host.replace(".", "").isdigit()))


def creation_link(manifest: Mapping[str, Any]) -> str:
    """The address where Slack shows this app ready to be created."""
    return CREATE + quote(json.dumps(manifest, separators=(",", ":")), safe="")
