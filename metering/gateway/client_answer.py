"""The answering half of a client's connection: heads and bodies on the wire, whole or cut short."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metering.gateway.request import Exchange, Handler, Request

PHRASES = {status.value: status.phrase for status in HTTPStatus}
STATUS_LINES = {status: f"HTTP/1.1 {status} {PHRASES.get(status, '')}\r\n".encode() for status in range(100, 1000)}
"""Of every status: providers use some that no list has, such as 529."""
LINGER_SECONDS = 2


class ClientAnswer(asyncio.Protocol):
    """A connection that has a request in hand and answers it."""

    __slots__ = (
        "chunked",
        "closing",
        "deadline",
        "exchange",
        "framed",
        "handler",
        "lingering",
        "request_in_hand",
        "transport",
    )

    chunked: bool
    closing: bool
    deadline: float
    exchange: Exchange | None
    framed: bool
    handler: Handler
    lingering: bool
    request_in_hand: Request
    transport: asyncio.Transport

    def respond(self, status: int, headers: bytes, body: bytes) -> None:
        """Send a whole answer. `headers` are complete lines; the length is added here."""
        self.transport.write(
            b"%b%bcontent-length: %d\r\n%b\r\n%b"
            % (STATUS_LINES[status], headers, len(body), self._connection_line(), b"" if self._is_head() else body)
        )
        self._done()

    def start(self, status: int, headers: bytes, length: int | None = None) -> None:
        """Send an answer's head; the body follows by `send`, and `finish` ends it."""
        self.chunked = length is None and self.request_in_hand.head.version == "1.1"
        self.framed = self.chunked or length is not None
        if length is not None:
            framing = b"content-length: %d\r\n" % length
        elif self.chunked:
            framing = b"transfer-encoding: chunked\r\n"
        else:
            framing = b""
            self.request_in_hand.keep_alive = False
        self.transport.write(b"%b%b%b%b\r\n" % (STATUS_LINES[status], headers, framing, self._connection_line()))

    def let_go(self) -> None:
        """Forget the request's body, which a long answer does not need any more."""
        self.request_in_hand.body = b""

    def send(self, data: bytes, chunk: bytes = b"") -> None:
        """Send a piece of the body; `chunk` is `data` framed as one chunk, where somebody has that already."""
        if data:
            if self.chunked:
                data = chunk or b"%x\r\n%b\r\n" % (len(data), data)
            self.transport.write(data)

    def finish(self) -> None:
        """End the body."""
        if self.chunked:
            self.transport.write(b"0\r\n\r\n")
        self._done()

    def abort(self) -> None:
        """Cut the answer short, so that the client sees it is not complete: its framing is never ended.

        What was sent still arrives, but where only the end of the connection ends the answer, that must be a reset.
        """
        self.exchange = None
        self.closing = True
        if self.framed:
            self.transport.close()
        else:
            self.transport.abort()

    def close(self) -> None:
        """Close after what was written has left.

        A client that is still sending is listened to for a moment: closing at once would reset the connection and
        take the answer with it.
        """
        self.closing = True
        if self.lingering:
            self.transport.write_eof()
            self.deadline = self.handler.time() + LINGER_SECONDS
        else:
            self.transport.close()

    def _is_head(self) -> bool:
        return self.request_in_hand.head.method == b"HEAD"

    def _connection_line(self) -> bytes:
        return b"" if self.request_in_hand.keep_alive else b"connection: close\r\n"

    def _done(self) -> None:
        """The answer is complete: what comes next is the connection's business."""
        raise NotImplementedError
