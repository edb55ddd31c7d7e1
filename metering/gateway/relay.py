"""Everything that is not a metered call goes to the site, over its Unix socket: one port serves the product."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metering.gateway.headers import HOP_BY_HOP

if TYPE_CHECKING:
    from metering.gateway.origin import ConnectFailed, Connection, Headers, Origin
    from metering.gateway.request import Request
    from metering.gateway.server import Downstream
    from metering.gateway.upstream import Pool

RESTART_SECONDS = 10
RETRY_SECONDS = 0.2
OWN = frozenset((b"host", b"content-length", b"expect", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"))
FORWARDED = OWN - {b"host", b"content-length", b"expect"}
UNREACHABLE = b"The site is starting or restarting. Calls through /proxy/ are metered meanwhile.\n"


class Relay:
    """One request for the site, and its answer as it comes."""

    __slots__ = ("asked", "client", "connection", "gone", "message", "no_body", "origin", "pool", "started")

    def __init__(self, pool: Pool, origin: Origin, request: Request, client: Downstream, *, trust: bool) -> None:
        self.pool = pool
        self.origin = origin
        self.client = client
        self.message = _message(request, trust=trust)
        self.no_body = request.head.method == b"HEAD"
        self.connection: Connection | None = None
        self.started = False
        self.gone = False
        self.asked = pool.loop.time()
        pool.request(origin, self.message, self)

    # the client

    def client_gone(self) -> None:
        self.gone = True
        if self.connection is not None:
            self.connection.close()

    def client_slow(self) -> None:
        if self.connection is not None:
            self.connection.pause()

    def client_ready(self) -> None:
        if self.connection is not None:
            self.connection.resume()

    # the site

    def wants_dispatch(self, connection: Connection) -> bool:
        self.connection = connection
        return not self.gone

    def failed(self, error: ConnectFailed) -> None:
        """The site restarts: its socket is back in a moment, so nobody needs to see an error page."""
        if self.gone:
            return
        if self.pool.loop.time() - self.asked < RESTART_SECONDS:
            self.pool.loop.call_later(RETRY_SECONDS, self.pool.request, self.origin, self.message, self)
        else:
            self._unreachable()

    def head(self, status: int, headers: Headers) -> None:
        lines = []
        length = None
        for name, value in headers:
            if name == b"content-length":
                length = int(value)
            elif name not in HOP_BY_HOP:
                lines.append(b"%b: %b\r\n" % (name, value))
        self.started = True
        self.client.start(status, b"".join(lines), 0 if status in (204, 304) and length is None else length)
        if self.no_body and self.connection is not None:  # the parser would wait for the body that the length announces
            self.connection.close()
            self.client.finish()

    def body(self, data: bytes, chunk: bytes = b"") -> None:
        self.client.send(data, chunk)

    def end(self) -> None:
        self.connection = None
        self.client.finish()

    def lost(self, reason: str) -> None:
        self.connection = None
        if self.gone:
            return
        if self.started:
            self.client.abort()
        else:
            self._unreachable()

    def _unreachable(self) -> None:
        self.client.respond(502, b"content-type: text/plain; charset=utf-8\r\nretry-after: 5\r\n", UNREACHABLE)


def _message(request: Request, *, trust: bool) -> bytes:
    """The request as the site gets it: the same, with the client's address and without hop-by-hop headers."""
    lines = [b"%b %b HTTP/1.1\r\n" % (request.head.method, request.head.target)]
    told = {name: value for name, value in request.head.headers if name in FORWARDED} if trust else {}
    for name, value in request.head.headers:
        if name not in HOP_BY_HOP and name not in OWN and b"_" not in name:
            lines.append(b"%b: %b\r\n" % (name, value))
    host = told.get(b"x-forwarded-host") or request.head.header(b"host") or b""
    address = request.peer.encode()
    forwarded_for = b"%b, %b" % (told[b"x-forwarded-for"], address) if b"x-forwarded-for" in told else address
    lines.append(b"host: %b\r\nx-forwarded-for: %b\r\n" % (host, forwarded_for))
    lines.append(b"x-forwarded-proto: %b\r\n" % told.get(b"x-forwarded-proto", b"http"))
    lines.append(b"content-length: %d\r\n\r\n" % len(request.body))
    return b"".join(lines) + request.body
