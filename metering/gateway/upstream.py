"""Connections to providers and to the site: one protocol object a connection, parsed by llhttp, kept alive in a pool.

A request is handed over whole and its answer comes back through a `Sink` as it arrives. Nothing is ever sent twice: an
LLM call is paid for, so only the caller may decide to repeat it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import httptools

from metering.gateway.origin import ConnectFailed
from tokonomics.addresses import is_allowed

if TYPE_CHECKING:
    from collections.abc import Callable

    from metering.gateway.origin import Headers, Origin, Sink

LINE_END = b"\r\n"
LENGTHS = frozenset((b"content-length", b"transfer-encoding"))
NO_BODY_LENGTH = (204, 304)


class UpstreamConnection(asyncio.Protocol):
    """One kept-alive HTTP/1.1 connection; carries one exchange at a time."""

    __slots__ = (
        "alive",
        "between",
        "headers",
        "idle_since",
        "parser",
        "pieces",
        "pool",
        "sink",
        "status",
        "transport",
        "until_close",
    )

    def __init__(self, pool: Idle) -> None:
        self.pool = pool
        self.alive = True
        self.between = False
        self.sink: Sink | None = None
        self.parser = httptools.HttpResponseParser(self)
        self.headers: Headers = []
        self.pieces: list[bytes] = []
        self.status = 0
        self.until_close = False
        self.idle_since = 0.0
        self.transport: asyncio.Transport

    def send(self, sink: Sink, request: bytes) -> None:
        """Send a whole request; the answer goes to `sink`."""
        self.sink = sink
        self.headers = []
        self.status = 0
        self.transport.write(request)

    def close(self) -> None:
        """Drop the connection; the sink hears nothing more."""
        self.sink = None
        self.alive = False
        self.transport.abort()

    def pause(self) -> None:
        """Stop reading."""
        self.transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        self.transport.resume_reading()

    # asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's transports are no subclasses of asyncio's

    def data_received(self, data: bytes) -> None:
        if self.sink is None:  # bytes that nobody asked for: the connection can't be trusted any more
            self.close()
            return
        if self.between:
            size = size_line(len(data))
            if size is not None and data.startswith(size) and data.endswith(LINE_END):  # one chunk: no need to parse
                self.sink.body(data[len(size) : -2], data)
                return
        self.between = False
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._hand_over()
            self._lose("the answer was not valid HTTP/1.1")
        else:
            if self.pieces:
                self._hand_over()
            if self.between:
                self.between = data.endswith(LINE_END)  # else the next chunk has begun

    def connection_lost(self, exc: Exception | None) -> None:
        self.alive = False
        if self.sink is None:
            return
        if self.until_close and self.status and exc is None:
            sink, self.sink = self.sink, None
            sink.end()
        else:
            self._lose("the connection was closed before the answer was complete")

    def _hand_over(self) -> None:
        """Give the sink what one read brought as one piece: a gateway that has fallen behind then catches up."""
        pieces = self.pieces
        if pieces:
            self.pieces = []
            if self.sink is not None:
                self.sink.body(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def _lose(self, reason: str) -> None:
        sink = self.sink
        self.close()
        if sink is not None:
            sink.lost(reason)

    # llhttp

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self.parser.get_status_code()
        if status < 200 or self.sink is None:  # 100 and 103 announce another head
            return
        self.status = status
        headers, self.headers = self.headers, []
        self.until_close = LENGTHS.isdisjoint(dict(headers)) and status not in NO_BODY_LENGTH
        self.sink.head(status, headers)

    def on_body(self, data: bytes) -> None:
        self.pieces.append(data)

    def on_chunk_header(self) -> None:
        self.between = False

    def on_chunk_complete(self) -> None:
        self.between = True

    def on_message_complete(self) -> None:
        self.between = False
        if not self.status:
            self.headers = []
            return
        self._hand_over()
        sink, self.sink = self.sink, None
        if self.alive and not self.until_close and self.parser.should_keep_alive():
            self.transport.resume_reading()
            self.pool.keep(self)
        else:
            self.close()
        if sink is not None:
            sink.end()


@lru_cache(maxsize=4096)
def size_line(length: int) -> bytes | None:
    """How a chunk of a body begins that is `length` bytes with its framing and not the last, as we write it ourselves.

    None where no chunk is that long. (RFC 9112, section 7.1: the size in hexadecimal, its data, each with a line end.)
    """
    for digits in range(1, 8):
        size = length - digits - 4
        if size > 0 and len(line := b"%x" % size) == digits:
            return line + LINE_END
    return None


class Idle:
    """The idle connections to one origin, newest on top."""

    __slots__ = ("clock", "connections")

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.connections: list[UpstreamConnection] = []

    def keep(self, connection: UpstreamConnection) -> None:
        """Put a connection back."""
        connection.idle_since = self.clock()
        self.connections.append(connection)

    def take(self) -> UpstreamConnection | None:
        """A living connection, or None."""
        while self.connections:
            connection = self.connections.pop()
            if connection.alive:
                return connection
        return None

    def prune(self, before: float) -> None:
        """Close those idle since before `before` (loop time)."""
        keep = []
        for connection in self.connections:
            if connection.idle_since < before:
                connection.close()
            elif connection.alive:
                keep.append(connection)
        self.connections = keep


class Pool:
    """Keep-alive connections to every origin."""

    def __init__(
        self,
        *,
        connect_seconds: float,
        idle_seconds: float,
        allow_private: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.connect_seconds = connect_seconds
        self.idle_seconds = idle_seconds
        self.allow_private = allow_private
        self.tls = tls or ssl.create_default_context()
        self.idle: dict[Origin, Idle] = {}
        self.opening: set[asyncio.Task[None]] = set()

    def request(self, origin: Origin, request: bytes, sink: Sink) -> None:
        """Send `request` on an idle connection, else on a new one."""
        idle = self.idle.get(origin)
        if idle is None:
            idle = self.idle[origin] = Idle(self.loop.time)
        connection = idle.take()
        if connection is not None:
            _dispatch(connection, request, sink)
            return
        task = self.loop.create_task(self._open(origin, idle, request, sink))
        self.opening.add(task)
        task.add_done_callback(self.opening.discard)

    def prune(self) -> None:
        """Close what has been idle for too long; call this every second or so."""
        before = self.loop.time() - self.idle_seconds
        for idle in self.idle.values():
            idle.prune(before)

    def close(self) -> None:
        """Close all idle connections."""
        for idle in self.idle.values():
            idle.prune(float("inf"))

    async def _open(self, origin: Origin, idle: Idle, request: bytes, sink: Sink) -> None:
        try:
            async with asyncio.timeout(self.connect_seconds):
                connection = await self._connect(origin, idle)
        except ConnectFailed as error:
            sink.failed(error)
        except TimeoutError:
            sink.failed(ConnectFailed(f"no connection within {self.connect_seconds:g} s"))
        except ssl.SSLCertVerificationError as error:
            sink.failed(ConnectFailed(f"its TLS certificate is not valid: {error.verify_message}"))
        except OSError as error:
            sink.failed(ConnectFailed(error.strerror or "the connection failed"))
        else:
            _dispatch(connection, request, sink)

    async def _connect(self, origin: Origin, idle: Idle) -> UpstreamConnection:
        if origin.socket:
            _, connection = await self.loop.create_unix_connection(lambda: UpstreamConnection(idle), origin.socket)
            return connection
        tls = self.tls if origin.tls else None
        name = origin.host if origin.tls else None
        for address in await self._addresses(origin):
            try:
                _, connection = await self.loop.create_connection(
                    lambda: UpstreamConnection(idle), address, origin.port, ssl=tls, server_hostname=name
                )
            except ConnectionRefusedError:
                continue
            return connection
        raise ConnectFailed("it refuses connections")

    async def _addresses(self, origin: Origin) -> list[str]:
        """The numeric addresses of the origin's host: checked here, so that what was checked is what is used."""
        try:
            found = await self.loop.getaddrinfo(origin.host, origin.port, type=1)
        except (OSError, UnicodeError) as error:
            raise ConnectFailed("its host name can't be resolved") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if origin.guarded:
            for address in addresses:
                if not is_allowed(ipaddress.ip_address(address.partition("%")[0]), allow_private=self.allow_private):
                    raise ConnectFailed("its host name points at a private address")
        return addresses


def _dispatch(connection: UpstreamConnection, request: bytes, sink: Sink) -> None:
    if sink.wants_dispatch(connection):
        connection.send(sink, request)
    else:
        connection.pool.keep(connection)
