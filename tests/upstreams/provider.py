"""A provider at the socket: answers each request with what a test's function returns; remembers what it was sent."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Received:
    """One request as the provider saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What the provider says. Chunks make a chunked body; after them `cut` resets the connection, `short` closes it."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    chunks: Iterable[bytes] | None = None
    cut: bool = False
    short: bool = False


def completion(**usage: int) -> Answer:
    """An unstreamed chat completion with a usage."""
    document = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "pong"}, "finish_reason": "stop"}],
        "usage": usage or {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
    }
    return Answer(headers={"content-type": "application/json"}, body=orjson.dumps(document))


def events(*documents: Any, pause: float = 0, cut: bool = False, done: bool = True) -> Answer:
    """A stream of server-sent events, with [DONE] at its end."""
    chunks = [b"data: " + orjson.dumps(document) + b"\n\n" for document in documents]
    if done:
        chunks.append(b"data: [DONE]\n\n")
    return Answer(headers={"content-type": "text/event-stream"}, chunks=paced(chunks, pause), cut=cut)


def paced(chunks: Iterable[bytes], pause: float) -> Iterator[bytes]:
    """Chunks with a pause before each."""
    for chunk in chunks:
        time.sleep(pause)
        yield chunk


class Server(ThreadingHTTPServer):
    """Keeps many waiting: a connection that finds no room waits for seconds, and may be given up meanwhile."""

    daemon_threads = True
    request_queue_size = 512


class Provider:
    """A server on a free loopback port; `answer` may be replaced between calls."""

    def __init__(self, answer: Callable[[Received], Answer]) -> None:
        self.answer = answer
        self.received: list[Received] = []
        self.server = Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=[POLL_SECONDS], daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self.server.shutdown()
        self.server.server_close()


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Tests read what was received, not a log."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            received = Received(self.command, self.path, headers, body)
            provider.received.append(received)
            try:
                self._send(provider.answer(received))
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        do_GET = do_POST  # noqa: N815 -- the standard library's name

        def _send(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.chunks is None:
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)
                return
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for chunk in answer.chunks:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            if answer.cut:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
            elif answer.short:
                self.close_connection = True
            else:
                self.wfile.write(b"0\r\n\r\n")

    return Handler
