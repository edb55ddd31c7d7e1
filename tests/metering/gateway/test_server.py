"""The front door's HTTP: limits, bad bytes, keep-alive, pipelining, slow clients, the relay and the end."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any

import pytest

from tests.metering.gateway.conftest import KEY, Running
from tests.metering.gateway.test_calls import ASK, ASK_STREAM, CHAT, _message, delta, usage_chunk
from tests.upstreams.provider import POLL_SECONDS, Provider, completion, events

HEAD = f"POST {CHAT} HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {KEY}\r\n".encode()

BAD: dict[str, bytes] = {
    "content-length and chunked": HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "signed length": HEAD + b"Content-Length: +3\r\n\r\nabc",
    "unknown transfer encoding": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n",
    "bare line feeds": HEAD.replace(b"\r\n", b"\n") + b"\n",
    "folded header": HEAD + b"X-A: b\r\n c\r\n\r\n",
    "space before the colon": HEAD + b"X-A : b\r\n\r\n",
    "two hosts": HEAD + b"Host: other\r\nContent-Length: 0\r\n\r\n",
    "no host": HEAD.replace(b"Host: t\r\n", b"") + b"Content-Length: 0\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


@pytest.mark.parametrize("what", BAD)
def test_bad_bytes_get_one_400_and_the_connection_ends(gateway: Running, provider: Provider, what: str) -> None:
    answer = gateway.raw(BAD[what])
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"x-metering-error: invalid_request" in answer
    assert provider.received == []


@pytest.mark.parametrize("header", [b"X-Long: " + b"a" * 20_000, b"\r\n".join(b"X-%d: a" % n for n in range(200))])
def test_too_many_headers_are_431(gateway: Running, header: bytes) -> None:
    assert gateway.raw(HEAD + header + b"\r\n\r\n").startswith(b"HTTP/1.1 431 ")


def test_endless_header_is_cut_off(gateway: Running) -> None:
    assert gateway.raw(HEAD + b"X-Endless: " + b"a" * 300_000).startswith(b"HTTP/1.1 431 ")


def test_announced_oversize_body_is_refused_before_it_is_read(gateway: Running, provider: Provider) -> None:
    answer = gateway.raw(HEAD + b"Content-Length: 27262976\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"x-metering-error: body_too_large" in answer
    assert provider.received == []


@pytest.mark.parametrize(
    ("slug", "body"),
    [
        (b"anthropic/v1/messages", b'{"type":"error","error":{"type":"request_too_large","message":'),
        (b"google/v1beta/models/gemini-3-pro:generateContent", b'{"error":{"code":413,"message":'),
        (b"mistral/chat/completions", b'{"message":'),
        (b"nobody/chat/completions", b'{"error":{"message":'),
    ],
)
def test_oversize_body_is_refused_in_the_dialect_of_its_provider(gateway: Running, slug: bytes, body: bytes) -> None:
    head = HEAD.replace(b"openai/chat/completions", slug)
    answer = gateway.raw(head + b"Content-Length: 27262976\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.partition(b"\r\n\r\n")[2].startswith(body)


def test_oversize_chunked_body_is_refused_on_the_way(start: Callable[..., Running], provider: Provider) -> None:
    gateway = start({"openai": provider.url}, body_bytes=1024)
    answer = gateway.raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n800\r\n" + b"a" * 2048 + b"\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert provider.received == []


def test_chunked_body_is_read(gateway: Running, provider: Provider) -> None:
    half = len(ASK) // 2
    parts = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (ASK[:half], ASK[half:]))
    answer = gateway.raw(HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + parts + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert provider.received[0].body == ASK


def test_continue_is_answered(gateway: Running) -> None:
    message = _message(ASK).replace(b"host: t\r\n", b"host: t\r\nconnection: close\r\nexpect: 100-continue\r\n")
    answer = gateway.raw(message)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


def test_slow_head_and_slow_body_end(start: Callable[..., Running], provider: Provider) -> None:
    gateway = start({"openai": provider.url}, head_seconds=0.2, body_seconds=0.2)
    for sent in (HEAD, HEAD + b"Content-Length: 10\r\n\r\nabc"):
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
            connection.sendall(sent)
            assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")


def test_pipelined_calls_are_answered_in_order(gateway: Running, provider: Provider) -> None:
    provider.answer = lambda received: completion(prompt_tokens=len(received.body), completion_tokens=1, total_tokens=1)
    bodies = [ASK.replace(b"ping", b"p" * length) for length in (1, 50, 3)]
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=2) as connection:
        connection.sendall(b"".join(_message(body) for body in bodies))
        answer = b""
        while answer.count(b"HTTP/1.1 200 OK") < 3 or not answer.endswith(b"}"):
            answer += connection.recv(65536)
    positions = [answer.index(b'"prompt_tokens":%d,' % len(body)) for body in bodies]
    assert positions == sorted(positions)
    assert len(gateway.records("result")) == 3


def test_slow_reader_holds_the_provider_back(gateway: Running, provider: Provider) -> None:
    chunk = delta("x" * 60_000)
    provider.answer = lambda received: events(*[chunk] * 400, usage_chunk())
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        client.connect(("127.0.0.1", gateway.port))
        client.settimeout(10)
        client.sendall(_message(ASK_STREAM))
        client.recv(1024)
        [exchange] = gateway.wait(lambda: list(gateway.gateway.exchanges))
        waiting = exchange.client.transport.get_write_buffer_size
        gateway.wait(lambda: waiting() > 64 * 1024)
        assert waiting() < 2 * 1024 * 1024
        received = 0
        while piece := client.recv(262144):
            received += len(piece)
            if piece.endswith(b"0\r\n\r\n"):
                break
    assert received > 400 * 60_000
    [result] = gateway.records("result")
    assert (result["status"], result["estimated"]) == ("ok", False)


def test_probes_are_answered(gateway: Running, provider: Provider) -> None:
    assert gateway.call("/proxy/anthropic", method="HEAD", key=None).status == 200
    assert gateway.call("/proxy/openai/v1/models", method="OPTIONS", key=None).status == 204
    assert gateway.call("/proxy/nobody/", method="HEAD", key=None).status == 404
    assert provider.received == []


def test_running_stream_survives_the_end(gateway: Running, provider: Provider) -> None:
    provider.answer = lambda received: events(*[delta("word ")] * 5, usage_chunk(), pause=0.1)
    answer = gateway.call(CHAT, ASK_STREAM)
    drained = asyncio.run_coroutine_threadsafe(gateway.gateway.drain(10), gateway.loop)
    assert answer.read().endswith(b"data: [DONE]\n\n")
    drained.result(10)
    assert gateway.records("result")[0]["status"] == "ok"


def test_the_first_request_of_a_new_connection_is_answered_at_the_end(gateway: Running) -> None:
    probe = b"GET /healthz HTTP/1.1\r\nhost: t\r\n\r\n"
    late, idle, silent = (socket.create_connection(("127.0.0.1", gateway.port), timeout=10) for _ in range(3))
    with late, idle, silent:
        idle.sendall(probe)
        idle.recv(1000)
        gateway.wait(lambda: len(gateway.gateway.connections) == 3)
        drained = asyncio.run_coroutine_threadsafe(gateway.gateway.drain(10), gateway.loop)
        assert idle.recv(1000) == b""
        late.sendall(probe)
        assert b"connection: close" in late.recv(1000)
        assert silent.recv(1000) == b""  # nothing came, so it is let go
        drained.result(10)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, list[dict[str, Any]]]]:
    """The site, on a Unix socket: tells what it was asked."""
    path = tmp_path / "site.sock"
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def address_string(self) -> str:
            return "unix"

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Quiet."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked.append({"path": self.path, "headers": headers, "body": body, "method": self.command})
            self.send_response(200)
            self.send_header("set-cookie", "a=1")
            self.send_header("set-cookie", "b=2")
            self.send_header("content-length", "5")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(b"hello")

        do_GET = do_HEAD = do_POST  # noqa: N815 -- the standard library's names

    server = ThreadingUnixStreamServer(str(path), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=[POLL_SECONDS], daemon=True).start()
    yield path, asked
    server.shutdown()
    server.server_close()


def test_other_paths_go_to_the_site(start: Callable[..., Running], site: tuple[Path, list[dict[str, Any]]]) -> None:
    path, asked = site
    gateway = start({}, site=path)
    answer = gateway.call("/login?next=/", b"a=b", key=None, x_forwarded_for="6.6.6.6", x_evil_="1")
    assert (answer.read(), answer.headers.get_all("set-cookie")) == (b"hello", ["a=1", "b=2"])
    [request] = asked
    assert (request["path"], request["body"]) == ("/login?next=/", b"a=b")
    assert request["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert request["headers"]["host"] == f"127.0.0.1:{gateway.port}"
    assert gateway.call("/", method="HEAD", key=None).headers["content-length"] == "5"
    assert gateway.call("/again", method="GET", key=None).read() == b"hello"


def test_restarting_site_is_waited_for(start: Callable[..., Running], tmp_path: Path) -> None:
    gateway = start({}, site=tmp_path / "later.sock")
    outcome: list[bytes] = []
    asking = threading.Thread(target=lambda: outcome.append(gateway.call("/", method="GET", key=None).read()))
    asking.start()
    with socket.socket(socket.AF_UNIX) as late:
        late.bind(str(tmp_path / "later.sock"))
        late.listen()
        connection, _ = late.accept()
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nback")
        asking.join(5)
        connection.close()
    assert outcome == [b"back"]


def test_a_bug_is_answered_and_logged(gateway: Running, caplog: pytest.LogCaptureFixture) -> None:
    [key] = gateway.gateway.directory.keys.values()
    del key.workspace.zone  # what no request could do
    del key.workspace._day_starts
    answer = gateway.call(CHAT, ASK)
    assert answer.status == 500
    assert b"it is in the log" in answer.read()
    assert "this is a bug" in caplog.text
