"""A client's request as the front door hands it on, what a client may send, and who answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from metering.gateway.heads import Heads
    from metering.gateway.origin import Headers
    from metering.gateway.server import Downstream
    from metering.gateway.way import Way


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may send, and how long it may take; sizes in bytes, times in seconds."""

    head_bytes: int = 16 * 1024
    body_bytes: int = 25 * 1024 * 1024
    headers: int = 100
    head_seconds: float = 15
    body_seconds: float = 60
    idle_seconds: float = 75


class Head:
    """A request's head: header names in lower case, the target undecoded. Requests with the same head share it.

    `way` is what a metered call's head led to when it was let in.
    """

    __slots__ = ("headers", "keep_alive", "method", "target", "version", "way")

    def __init__(self) -> None:
        self.method = b""
        self.target = b""
        self.headers: Headers = []
        self.version = "1.1"
        self.keep_alive = True
        self.way: Way | None = None

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header, or None."""
        for header, value in self.headers:
            if header == name:
                return value
        return None

    def size(self) -> int:
        """Bytes of the target and of all headers."""
        return sum(len(name) + len(value) for name, value in self.headers) + len(self.target)


class Request:
    """One request as it came. `keep_alive`: another one may follow on its connection."""

    __slots__ = ("body", "head", "keep_alive", "peer")

    def __init__(self, head: Head, peer: str, body: bytes | bytearray = b"") -> None:
        self.head = head
        self.keep_alive = head.keep_alive
        self.peer = peer
        self.body = body


class Exchange(Protocol):
    """What answers one request."""

    def client_gone(self) -> None:
        """The client closed the connection before it had the whole answer."""

    def client_slow(self) -> None:
        """The client does not read: stop reading upstream."""

    def client_ready(self) -> None:
        """The client reads again."""


class Handler(Protocol):
    """What stands behind the door."""

    limits: Limits
    heads: Heads
    connections: set[Downstream]
    draining: bool

    def handle(self, request: Request, client: Downstream) -> Exchange | None:
        """Start to answer; None when the answer was already given."""

    def refuse(self, request: Request, client: Downstream, status: int, code: str, message: str) -> None:
        """Answer a request that is too large or too slow to be handled, in its dialect."""

    def time(self) -> float:
        """Loop time in seconds."""
