"""Calls to an account that needs an access token: who waits, how often it is fetched, and what is said without one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from pytest_django import Settings

from tests.metering.gateway.accounts import connect
from tests.metering.gateway.conftest import Running, Start, eventually
from tests.metering.service_account import key_file
from tests.upstreams.provider import Answer, Provider, Received

PATH = "/proxy/vertex/v1/projects/acme-123/locations/global/publishers/google/models/gemini-2.5-flash:generateContent"
JSON = {"content-type": "application/json"}
ANSWER = {"candidates": [], "usageMetadata": {"promptTokenCount": 13, "candidatesTokenCount": 2}}


class Google(Provider):
    """Gives numbered tokens that last `seconds` while it is `open`, and takes those that are not in `revoked`."""

    def __init__(self) -> None:
        super().__init__(self.reply)
        self.seconds = 3599
        self.token_status = 200
        self.revoked: set[str] = set()
        self.open = Event()
        self.open.set()

    def reply(self, request: Received) -> Answer:
        if request.path == "/token":
            self.open.wait(10)
            token = {"access_token": f"ya29.{len(self.asked('/token'))}", "expires_in": self.seconds}
            refusal = {"error": "invalid_grant"}
            return Answer(self.token_status, JSON, json.dumps(token if self.token_status == 200 else refusal).encode())
        known = request.headers["authorization"] not in self.revoked
        return Answer(200 if known else 401, JSON, json.dumps(ANSWER).encode())

    def asked(self, path: str) -> list[Received]:
        """The requests for a path, the model's where it is empty."""
        return [one for one in self.received if (one.path == "/token") is (path == "/token")]


@pytest.fixture
def google(settings: Settings) -> Iterator[Google]:
    settings.ALLOW_PRIVATE_ADDRESSES = True
    server = Google()
    yield server
    server.close()


@pytest.fixture
def gateway(start: Start, google: Google) -> Running:
    running = start({"vertex": google.url})
    connect(running, "vertex", google.url, json.dumps(key_file(f"{google.url}/token")))
    return running


def ask(gateway: Running) -> tuple[int, Any, Any]:
    answer = gateway.call(PATH, b'{"contents":[]}', content_type="application/json")
    return answer.status, json.loads(answer.read()), answer.headers["x-metering-error"]


def test_calls_that_come_together_wait_for_one_token(gateway: Running, google: Google) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(gateway), range(8)))
    assert {status for status, _, _ in answers} == {200}
    assert len(google.asked("/token")) == 1
    assert {one.headers["authorization"] for one in google.asked("")} == {"Bearer ya29.1"}
    assert len(gateway.wait(lambda: len(gateway.records("result")) == 8 and gateway.records("result"))) == 8


def test_the_token_stays_when_the_directory_is_read_again(gateway: Running, google: Google) -> None:
    ask(gateway)
    connect(gateway, "vertex", google.url, json.dumps(key_file(f"{google.url}/token")))
    assert ask(gateway)[0] == 200
    assert len(google.asked("/token")) == 1


def test_the_next_token_is_there_before_it_is_needed(gateway: Running, google: Google) -> None:
    google.seconds = 16  # of which the last 15 are spared
    ask(gateway)
    google.seconds = 3599
    eventually(lambda: len(google.asked("/token")) == 2)
    assert ask(gateway)[0] == 200
    eventually(lambda: ask(gateway)[0] == 200 and google.asked("")[-1].headers["authorization"] == "Bearer ya29.2")


def test_a_token_that_is_refused_is_forgotten(gateway: Running, google: Google) -> None:
    ask(gateway)
    google.revoked.add("Bearer ya29.1")
    status, document, error = ask(gateway)
    assert (status, error) == (502, "upstream_auth")
    assert "rejects the key" in document["error"]["message"]
    assert ask(gateway)[0] == 200
    assert google.asked("")[-1].headers["authorization"] == "Bearer ya29.2"


def test_a_key_that_brings_no_token_is_a_refused_key(gateway: Running, google: Google) -> None:
    google.token_status = 400
    status, document, error = ask(gateway)
    assert (status, error) == (502, "upstream_auth")
    assert "invalid_grant" in document["error"]["message"]
    assert not google.asked("")
    assert not gateway.records("intent")
    google.token_status = 200
    assert ask(gateway)[2] == "upstream_auth"  # it is not asked again at once
    assert len(google.asked("/token")) == 1


def test_a_token_server_that_cannot_be_reached(gateway: Running, google: Google) -> None:
    connect(gateway, "vertex", google.url, json.dumps(key_file("http://127.0.0.1:1/token")))
    status, document, error = ask(gateway)
    assert (status, error) == (502, "upstream_unreachable")
    assert "No access token came from" in document["error"]["message"]


def test_a_client_that_leaves_while_it_waits_makes_no_call(gateway: Running, google: Google) -> None:
    google.open.clear()
    head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.key}\r\ncontent-length: 2\r\n\r\n{{}}"
    assert gateway.raw(head.encode()) == b""
    google.open.set()
    assert ask(gateway)[0] == 200
    assert len(google.asked("")) == 1
    assert len(gateway.records("intent")) == 1
