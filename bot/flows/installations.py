"""Workspaces come and go: installs the app into one, keeps its token fresh, and forgets the token of one that left.

A refresh token is spent by its first use, so of all threads and replicas one renews: whoever claims the row. A claim
ends by itself, for its holder may have been killed.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from integrations.http import IntegrationError
from integrations.slack_install import Grant
from store import installations as store
from store.database import Database
from store.installations import Installation, SealBroken, Tokens, Vault

log = structlog.get_logger(__name__)

RENEW_AHEAD = timedelta(hours=2)  # Slack's tokens live twelve
CLAIM = timedelta(seconds=30)  # how long one renewal may take before another one tries
KEPT = timedelta(minutes=1)  # how late a replica sees what another one changed
WAITS, WAIT_S = 20, 0.1  # for somebody else's renewal, where there is no token until it is done


class Granter(Protocol):
    """Slack's side of it: see `integrations.slack_install.SlackInstall`."""

    def question(self, back: str, state: str) -> str: ...
    def grant(self, code: str, back: str) -> Grant: ...
    def renew(self, refresh: str) -> Grant: ...


@dataclass(frozen=True, slots=True)
class Installer:
    """What installing needs: the home database, which keeps who installed, and what seals their tokens."""

    database: Database
    vault: Vault
    slack: Granter
    now: Callable[[], datetime]


def install(installer: Installer, code: str, back: str) -> Installation:
    """Take what Slack grants for a code. Raises IntegrationError."""
    grant, now = installer.slack.grant(code, back), installer.now()
    installed = Installation(
        id=grant.team or grant.enterprise,
        team=grant.team,
        enterprise=grant.enterprise,
        name=grant.name[:200],
        bot_user=grant.bot_user,
        scopes=grant.scopes,
        installed_by=grant.installed_by,
        installed_at=now,
    )
    with installer.database.write() as connection:
        store.save_installation(connection, installer.vault, installed, _tokens(grant, now))
    log.info("installed", workspace=installed.id, enterprise=installed.enterprise)
    return installed


def uninstall(installer: Installer, id_: str, at: datetime) -> bool:
    """Forget the token of a workspace that took the app out at that time; its backlog stays. False where that is old
    news."""
    with installer.database.write() as connection:
        ended = store.end_installation(connection, id_, at)
    if ended:
        log.info("uninstalled", workspace=id_)
    return ended


class WorkspaceToken:
    """The token of one workspace, as `integrations.slack.TokenSource` wants it; threads may share it."""

    def __init__(self, installer: Installer, id_: str) -> None:
        self._installer, self._id = installer, id_
        self._kept: tuple[Tokens, datetime] | None = None

    def current(self) -> str:
        """The token, renewed where its end is near. Raises IntegrationError where the app is not installed."""
        kept, now = self._kept, self._installer.now()
        if kept is None or kept[1] <= now:
            tokens = fresh_tokens(self._installer, self._id)
            kept = self._kept = (tokens, now + KEPT)
        return kept[0].token

    def refused(self) -> bool:
        """Look at what is stored; whether that is another token than the one that was refused."""
        kept, self._kept = self._kept, None
        try:
            return kept is None or self.current() != kept[0].token
        except IntegrationError:
            return False


def fresh_tokens(installer: Installer, id_: str) -> Tokens:
    """The workspace's tokens, renewed where their end is near."""
    tokens = _stored(installer, id_)
    for _ in range(WAITS):
        if not _ends_soon(installer, tokens):
            return tokens
        renewed = _renew(installer, id_)
        if renewed is not None:
            return renewed
        if _lives(installer, tokens):
            return tokens  # somebody else renews it
        time.sleep(WAIT_S)
        tokens = _stored(installer, id_)
    raise IntegrationError("Slack", "the token of this workspace is being renewed.", retry_after=2.0)


def _renew(installer: Installer, id_: str) -> Tokens | None:
    """The next tokens; None where somebody else is at it, or Slack does not give one now."""
    now = installer.now()
    with installer.database.write() as connection:
        if not store.claim_renewal(connection, id_, now, now + CLAIM):
            return None
        tokens = _opened(store.load_tokens(connection, installer.vault, id_))
        if not _ends_soon(installer, tokens):  # somebody renewed it since we looked
            store.release_renewal(connection, id_)
            return tokens
    try:
        renewed = _tokens(installer.slack.renew(tokens.refresh), now)
    except IntegrationError as error:
        log.error("token not renewed", workspace=id_, why=str(error))
        if not _lives(installer, tokens):
            raise
        return None  # the claim stays until its end, so that Slack is not asked with every call
    with installer.database.write() as connection:
        store.save_renewal(connection, installer.vault, id_, renewed)
    log.info("token renewed", workspace=id_)
    return renewed


def _stored(installer: Installer, id_: str) -> Tokens:
    try:
        with installer.database.read() as connection:
            return _opened(store.load_tokens(connection, installer.vault, id_))
    except SealBroken as error:
        remedy = "Put the key back into [security] encryption_keys, or install the app again."
        raise IntegrationError("Slack", f"the token of {id_} does not open: {error}.", remedy, permanent=True) from None


def _opened(tokens: Tokens | None) -> Tokens:
    if tokens is None:
        what = "the app is not installed in this workspace."
        raise IntegrationError("Slack", what, "Install it: /slack/install.", permanent=True, code="not_installed")
    return tokens


def _ends_soon(installer: Installer, tokens: Tokens) -> bool:
    return bool(tokens.refresh and tokens.expires_at and tokens.expires_at - installer.now() < RENEW_AHEAD)


def _lives(installer: Installer, tokens: Tokens) -> bool:
    return tokens.expires_at is None or tokens.expires_at > installer.now()


def _tokens(grant: Grant, now: datetime) -> Tokens:
    return Tokens(grant.token, grant.refresh, None if grant.lives_s is None else now + timedelta(seconds=grant.lives_s))
