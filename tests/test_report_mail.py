"""Reports by e-mail over a real SMTP server: TLS, login, bounces, leaving, and copies that carry one Message-ID."""

import email
import email.policy
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from bot.flows.deliver_outbox import deliver_all
from bot.flows.run_due import run_due
from bot.work import work_once
from integrations.mail import Mailer
from sandbox.serving import free_port
from tests.conftest import CONFIG, World

MAIL = """
[mail]
host = "localhost"
port = {port}
user = "bot"
password = "{password}"
from = "ML reports <bot@example.com>"
tls = "{tls}"
"""
PLAN = 'schedule = "mon 09:00 UTC"\nemails = ["ana@example.com", "ben@example.com"]'
PASSWORD = "correct horse"


@dataclass
class Post:
    """The server's side: what it took, whom it refuses, and whether it breaks the line after it took a letter."""

    taken: list[tuple[str, EmailMessage]] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    breaks: int = 0

    async def handle_RCPT(  # noqa: N802  aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 no such person <script>"
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert server.transport is not None
        assert server.transport.get_extra_info("sslcontext") is not None, "nothing may travel in clear"
        self.taken.append((envelope.rcpt_tos[0], message))
        if self.breaks:
            self.breaks -= 1
            server.transport.abort()  # type: ignore[attr-defined]
        return "250 taken"


@dataclass
class Server:
    """A running server with its certificate."""

    post: Post
    port: int
    tls: str


@pytest.fixture(params=["starttls"])
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Server]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)

    def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
        ok = isinstance(given, LoginPassword) and (given.login, given.password) == (b"bot", PASSWORD.encode())
        return AuthResult(success=ok)

    post = Post()
    tls: dict[str, Any] = {"tls_context": context, "require_starttls": True}
    if request.param == "implicit":
        tls = {"ssl_context": context, "auth_require_tls": False}  # it counts STARTTLS only; the line is covered
    controller = Controller(
        post, hostname="127.0.0.1", port=free_port(), authenticator=check, auth_required=True, **tls
    )
    controller.start()
    yield Server(post, controller.port, request.param)
    controller.stop()


@pytest.fixture
def world(make_world: Callable[..., World], server: Server) -> World:
    return mailing(make_world, server)


def mailing(make_world: Callable[..., World], server: Server, password: str = PASSWORD) -> World:
    config = CONFIG.replace('schedule = "mon 09:00 UTC"', PLAN) + MAIL.format(
        port=server.port, password=password, tls=server.tls
    )
    world = make_world(config=config)
    world.settle()
    return world


def monday(world: World, week: int = 0) -> None:
    world.clock.at = datetime(2026, 11, 30 if not week else 7, 9, 0, 1, tzinfo=UTC).replace(month=12 if week else 11)
    world.settle()


def test_each_address_gets_one_letter_with_text_page_and_picture_under_tls_and_login(
    world: World, server: Server
) -> None:
    monday(world)
    assert [to for to, _ in server.post.taken] == ["ana@example.com", "ben@example.com"]
    _, letter = server.post.taken[0]
    assert letter["From"] == "ML reports <bot@example.com>"
    assert letter["To"] == "ana@example.com"
    kinds = [part.get_content_type() for part in letter.walk()]
    assert kinds[:3] == ["multipart/alternative", "text/plain", "text/html"] or "text/html" in kinds
    text = letter.get_body(("plain",))
    assert text is not None
    assert "Week 48" in text.get_content()
    assert len([m for m in world.slack.messages("ml") if m["blocks"][0]["type"] == "header"]) == 1
    world.settle()
    monday(world, week=1)
    assert len({letter["Message-ID"] for _, letter in server.post.taken}) == len(server.post.taken) == 4


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("server", ["implicit"], indirect=True)
def test_a_server_that_speaks_tls_from_the_first_byte_is_spoken_to_like_that(world: World, server: Server) -> None:
    monday(world)
    assert [to for to, _ in server.post.taken] == ["ana@example.com", "ben@example.com"]


def test_without_a_word_port_465_means_tls_from_the_first_byte() -> None:
    assert [Mailer("localhost", port, "", "", "bot@example.com", 1.0).tls_first for port in (465, 587)] == [True, False]


def test_a_line_that_breaks_after_the_letter_was_taken_leaves_one_message_id(world: World, server: Server) -> None:
    server.post.breaks = 1
    monday(world)
    to_ana = [letter for to, letter in server.post.taken if to == "ana@example.com"]
    assert len(to_ana) == 2, "at least once"
    assert len({str(letter) for letter in to_ana}) == 1, "the very same letter"


def test_a_refused_address_is_logged_and_listed_and_holds_nobody_else_back(world: World, server: Server) -> None:
    server.post.refused.add("ana@example.com")
    monday(world)
    assert [to for to, _ in server.post.taken] == ["ben@example.com"]
    assert "ana@example.com  refused 30 Nov 2026: ana@example.com was refused (550 no such person <script>)" in (
        world.type("schedule list")
    )


def test_one_click_leaves_and_a_second_thought_comes_back(world: World, server: Server) -> None:
    monday(world)
    _, letter = server.post.taken[0]
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    path = str(letter["List-Unsubscribe"]).strip("<>").removeprefix(world.services.public_url)
    looked = httpx2.get(world.web_url + path)
    assert (looked.status_code, "No more mail" in looked.text) == (200, True)
    assert "ana@example.com" not in world.type("schedule list").partition("left")[2], "looking changes nothing"
    assert httpx2.post(world.web_url + path, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert "ana@example.com  left 30 Nov 2026" in world.type("schedule list")
    monday(world, week=1)
    assert [to for to, _ in server.post.taken[2:]] == ["ben@example.com"]
    assert httpx2.post(world.web_url + path + "&back=1").status_code == 200
    assert "left 30 Nov" not in world.type("schedule list")


def test_nobody_leaves_for_another(world: World, server: Server) -> None:
    monday(world)
    path = str(server.post.taken[0][1]["List-Unsubscribe"]).strip("<>").removeprefix(world.services.public_url)
    for changed in (path.replace("ana", "ben"), path[:-2], path.partition("&sig")[0], "/mail/leave"):
        assert httpx2.post(world.web_url + changed).status_code == 403
    assert "left" not in world.type("schedule list")


def test_a_wrong_password_is_told_without_it_and_the_letter_waits(
    make_world: Callable[..., World], server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    world = mailing(make_world, server, password="wrong battery")
    world.clock.at = datetime(2026, 11, 30, 9, 0, 1, tzinfo=UTC)
    from bot.flows.deliver_outbox import deliver_all
    from bot.flows.run_due import run_due
    from bot.work import work_once

    run_due(world.services, world.schedules)
    while work_once(world.services):
        pass
    deliver_all(world.services)
    said = "".join(capsys.readouterr())
    assert "the login was refused. Check [mail] user and password." in said
    assert "battery" not in said
    assert not server.post.taken


def test_a_server_without_a_certificate_we_trust_gets_nothing(
    world: World, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    world.clock.at = datetime(2026, 11, 30, 9, 0, 1, tzinfo=UTC)
    run_due(world.services, world.schedules)
    while work_once(world.services) or deliver_all(world.services):
        pass  # until it rests; it would be tried for days
    assert "TLS failed" in "".join(capsys.readouterr())
    assert not server.post.taken
