"""What the directory holds: a key, its workspace, and the provider accounts that it may use."""

from __future__ import annotations

import contextlib
import datetime as dt
import zoneinfo
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from metering import providers
from metering.gateway.access_tokens import token_of
from metering.gateway.caps import NO_CAPS
from metering.gateway.origin import Origin
from metering.providers.account import Outgoing
from tokonomics.crypto import Undecryptable

if TYPE_CHECKING:
    from uuid import UUID

    from billing.cards import RateCards
    from metering.gateway.access_tokens import AccessToken
    from metering.gateway.caps import Caps
    from metering.gateway.origin import Headers
    from metering.providers.account import Account
    from metering.providers.base import Provider, Route
    from tokonomics.crypto import Keyring

DEFAULT_PORTS = {"http": 80, "https": 443}


class Workspace:
    """A tenant, with its caps and its day: the calendar day of a moment in the workspace's time zone.

    `budget_status` is the HTTP status of a refusal by a budget: 429, or 402. `prices` is its own price book, None where
    it shares the common one.
    """

    __slots__ = ("_day", "_day_ends", "_day_starts", "budget_status", "caps", "id", "prices", "suspended", "zone")

    def __init__(
        self, identifier: str, zone: str, *, suspended: bool = False, budget_status: int = 429, caps: Caps = NO_CAPS
    ) -> None:
        self.id = identifier
        self.zone = zoneinfo.ZoneInfo(zone)
        self.suspended = suspended
        self.budget_status = budget_status
        self.caps = caps
        self.prices: RateCards | None = None
        self._day = ""
        self._day_starts = self._day_ends = 0.0

    def day(self, moment: float) -> str:
        """The day, as YYYY-MM-DD, of a moment in seconds since the epoch."""
        if not self._day_starts <= moment < self._day_ends:
            local = dt.datetime.fromtimestamp(moment, self.zone)
            midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
            # By the wall clock: 23 or 25 hours when the clocks change.
            following = midnight + dt.timedelta(days=1)
            self._day = local.date().isoformat()
            self._day_starts, self._day_ends = midnight.timestamp(), following.timestamp()
        return self._day


@dataclass(frozen=True, slots=True)
class Credential:
    """An account at a provider. `secret` is None when none of our keys opens it, empty for a server that needs none.

    `account` is a secret that is more than a word to send along; its calls wait for the first `token`, if it has one.
    """

    id: str | None
    slug: str
    provider: Provider
    origin: Origin
    authority: bytes
    base_path: str
    secret: str | None
    account: Account | None = None
    token: AccessToken | None = None
    own_address: bool = False
    heads: dict[str, tuple[bytes, bytes]] = field(default_factory=dict, repr=False, compare=False)

    def head(self, route: Route) -> tuple[bytes, bytes]:
        """The target of a route at this account, and the header lines that are the same for each call of it."""
        found = self.heads.get(route.path)
        if found is None:
            found = self.heads[route.path] = self._head(route)
        return found

    def origin_of(self, route: Route) -> Origin:
        """Where a route is answered."""
        return self.origin if self.account is None else self.place(route)[0]

    def place(self, route: Route) -> tuple[Origin, bytes, str]:
        """Origin, Host header and base path of a route."""
        if self.account is None or self.own_address:
            return self.origin, self.authority, self.base_path
        return locate(self.account.base_url(route), guarded=True)

    def authorise(self, route: Route, method: bytes, target: bytes, body: bytes | bytearray, at: dt.datetime) -> bytes:
        """The header lines that authorise one request of an `account`."""
        assert self.account is not None
        if self.token is not None:
            return b"authorization: Bearer %b\r\n" % self.token.value
        return self.account.sign(Outgoing(method, self.place(route)[1], target, body), route, at)

    def rejected(self, status: int, headers: Headers, body: bytes) -> bool:
        """Whether an answer means that the provider refuses the stored key of an `account`."""
        assert self.account is not None
        if not self.account.rejected(status, headers, body):
            return False
        if self.token is not None:
            self.token.forget()
        return True

    def _head(self, route: Route) -> tuple[bytes, bytes]:
        _, authority, base_path = self.place(route)
        lines = b"host: %b\r\naccept-encoding: identity\r\n" % authority
        if self.account is not None:
            route = replace(route, path=self.account.path(route))
        elif self.secret:
            lines += b"%b: %b\r\n" % self.provider.key(route.endpoint, self.secret.encode())
        return self.provider.target(base_path, route).encode(), lines


@dataclass(frozen=True, slots=True)
class Key:
    """An `mk_` key. `client` is the slug it is bound to, or None; `credentials` by route slug.

    `allowed_models` holds patterns of models (lower case, with *), `allowed_providers` route slugs; empty: all.
    """

    id: str
    name: str
    workspace: Workspace
    client: str | None
    revoked: bool
    credentials: dict[str, Credential]
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    allowed_models: tuple[str, ...] = ()
    allowed_providers: tuple[str, ...] = ()

    def may_use(self, provider: str, model: str) -> bool:
        """Whether the key's lists allow a model of a provider (its route slug); a call without a model passes."""
        if self.allowed_providers and provider not in self.allowed_providers:
            return False
        patterns = self.allowed_models
        return not patterns or not model or any(fnmatchcase(model.lower(), pattern) for pattern in patterns)


class CredentialRow(NamedTuple):
    """A row of metering_providercredential, as far as a call needs it."""

    workspace: UUID
    id: UUID
    slug: str
    name: str
    base_url: str
    secret: bytes


def credential_of(row: CredentialRow, keyring: Keyring) -> Credential:
    """A row, decrypted. A secret that no key opens, or that cannot be read, is refused when it is used."""
    provider = providers.find(row.slug) or providers.compatible(row.slug, row.base_url, row.name)
    secret: str | None = None
    account: Account | None = None
    with contextlib.suppress(Undecryptable, ValueError):
        opened = keyring.decrypt(row.secret, workspace=row.workspace, row=row.id)
        account = provider.account(opened) if provider.account else None
        secret = opened if opened.isprintable() else None
    origin, authority, path = locate(row.base_url or provider.base_url, guarded=bool(row.base_url))
    token = token_of(account.grant) if account and account.grant else None
    own = bool(row.base_url)
    return Credential(str(row.id), row.slug, provider, origin, authority, path, secret, account, token, own)


def locate(url: str, *, guarded: bool) -> tuple[Origin, bytes, str]:
    """A base URL as origin, Host header and path without a trailing slash."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    origin = Origin(host, port, parts.scheme == "https", guarded=guarded)
    return origin, parts.netloc.rpartition("@")[2].encode(), parts.path.rstrip("/")
