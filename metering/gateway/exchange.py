"""One call between a client and a provider: forwards the bytes, reads a copy of them, and writes the lines.

The order is the promise. The intent is written before the first byte leaves for the provider, the result before the
last byte of the answer leaves for the client. So a process may be killed at any point: what reached a provider is in
the spool, and whoever saw a whole answer has an exact event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from metering.answers import StreamAnswer, read_body
from metering.gateway.answer_head import answer_head, is_stream
from metering.usage import Reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from metering.gateway.call import Call
    from metering.gateway.gateway import Gateway
    from metering.gateway.origin import ConnectFailed, Connection, Headers
    from metering.gateway.server import Downstream
    from metering.usage import Usage

NEVER = float("inf")
NO_SPOOL = "The call cannot be recorded now, so it was not forwarded. Try again in a moment."
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
        "heard",
        "held",
        "parts",
        "recorded",
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
        self.heard = False
        self.deadline = NEVER

    def start(self) -> None:
        """Write the intent, then send the call to the provider."""
        self.gateway.exchanges.add(self)
        if self.call.way.metered:
            self.gateway.spool.put(self.call.intent(), self._intended)
        else:
            self._intended(True)

    def _intended(self, written: bool) -> None:
        if written:
            self.gateway.send(self.call, self)
            return
        self.recorded = True
        self.gateway.call_off(self.call)
        client, self.client = self.client, None
        if client is not None:
            self.gateway.refuse_unwritten(client, self.call)
        self._leave()

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
        message = f"{self.call.provider_label} cannot be reached: {error}."
        self._after(lambda: self._refuse("upstream_unreachable", message))
        self._leave()

    def head(self, status: int, headers: Headers) -> None:
        self.status = status
        self.headers = headers
        self.call.first_byte_ms = self.call.elapsed_ms()
        self.heard = True
        if status < 400 and is_stream(headers):
            self.answer = StreamAnswer(self.call.reader(), headers, hide_usage=self.call.hide_usage)
            if self.client is not None:
                self.client.start(status, answer_head(self.call, headers, streamed=True))
                self.client.let_go()
            self.call.let_go()
            self.headers = []

    def body(self, data: bytes, chunk: bytes = b"") -> None:
        if self.answer is None:
            self._buffer(data)
            return
        self.heard = True
        passing = self.answer.feed(data)
        if self.answer.terminal and not self.recorded:
            self._record_stream()
        if passing:
            self._emit(passing, chunk if passing is data else b"")

    def end(self) -> None:
        self.connection = None
        if self.answer is None:
            self._end_buffered(self.parts[0] if len(self.parts) == 1 else b"".join(self.parts))
        else:
            self._record_stream()
            self._emit(self.answer.rest())
            self._after(self._finish)
            self._leave()

    def lost(self, reason: str) -> None:
        self.connection = None
        self._break_off("upstream_unreachable", f"{self.call.provider_label} broke off: {reason}.")

    def look(self, now: float) -> None:
        """The clock's tick: a provider that was heard since the last one has its time again."""
        if self.heard and self.client is not None:
            self.heard = False
            self.deadline = now + self.gateway.times.idle_seconds
        if self.deadline <= now:
            self.timed_out()

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
        status = self.status
        if status < 400:
            reading = read_body(self.call.reader(), body, self.headers)
            self._record(reading, status="provider_error" if reading.error else "ok")
        elif self.client is not None and self.call.may_ask_less(status, body):
            self.parts, self.buffered = [], 0
            self.gateway.send(self.call, self)
            return
        else:
            self._record(Reading(None), status="provider_error")
        if self.call.key_rejected(status, self.headers, body):
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

    def _emit(self, data: bytes, chunk: bytes = b"") -> None:
        if self.held is not None:
            self.held.append(lambda: self._send(data))
        elif self.client is not None:
            self.client.send(data, chunk)

    def _send(self, data: bytes) -> None:
        if self.client is not None:
            self.client.send(data)

    def _finish(self) -> None:
        client, self.client = self.client, None
        if client is not None:
            client.finish()

    # both

    def _break_off(self, code: str, message: str) -> None:
        """End without a complete answer: the client must see that, and the ledger say it."""
        reading = self.answer.finish() if self.answer is not None else Reading(None)
        self._record(reading, status="provider_error")
        self._after(lambda: self._refuse(code, message))
        self._leave()

    def _record(self, reading: Reading, *, status: str, dispatched: bool = True) -> None:
        """Write the result, once. A client that has left makes it `aborted`, whatever the provider went on to say."""
        if self.recorded:
            return
        self.recorded = True
        call = self.call
        if not call.way.metered:
            return
        if self.client is None and dispatched:
            status = "aborted"
        self.held = []
        told = call.to_estimate(reading, http_status=self.status, dispatched=dispatched)
        if told is None:
            self._write(reading, status, dispatched=dispatched)
        else:
            self.gateway.estimator.ask(told, lambda usage: self._write(reading, status, estimate=usage))

    def _write(self, reading: Reading, status: str, *, dispatched: bool = True, estimate: Usage | None = None) -> None:
        call = self.call
        line = call.result(reading, status=status, http_status=self.status, dispatched=dispatched, estimate=estimate)
        if call.way.limited:
            self.gateway.correct_tokens(call)
        self.gateway.spool.put(line, lambda written: self._written(line, written))

    def _written(self, line: bytes, written: bool) -> None:
        """Let go of what the client may have only now; a line that the disk has no room for is kept in memory."""
        if not written:
            self.gateway.keep(line)
        held, self.held = self.held or [], None
        for step in held:
            step()

    def _after(self, step: Callable[[], None]) -> None:
        """Do `step` when the result is written."""
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

    def _leave(self) -> None:
        self.connection = None
        self.gateway.exchanges.discard(self)
