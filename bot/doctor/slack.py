"""Checks of Slack: whose token it is, what it may do, where the bot is, and whether our blocks are taken."""

from collections.abc import Iterator

from bot.doctor.case import TIMEOUT_S, Case
from bot.flows.finding import Finding, Topic, fine, trouble, wrong
from bot.manifest import OPTIONAL, SCOPES
from integrations.http import IntegrationError
from integrations.slack import Identity, check_app_level_token
from reports.card import Card
from reports.rendering import render_card

SAMPLE = Card(
    key="EXP-1", title="Char-level tokens raise recall", stage="running", goal="churn", owner="ana", issue_key="",
    issue_url="", question="We believe …", progress="", age="3 d old", blocked="", result="",
)  # fmt: skip


def check_token(case: Case) -> Iterator[Finding]:
    """Slack knows the bot's token."""
    found = case.identity
    if found is None:
        fact = "[slack] bot_token is empty: there is no Slack, only the command line."
        yield trouble("Slack", fact, "scrumbut manifest prints the link that creates the app.", "slack-off")
    elif isinstance(found, IntegrationError):
        topic: Topic = "slack-refuses" if found.permanent else "slack-unreachable"
        yield wrong("Slack", found.what, found.remedy or "Check the network and [slack] api_url.", topic)
    else:
        yield fine("Slack", f'{found.user} in "{found.team}" ({found.team_id})')


def check_scopes(case: Case) -> Iterator[Finding]:
    """The installed app has the scopes of the manifest: one made from a manifest has two until it is reinstalled."""
    found = case.identity
    if not isinstance(found, Identity) or found.scopes is None:
        return
    missing = [scope for scope in SCOPES if scope not in found.scopes]
    if needed := [scope for scope in missing if scope not in OPTIONAL]:
        fact = f"the installed app lacks {', '.join(needed)}."
        fix = "Reinstall it: api.slack.com/apps, your app, Install App, Reinstall to Workspace."
        yield wrong("scopes", fact, fix, "scopes-missing")
    if smaller := [scope for scope in missing if scope in OPTIONAL]:
        lost = "; ".join(f"{scope} ({SCOPES[scope]})" for scope in smaller)
        yield trouble("scopes", f"without {lost}.", "Add them and reinstall, if you want that.", "scopes-optional")
    if not missing:
        yield fine("scopes", f"all {len(SCOPES)}")


def check_app_token(case: Case) -> Iterator[Finding]:
    """The token of Socket Mode is accepted; where there is none, requests come over HTTP and are signed."""
    token = case.settings.slack.app_token.get_secret_value()
    if not token:
        if case.slack:
            yield fine("mode", "HTTP: Slack's requests come to /slack/events")
        return
    try:
        check_app_level_token(token, case.settings.slack.api_url, TIMEOUT_S)
    except IntegrationError as error:
        fix = "Basic Information → App-Level Tokens, with the scope connections:write, into [slack] app_token."
        yield wrong("mode", f"Socket Mode: {error.what}", fix, "app-token")
    else:
        yield fine("mode", "Socket Mode")


def check_channels(case: Case) -> Iterator[Finding]:
    """Each configured channel exists and has the bot in it."""
    if not isinstance(case.identity, Identity) or case.slack is None:
        return
    if not case.channels:
        fact = "no channel is configured: cards and reports go nowhere."
        yield trouble("channels", fact, 'channel = "#ml" under [slack]', "no-channel")
    for channel in case.channels:
        try:
            is_member = case.slack.is_member(channel)
        except IntegrationError as error:
            yield wrong("channels", error.what, error.remedy, "channel-unknown")
            continue
        if is_member:
            yield fine("channels", f"the bot is in {channel}")
        else:
            yield wrong("channels", f"the bot is not in {channel}.", "/invite @scrumbut there.", "not-in-channel")


def check_blocks(case: Case) -> Iterator[Finding]:
    """Slack takes a card as we write it."""
    if not isinstance(case.identity, Identity) or case.slack is None:
        return
    try:
        case.slack.validate(render_card(SAMPLE)["blocks"])
    except IntegrationError as error:
        if error.code in ("invalid_blocks", "invalid_arguments"):
            yield wrong("blocks", error.what, "Upgrade scrumbut; until then plainer forms are sent.", "blocks-refused")
        else:
            fix = "Nothing; it is only a trial."
            yield trouble("blocks", f"not tried: {error.what}", fix, "blocks-untried")
    else:
        yield fine("blocks", "Slack takes our cards")
