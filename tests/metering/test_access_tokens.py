from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pytest_django import Settings

from metering.access_tokens import TokenError, fetch_token
from metering.providers.service_account import ServiceAccount, read_key_file
from tests.metering.service_account import key_file


class TokenServer(ThreadingHTTPServer):
    """Answers every request with one status and body, and keeps what came."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 200
        self.body = json.dumps({"access_token": "ya29.first", "expires_in": 3599, "token_type": "Bearer"}).encode()
        self.received: list[tuple[str | None, bytes]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/token"


class Handler(BaseHTTPRequestHandler):
    server: TokenServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.headers["Content-Type"], body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(settings: Settings) -> Iterator[TokenServer]:
    settings.ALLOW_PRIVATE_ADDRESSES = True
    with TokenServer() as found:
        threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield found
        found.shutdown()


def grant(server: TokenServer) -> ServiceAccount:
    return read_key_file(key_file(server.url))


def test_a_token_is_fetched(server: TokenServer) -> None:
    assert fetch_token(grant(server)) == ("ya29.first", 3599)
    [(kind, body)] = server.received
    assert kind == "application/x-www-form-urlencoded"
    assert b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=" in body


@pytest.mark.parametrize(
    ("answer", "token"),
    [
        ({"access_token": "ya29.a...."}, ("ya29.a", 3600)),
        ({"access_token": "t", "expires_in": "soon"}, ("t", 3600)),
        ({"access_token": "t", "expires_in": -1}, ("t", 3600)),
        ({"access_token": "t", "expires_in": 10**9}, ("t", 43200)),
    ],
)
def test_a_lifetime_that_makes_no_sense_is_the_usual(
    server: TokenServer, answer: dict[str, object], token: tuple[str, int]
) -> None:
    server.body = json.dumps(answer).encode()
    assert fetch_token(grant(server)) == token


@pytest.mark.parametrize(
    ("status", "body", "text", "refused"),
    [
        (400, b'{"error":"invalid_grant","error_description":"Invalid JWT Signature."}', "invalid_grant", True),
        (401, b"<html>", "does not say why", True),
        (400, b'{"error":"two words"}', "does not say why", True),
        (500, b"", "HTTP 500", False),
        (302, b"", "HTTP 302", False),
        (200, b"", "holds none", False),
        (200, b'{"access_token":"a\\nb"}', "holds none", False),
        (200, b'{"access_token":""}', "holds none", False),
        (200, b"[]", "holds none", False),
    ],
)
def test_no_token_is_explained(server: TokenServer, status: int, body: bytes, text: str, refused: bool) -> None:
    server.status, server.body = status, body
    with pytest.raises(TokenError, match=text) as error:
        fetch_token(grant(server))
    assert error.value.refused is refused


def test_a_key_that_cannot_sign_is_refused_without_a_call(server: TokenServer) -> None:
    with pytest.raises(TokenError, match="cannot be read") as error:
        fetch_token(read_key_file(key_file(server.url, private_key="no key")))
    assert error.value.refused
    assert not server.received


def test_a_private_address_is_not_called(server: TokenServer, settings: Settings) -> None:
    settings.ALLOW_PRIVATE_ADDRESSES = False
    with pytest.raises(TokenError, match="No access token came"):
        fetch_token(grant(server))
    assert not server.received
