"""Calls whose head the gateway has seen before: cut into any pieces they are the calls that they were."""

from __future__ import annotations

import socket
from dataclasses import replace

import orjson
import pytest

from metering.gateway.accounts import Key
from tests.metering.gateway.conftest import KEY, Running
from tests.upstreams.provider import Provider, completion
from tokonomics.crypto import digest

HEAD = (
    "POST /proxy/openai/v1/chat/completions HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {key}\r\n"
    'X-Metering-Tags: {{"client":"acme"}}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n'
)


def ask(words: str) -> bytes:
    body = orjson.dumps({"model": "gpt-4.1-mini", "messages": [{"role": "user", "content": words}]})
    return HEAD.format(key=KEY, length=len(body)).encode() + body


def answers(connection: socket.socket, count: int) -> list[bytes]:
    """The status lines of so many answers."""
    seen = b""
    while seen.count(b"HTTP/1.1 ") < count or not seen.endswith((b"}", b"}\n")):
        piece = connection.recv(65536)
        assert piece, seen
        seen += piece
    return [part.split(b"\r\n")[0] for part in seen.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize("cut", [None, 1, 100, 330, 10_000])
def test_bodies_of_any_length_follow_a_known_head(gateway: Running, provider: Provider, cut: int | None) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
        for number, words in enumerate(("first", "the second", "x" * 20_000)):
            call = ask(words)
            for start in range(0, len(call), cut or len(call)):
                connection.sendall(call[start : start + (cut or len(call))])
            assert answers(connection, 1) == [b"200 OK"]
            assert orjson.loads(provider.received[number].body)["messages"][0]["content"] == words
    assert {record["client"] for record in gateway.records("result")} == {"acme"}


def test_calls_sent_together_are_answered_in_order(gateway: Running, provider: Provider) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
        connection.sendall(ask("known"))
        assert answers(connection, 1) == [b"200 OK"]
        connection.sendall(ask("one") + ask("two") + ask("three"))
        assert answers(connection, 3) == [b"200 OK"] * 3
    told = [orjson.loads(received.body)["messages"][0]["content"] for received in provider.received]
    assert told == ["known", "one", "two", "three"]


def test_a_known_head_with_too_long_a_body_is_refused(gateway: Running) -> None:
    limit = gateway.gateway.limits.body_bytes
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
        connection.sendall(ask("known"))
        assert answers(connection, 1) == [b"200 OK"]
        connection.sendall(HEAD.format(key=KEY, length=limit + 1).encode() + b"{")
        assert answers(connection, 1) == [b"413 Request Entity Too Large"]


@pytest.mark.parametrize(
    ("change", "status"),
    [({"revoked": True}, b"403 Forbidden"), ({"client": "other"}, b"200 OK")],
)
def test_a_change_of_the_key_holds_for_the_next_call(
    gateway: Running, change: dict[str, object], status: bytes
) -> None:
    keys = gateway.gateway.directory.keys
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
        connection.sendall(ask("before"))
        assert answers(connection, 1) == [b"200 OK"]
        changed: Key = replace(keys[digest(KEY)], **change)  # type: ignore[arg-type]
        keys[digest(KEY)] = changed
        connection.sendall(ask("after"))
        assert answers(connection, 1) == [status]
    clients = [record["client"] for record in gateway.records("result")]
    assert clients == (["acme"] if "revoked" in change else ["acme", "other"])


def test_a_status_that_no_list_has_is_passed_on(gateway: Running, provider: Provider) -> None:
    provider.answer = lambda received: replace(completion(), status=529)
    answer = gateway.call("/proxy/openai/v1/chat/completions", ask("x").split(b"\r\n\r\n", 1)[1])
    assert answer.status == 529


def test_a_broken_body_is_refused_alike_under_a_new_and_a_known_head(gateway: Running, provider: Provider) -> None:
    broken = HEAD.format(key=KEY, length=3).encode() + b"{]}"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
        seen = []
        for call in (broken, broken, ask("good"), broken):
            connection.sendall(call)
            seen.append(connection.recv(65536))
    assert seen[0].startswith(b"HTTP/1.1 400 ")
    assert seen[0] == seen[1] == seen[3]
    assert seen[2].startswith(b"HTTP/1.1 200 ")
    assert len(provider.received) == len(gateway.records("result")) == 1


def test_a_full_spool_refuses_a_known_head(gateway: Running, provider: Provider) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
        connection.sendall(ask("known"))
        assert answers(connection, 1) == [b"200 OK"]
        spool = gateway.gateway.spool
        spool._full, spool._look_at = True, float("inf")
        connection.sendall(ask("too much"))
        assert answers(connection, 1) == [b"503 Service Unavailable"]
    assert len(provider.received) == 1
