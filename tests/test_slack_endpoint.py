"""Hostile and malformed requests to `/slack/events`: refused in one word, never a 500, never an act."""

import time

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.slack_edge import sign
from tests.conftest import World

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
BODIES = [
    b"", b"payload={bad json", b"payload=[]", b"payload=null", b"payload=%7B%7D", b"payload=%22text%22", b"payload=5",
    b'{"type":"event_callback","event":5}', b"[1,2]", b'"x"', b'{"a":' + b"[" * 5_000, b"\xff\xfe",
    b"command=/exp&text=%00%01%02", b"command=/other&text=x", b"ssl_check=1", b"command=/exp&text=" + b"a" * 200_000,
]  # fmt: skip


def post(world: World, body: bytes, kind: str, secret: str) -> int:
    headers = sign(secret, body, time.time()) | {"content-type": kind}
    return httpx2.post(f"{world.web_url}/slack/events", content=body, headers=headers, timeout=20).status_code


@pytest.mark.parametrize("kind", [FORM, JSON])
def test_a_signed_body_that_cannot_be_read_is_refused_and_does_nothing(world: World, kind: str) -> None:
    statuses = [post(world, body, kind, world.slack.signing_secret) for body in BODIES]
    assert set(statuses) <= {200, 400, 401, 404}
    assert "No experiments here yet." in world.type("list")


def test_nothing_unsigned_is_even_parsed(world: World) -> None:
    assert {post(world, body, FORM, "f" * 32) for body in BODIES} == {401}


def test_a_body_beyond_all_measure_is_cut_off(world: World) -> None:
    assert post(world, b"x" * (2 << 20), FORM, world.slack.signing_secret) == 413


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=300))
def test_whatever_is_typed_gets_an_answer(world: World, text: str) -> None:
    ack = world.edge.command(text.replace("\r", " "))
    assert ack.status == 200
    assert "Something broke" not in str(ack.body)
