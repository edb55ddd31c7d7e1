"""A provider's key that is more than a word to send along: where its calls go, and what authorises each. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from metering.providers.base import Route

Headers = Sequence[tuple[bytes, bytes]]
"""Of an answer; names in lower case."""


class Outgoing(NamedTuple):
    """A request as the provider will get it: `authority` is its Host, `target` its path and query, still escaped."""

    method: bytes
    authority: bytes
    target: bytes
    body: bytes | bytearray


class Grant(Protocol):
    """What is traded for an access token. Two equal grants bring the same token."""

    @property
    def url(self) -> str:
        """Where to POST it."""

    def form(self, moment: datetime) -> bytes:
        """The body, application/x-www-form-urlencoded; raises ValueError with a sentence when it cannot be made."""


class Account(Protocol):
    """A stored key, read. `shown` is the end of what may be shown of it, at most four characters.

    With a `grant`, an access token is fetched first, and is what authorises the calls.
    """

    @property
    def shown(self) -> str:
        """Letters that tell the key from another one."""

    @property
    def stored(self) -> str:
        """The key as it is kept: printable ASCII, and read again to the same account."""

    @property
    def grant(self) -> Grant | None:
        """What to fetch a token with; None: `sign` needs none."""

    def base_url(self, route: Route) -> str:
        """Scheme and host that answer a route, unless the credential names an address of its own."""

    def path(self, route: Route) -> str:
        """The path of a route for this account."""

    def sign(self, request: Outgoing, route: Route, moment: datetime) -> bytes:
        """The header lines that authorise one request at a moment (aware)."""

    def rejected(self, status: int, headers: Headers, body: bytes) -> bool:
        """Whether an answer means that the provider refuses this key, not this call."""

    def probe(self) -> Probe:
        """A call that costs nothing and shows whether the key works."""


class Probe(NamedTuple):
    """A free call: its path below the provider's address, and the statuses other than 2xx that show a working key."""

    method: str
    path: str
    body: bytes
    works: frozenset[int] = frozenset()
