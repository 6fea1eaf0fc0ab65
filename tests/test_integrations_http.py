"""Reading over HTTP: only where it is allowed, and whatever the other side does, it ends and is named."""

import ipaddress
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import TypeAdapter

from integrations.guard import is_public
from integrations.http import IntegrationError, Session
from tests import hostile

ANYTHING = TypeAdapter(Any)
NUMBERS = TypeAdapter(dict[str, list[float]])


def ask(url: str, allow: str = "", shape: TypeAdapter[Any] = ANYTHING, timeout_s: float = 5) -> Any:
    return Session("prom", allow=frozenset({allow}), timeout_s=timeout_s).fetch("GET", url, shape)


def refusal(answer: hostile.Answer, shape: TypeAdapter[Any] = ANYTHING, timeout_s: float = 5) -> str:
    with hostile.hostile(answer) as host, pytest.raises(IntegrationError) as told:
        ask(f"http://u:pa55@{host}/api?key=s3cret", host, shape, timeout_s)
    text = str(told.value)
    assert "pa55" not in text
    assert "s3cret" not in text
    return text.replace(host, "HOST")


@pytest.mark.parametrize("answer", [hostile.hangs, hostile.drips])
def test_a_source_that_hangs_is_left_after_its_timeout(answer: hostile.Answer) -> None:
    assert refusal(answer, timeout_s=0.3) == (
        "prom: http://HOST/api does not answer (ReadTimeout). Check that it runs and that url is right."
    )


@pytest.mark.parametrize("answer", [hostile.never_ends, hostile.bomb])
def test_a_body_without_end_or_a_gzip_bomb_is_cut_off(answer: hostile.Answer) -> None:
    assert refusal(answer) == "prom: the answer is larger than 32 MiB."


def test_a_redirect_is_not_followed_but_named_without_its_secrets() -> None:
    said = refusal(hostile.redirects)
    assert "HTTP 302 from http://HOST/api: it redirects to http://HOST/more." in said
    assert "write the address it should be as url" in said


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<!doctype html><title>Sign in</title>", "answered something that is not JSON: '<!doctype html>"),
        (b"", "answered something that is not JSON: ''"),
        (b"[" * 100_000, "answered something that is not JSON"),
        (b'{"values": ["a"]}', 'answered JSON of another shape: "values.0"'),
        (b'{"values": {"0": 1}}', 'answered JSON of another shape: "values"'),
        (b"null", 'answered JSON of another shape: ""'),
    ],
)
def test_an_answer_that_is_something_else_is_named(body: bytes, says: str) -> None:
    assert says in refusal(hostile.says(body), NUMBERS)


def test_an_encoding_that_was_not_asked_for_is_refused_before_it_is_unpacked() -> None:
    for encoding in (b"br", b"zstd", b"gzip, gzip, gzip"):
        said = refusal(hostile.says(b"x", b"Content-Encoding: " + encoding + b"\r\n"))
        assert f'the answer has the content encoding "{encoding.decode()}"' in said


def test_broken_gzip_and_broken_http_are_named() -> None:
    assert "does not answer (DecodingError)" in refusal(hostile.says(b"no gzip", b"Content-Encoding: gzip\r\n"))
    assert "does not answer (RemoteProtocolError)" in refusal(lambda sock: sock.sendall(b"SSH-2.0-OpenSSH\r\n"))


# Each leads to loopback, a private network, a link, a cloud's metadata or a crowd.
TRICKS = (
    "127.0.0.1", "127.1", "2130706433", "0x7f.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]",
    "[::127.0.0.1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001:0:1::]",
    "[fd00:ec2::254]", "[fec0::1]", "169.254.169.254", "100.100.100.200", "192.0.0.192", "10.0.0.1",
    "172.16.0.1", "192.168.0.1", "224.0.0.1", "255.255.255.255", "[ff02::1]", "u:pass@127.0.0.1", "8.8.8.8@127.0.0.1",
)  # fmt: skip


@pytest.mark.parametrize("host", TRICKS)
def test_no_trick_leads_to_an_address_that_is_not_public(host: str) -> None:
    with pytest.raises(IntegrationError, match=r"which is not public\. If that is meant, add \"") as told:
        ask(f"http://{host}:9/latest/meta-data")
    assert "pass" not in str(told.value)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::808:808"])
def test_the_internet_may_be_read(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def test_the_refusal_names_the_very_entry_that_would_allow_it() -> None:
    with hostile.hostile(hostile.says(b'{"ok": true}')) as host:
        with pytest.raises(IntegrationError, match=f'add "{host}" to \\[security\\] allow_hosts in config.toml'):
            ask(f"http://{host}/")
        assert ask(f"http://{host}/", allow=host) == {"ok": True}


def test_another_port_of_an_allowed_host_stays_closed() -> None:
    with pytest.raises(IntegrationError, match=r'add "127\.0\.0\.1:9091"'):
        ask("http://127.0.0.1:9091/", allow="127.0.0.1:9090")


def test_a_redirect_away_from_an_allowed_host_leads_nowhere() -> None:
    away = hostile.says(b"", b"Location: http://169.254.169.254/latest\r\n", b"307 Temporary Redirect")
    assert "it redirects to http://169.254.169.254/latest. Redirects are not followed" in refusal(away)


def test_a_failure_that_may_pass_is_tried_again() -> None:
    answers = iter([hostile.says(b"", status=b"503 Busy"), hostile.says(b'{"ok": true}')])
    with hostile.hostile(lambda sock: next(answers)(sock)) as host:
        assert ask(f"http://{host}/", allow=host) == {"ok": True}


def test_no_more_requests_at_a_time_and_a_second_than_the_source_allows() -> None:
    going, most, begun, lock = [0], [0], list[float](), threading.Lock()

    def answer(sock: socket.socket) -> None:
        with lock:
            going[0] += 1
            most[0] = max(most[0], going[0])
            begun.append(time.monotonic())
        time.sleep(0.05)
        with lock:
            going[0] -= 1
        hostile.says(b"{}")(sock)

    with hostile.hostile(answer) as host, ThreadPoolExecutor(8) as pool:
        session = Session("prom", allow=frozenset({host}), rate=50, concurrency=2)
        assert list(pool.map(lambda _: session.fetch("GET", f"http://{host}/", ANYTHING), range(8))) == [{}] * 8
    assert most[0] <= 2
    assert max(begun) - min(begun) >= 6 / 50, "eight requests at 50 a second"
