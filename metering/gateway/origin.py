"""Where to connect, and what both ends of a connection expect of each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

Headers = list[tuple[bytes, bytes]]
"""Names are in lower case."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where to connect: host and port, or the path of a Unix socket.

    `guarded` hosts were named by a tenant: they may only resolve to addresses that tenants may reach.
    """

    host: str
    port: int = 0
    tls: bool = False
    socket: str = ""
    guarded: bool = False


class ConnectFailed(Exception):
    """No connection could be made, so nothing was sent; the message says why."""


class Connection(Protocol):
    """What carries one exchange, as far as its sink has a hand in it."""

    def close(self) -> None:
        """Drop it; the sink hears nothing more."""

    def pause(self) -> None:
        """Stop reading: the client is slow."""

    def resume(self) -> None:
        """Read on."""


class Sink(Protocol):
    """Who asked: told of each step of one exchange, in this order."""

    def wants_dispatch(self, connection: Connection) -> bool:
        """A connection is there and the request is about to leave; False calls it off."""

    def failed(self, error: ConnectFailed) -> None:
        """No connection could be made."""

    def head(self, status: int, headers: Headers) -> None:
        """The answer's head; header names are in lower case."""

    def body(self, data: bytes, chunk: bytes = b"") -> None:
        """A piece of the answer's body. `chunk`: it came as one chunk, and these are its bytes, framing included."""

    def end(self) -> None:
        """The answer is complete."""

    def lost(self, reason: str) -> None:
        """The connection broke, or spoke no HTTP, before the answer was complete."""
