"""One call between a client and a provider: forwards the bytes, reads a copy of them, and writes the lines.

The order is the promise. The intent is written before the first byte leaves for the provider, the result before the
last byte of the answer leaves for the client. So a process may be killed at any point: what reached a provider is in
the spool, and whoever saw a whole answer has an exact event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from metering.answers import StreamAnswer, read_body
from metering.gateway.answer_head import answer_head, is_stream
from metering.records import encode
from metering.usage import Reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from metering.gateway.call import Call
    from metering.gateway.gateway import Gateway
    from metering.gateway.origin import ConnectFailed, Connection, Headers
    from metering.gateway.request import Request
    from metering.gateway.server import Downstream

BUFFER_BYTES = 64 * 1024 * 1024
"""An unstreamed answer is held until its cost is known; no provider sends one this large."""


class MeteredExchange:
    """A `Sink` for the provider's answer and an `Exchange` for the client."""

    __slots__ = (
        "answer",
        "buffered",
        "call",
        "client",
        "connection",
        "deadline",
        "gateway",
        "headers",
        "held",
        "parts",
        "recorded",
        "request",
        "status",
    )

    def __init__(self, gateway: Gateway, client: Downstream, call: Call) -> None:
        self.gateway = gateway
        self.client: Downstream | None = client
        self.call = call
        self.connection: Connection | None = None
        self.answer: StreamAnswer | None = None
        self.status = 0
        self.headers: Headers = []
        self.parts: list[bytes] = []
        self.buffered = 0
        self.held: list[Callable[[], None]] | None = None
        self.recorded = False
        self.request: Request | None = None
        self.deadline = float("inf")

    def start(self, request: Request) -> None:
        """Write the intent, then send the call to the provider. Raises SpoolFull: then nothing was sent."""
        if self.call.metered:
            self.gateway.spool.append(encode(self.call.intent()))
        self.gateway.exchanges.add(self)
        self.request = request
        self.gateway.when_written(self._send)

    def _send(self) -> None:
        assert self.request is not None
        self.gateway.send(self.call, self.call.message(self.request), self)

    # the client

    def client_gone(self) -> None:
        """Read on for a while, so that the provider's own figures still arrive."""
        self.client = None
        self.deadline = self.gateway.time() + self.gateway.times.client_gone_seconds
        if self.connection is not None:
            self.connection.resume()

    def client_slow(self) -> None:
        if self.connection is not None:
            self.connection.pause()

    def client_ready(self) -> None:
        if self.connection is not None:
            self.connection.resume()

    # the provider

    def wants_dispatch(self, connection: Connection) -> bool:
        if self.client is None or self.recorded:
            self._record(Reading(None), status="not_dispatched", dispatched=False)
            self._leave()
            return False
        self.connection = connection
        self.deadline = self.gateway.time() + self.gateway.times.first_byte_seconds
        return True

    def failed(self, error: ConnectFailed) -> None:
        self._record(Reading(None), status="not_dispatched", dispatched=False)
        self._refuse("upstream_unreachable", f"{self.call.provider_label} cannot be reached: {error}.")
        self._leave()

    def head(self, status: int, headers: Headers) -> None:
        self.status = status
        self.headers = headers
        if status < 400:
            self.request = None
        self.call.first_byte_ms = self.call.elapsed_ms()
        self._touch()
        if status < 400 and is_stream(headers):
            self.answer = StreamAnswer(self.call.reader(), headers, hide_usage=self.call.hide_usage)
            if self.client is not None:
                self.client.start(status, answer_head(self.call, headers, streamed=True))

    def body(self, data: bytes) -> None:
        if self.answer is None:
            self._buffer(data)
            return
        self._touch()
        passing = self.answer.feed(data)
        if self.answer.terminal and not self.recorded:
            self._record_stream()
        self._emit(passing)

    def end(self) -> None:
        self.connection = None
        if self.answer is None:
            self._end_buffered(b"".join(self.parts))
        else:
            self._record_stream()
            self._emit(self.answer.rest())
            self._after(self._finish)
            self._leave()

    def lost(self, reason: str) -> None:
        self.connection = None
        self._break_off("upstream_unreachable", f"{self.call.provider_label} broke off: {reason}.")

    def timed_out(self) -> None:
        """The deadline has passed: no answer, no next byte, or the client left long ago."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None
        seconds = self.call.elapsed_ms() // 1000
        self._break_off("upstream_timeout", f"{self.call.provider_label} went silent; given up after {seconds} s.")

    # an unstreamed answer

    def _buffer(self, data: bytes) -> None:
        self.parts.append(data)
        self.buffered += len(data)
        if self.buffered > BUFFER_BYTES and self.connection is not None:
            self.connection.close()
            self.lost("its answer is larger than 64 MiB")

    def _end_buffered(self, body: bytes) -> None:
        if self.client is not None and self.call.may_ask_less(self.status, body):
            self.parts, self.buffered = [], 0
            self._send()
            return
        reading = Reading(None) if self.status >= 400 else read_body(self.call.reader(), body, self.headers)
        self._record(reading, status="provider_error" if self.status >= 400 or reading.error else "ok")
        if self.call.key_rejected(self.status, self.headers, body):
            message = f"{self.call.provider_label} rejects the key that is stored for it: replace it under Providers."
            self._after(lambda: self._refuse("upstream_auth", message))
        else:
            self._after(lambda: self._respond(body))
        self._leave()

    def _respond(self, body: bytes) -> None:
        client, self.client = self.client, None
        if client is not None:
            client.respond(self.status, answer_head(self.call, self.headers), body)

    # a streamed answer

    def _record_stream(self) -> None:
        assert self.answer is not None
        reading = self.answer.finish()
        self._record(reading, status="provider_error" if reading.error else "ok")

    def _emit(self, data: bytes) -> None:
        if not data or self.client is None:
            return
        if self.held is None:
            self.client.send(data)
        else:
            self.held.append(lambda: self.client.send(data) if self.client is not None else None)

    def _finish(self) -> None:
        client, self.client = self.client, None
        if client is not None:
            client.finish()

    # both

    def _break_off(self, code: str, message: str) -> None:
        """End without a complete answer: the client must see that, and the ledger say it."""
        reading = self.answer.finish() if self.answer is not None else Reading(None)
        self._record(reading, status="provider_error")
        self._refuse(code, message)
        self._leave()

    def _record(self, reading: Reading, *, status: str, dispatched: bool = True) -> None:
        """Write the result, once. A client that has left makes it `aborted`, whatever the provider went on to say."""
        if self.recorded:
            return
        self.recorded = True
        if not self.call.metered:
            return
        if self.client is None and dispatched:
            status = "aborted"
        self.gateway.write(self.call.result(reading, status=status, http_status=self.status, dispatched=dispatched))
        if self.call.limited:
            self.gateway.correct_tokens(self.call)
        if self.gateway.spool.sync:
            self.held = []
            self.gateway.when_written(self._release)

    def _release(self) -> None:
        held, self.held = self.held or [], None
        for step in held:
            step()

    def _after(self, step: Callable[[], None]) -> None:
        """Do `step` when the result is written: at once, or with SPOOL_SYNC once it is on the disk."""
        if self.held is None:
            step()
        else:
            self.held.append(step)

    def _refuse(self, code: str, message: str) -> None:
        client, self.client = self.client, None
        if client is None:
            return
        if self.answer is not None:
            client.abort()
        else:
            self.gateway.refuse_call(client, self.call, code, message)

    def _touch(self) -> None:
        if self.client is not None:
            self.deadline = self.gateway.time() + self.gateway.times.idle_seconds

    def _leave(self) -> None:
        self.connection = None
        self.gateway.exchanges.discard(self)
