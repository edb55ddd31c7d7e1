"""The front door's protocol: HTTP/1.1 from clients, parsed by llhttp, answered by exchanges.

One `Downstream` a connection. It reads whole requests within limits, starts one exchange at a time, frames what the
exchange answers, and tells it when the client leaves or is slow. It knows nothing of providers or money.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, cast

import httptools

from metering.gateway.client_answer import ClientAnswer
from metering.gateway.request import Head, Request

if TYPE_CHECKING:
    from metering.gateway.heads import Recalled
    from metering.gateway.request import Exchange, Handler

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
PIPELINED_BYTES = 64 * 1024
METERED = b"/proxy/"
WRITE_BUFFER = 64 * 1024
BUG = b'{"error":{"message":"A bug of ours, not of your call: it is in the log. Try again, and tell the operator."}}'

logger = logging.getLogger(__name__)


class Downstream(ClientAnswer):
    """A client's connection."""

    __slots__ = (
        "busy",
        "fresh",
        "head",
        "head_bytes",
        "missing",
        "parser",
        "paused",
        "peer",
        "queue",
        "reading",
        "request",
        "untouched",
    )

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.parser = httptools.HttpRequestParser(self)
        self.queue: deque[Request] = deque()
        self.request: Request | None = None
        self.exchange: Exchange | None = None
        self.reading = False
        self.busy = False
        self.chunked = False
        self.framed = False
        self.fresh = True
        self.closing = False
        self.lingering = False
        self.paused = False
        self.head = Head()
        self.head_bytes = 0
        self.missing = 0
        self.untouched: bytes | None = None
        """What began with the head that is being parsed, to remember it by."""
        self.deadline = 0.0
        self.peer = ""

    # asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's transports are no subclasses of asyncio's
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER)
        peer = transport.get_extra_info("peername")
        self.peer = peer[0] if peer and not isinstance(peer, str) else ""
        self.handler.connections.add(self)
        self.deadline = self.handler.time() + self.handler.limits.head_seconds

    def connection_lost(self, exc: Exception | None) -> None:
        self.closing = True
        self.handler.connections.discard(self)
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.client_gone()

    def pause_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.client_slow()

    def resume_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.client_ready()

    def data_received(self, data: bytes) -> None:
        if self.closing:
            return
        if self.missing:
            self._collect(data)
            return
        if not (self.busy or self.reading or self.head_bytes or self.queue):
            known = self.handler.heads.recall(data)
            if known is not None:
                self._recalled(known, data)
                return
            self.untouched = data
        self._parse(data)

    def _parse(self, data: bytes) -> None:
        if not self.reading:
            self.head_bytes += len(data)
        elif self.busy and len(self.queue) * PIPELINED_BYTES + len(data) > PIPELINED_BYTES * 4:
            self.paused = True
            self.transport.pause_reading()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._reject(400, "invalid_request", "Protocol upgrades are not supported.")
        except (httptools.HttpParserError, httptools.HttpParserCallbackError):
            self._reject(400, "invalid_request", "The request is not valid HTTP/1.1.")
        if not self.reading and self.head_bytes > self.handler.limits.head_bytes and not self.busy:
            self._reject(431, "invalid_request", "The request's headers are too large.")

    # a request whose head is known

    def _recalled(self, known: Recalled, data: bytes) -> None:
        head, start, length = known
        self.fresh = False
        end = start + length
        if length > self.handler.limits.body_bytes:
            self.request = Request(head, self.peer)
            self._reject_body()
        elif end == len(data):
            self._start(Request(head, self.peer, data[start:]))
        elif end < len(data):
            self._start(Request(head, self.peer, data[start:end]))
            self.data_received(data[end:])
        else:
            self.request = Request(head, self.peer, bytearray(data[start:]))
            self.reading = True
            self.missing = end - len(data)
            self.deadline = self.handler.time() + self.handler.limits.body_seconds

    def _collect(self, data: bytes) -> None:
        """Take what is missing of the body, and go on with what follows it."""
        request = self.request
        assert request is not None
        rest = data[self.missing :]
        request.body += data[: self.missing] if rest else data
        self.missing = max(self.missing - len(data), 0)
        if not self.missing:
            self.request = None
            self.reading = False
            self._start(request)
            if rest:
                self.data_received(rest)

    # llhttp

    def on_message_begin(self) -> None:
        self.head = Head()
        self.request = Request(self.head, self.peer, bytearray())
        self.fresh = False

    def on_url(self, url: bytes) -> None:
        self.head.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.head.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        head, request = self.head, self.request
        assert request is not None
        self.reading = True
        received, self.head_bytes = self.head_bytes, 0
        head.method = self.parser.get_method()
        head.version = self.parser.get_http_version()
        request.keep_alive = head.keep_alive = self.parser.should_keep_alive()
        limits = self.handler.limits
        names = [name for name, _ in head.headers]
        if len(names) > limits.headers or (received > limits.head_bytes and head.size() > limits.head_bytes):
            self._reject(431, "invalid_request", "The request's headers are too large.")
        elif names.count(b"host") != 1:
            self._reject(400, "invalid_request", "A request needs exactly one Host header.")
        elif b"content-length" in names and int(head.header(b"content-length") or 0) > limits.body_bytes:
            self._reject_body()
        else:
            if not self.busy:
                self.deadline = self.handler.time() + limits.body_seconds
            if b"expect" in names:
                self.transport.write(CONTINUE)
            if self.untouched is not None and head.target.startswith(METERED):
                self.handler.heads.remember(self.untouched, head)
        self.untouched = None

    def on_body(self, data: bytes) -> None:
        if self.closing or self.request is None:
            return
        self.request.body += data
        if len(self.request.body) > self.handler.limits.body_bytes:
            self._reject_body()

    def on_message_complete(self) -> None:
        request, self.request = self.request, None
        self.reading = False
        if self.closing or request is None:
            return
        if self.busy:
            self.queue.append(request)
        else:
            self._start(request)

    # requests

    def _start(self, request: Request) -> None:
        self.busy = True
        self.deadline = 0.0
        if self.handler.draining:
            request.keep_alive = False
        self.request_in_hand = request
        try:
            self.answered_by(self.handler.handle(request, self))
        except Exception:
            logger.exception("A request could not be handled: this is a bug")
            if self.busy:
                self.respond(500, b"content-type: application/json\r\n", BUG)

    def answered_by(self, exchange: Exchange | None) -> None:
        """Who answers the request in hand from now on; nobody where it was answered already."""
        self.exchange = exchange if self.busy else None

    def _reject_body(self) -> None:
        limit = self.handler.limits.body_bytes // (1024 * 1024)
        self._reject(413, "body_too_large", f"The request's body is larger than {limit} MiB.")

    def _reject(self, status: int, code: str, message: str) -> None:
        """Answer and close: what follows on this connection can't be trusted or is too much."""
        if self.closing:
            return
        if self.busy:  # an answer is under way: it can't be followed by another one
            self.transport.abort()
            return
        request = self.request or Request(Head(), self.peer)
        request.keep_alive = False
        self.busy = True
        self.request_in_hand = request
        self.lingering = True
        self.handler.refuse(request, self, status, code, message)

    def timed_out(self) -> None:
        """The deadline for the head, the body or the next request has passed."""
        if self.closing:
            self.transport.abort()
        elif self.request is not None and self.reading:
            self._reject(408, "invalid_request", "The request's body did not arrive in time.")
        elif self.head_bytes:
            self._reject(408, "invalid_request", "The request's headers did not arrive in time.")
        else:
            self.close()

    # answers

    def _done(self) -> None:
        self.busy = False
        self.exchange = None
        if not self.request_in_hand.keep_alive or self.handler.draining:
            self.close()
        elif self.queue:
            asyncio.get_running_loop().call_soon(self._next)
        else:
            self.deadline = self.handler.time() + self.handler.limits.idle_seconds
            if self.paused:
                self.paused = False
                self.transport.resume_reading()

    def _next(self) -> None:
        if self.queue and not self.busy and not self.closing:
            self._start(self.queue.popleft())
