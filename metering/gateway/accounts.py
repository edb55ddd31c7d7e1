"""What the directory holds: a key, its workspace, and the provider accounts that it may use."""

from __future__ import annotations

import contextlib
import datetime as dt
import zoneinfo
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from metering import providers
from metering.gateway.caps import NO_CAPS
from metering.gateway.origin import Origin
from tokonomics.crypto import Undecryptable

if TYPE_CHECKING:
    from uuid import UUID

    from metering.gateway.caps import Caps
    from metering.providers.base import Provider, Route
    from tokonomics.crypto import Keyring

DEFAULT_PORTS = {"http": 80, "https": 443}


class Workspace:
    """A tenant, with its caps and its day: the calendar day of a moment in the workspace's time zone.

    `budget_status` is the HTTP status of a refusal by a budget: 429, or 402.
    """

    __slots__ = ("_day", "_day_ends", "_day_starts", "budget_status", "caps", "id", "suspended", "zone")

    def __init__(
        self, identifier: str, zone: str, *, suspended: bool = False, budget_status: int = 429, caps: Caps = NO_CAPS
    ) -> None:
        self.id = identifier
        self.zone = zoneinfo.ZoneInfo(zone)
        self.suspended = suspended
        self.budget_status = budget_status
        self.caps = caps
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
    """An account at a provider. `secret` is None when none of our keys opens it, empty for a server that needs none."""

    id: str | None
    slug: str
    provider: Provider
    origin: Origin
    authority: bytes
    base_path: str
    secret: str | None
    heads: dict[str, tuple[bytes, bytes]] = field(default_factory=dict, repr=False, compare=False)

    def head(self, route: Route) -> tuple[bytes, bytes]:
        """The target of a route at this account, and the header lines that are the same for each call of it."""
        found = self.heads.get(route.path)
        if found is None:
            found = self.heads[route.path] = self._head(route)
        return found

    def _head(self, route: Route) -> tuple[bytes, bytes]:
        lines = b"host: %b\r\naccept-encoding: identity\r\n" % self.authority
        if self.secret:
            lines += b"%b: %b\r\n" % self.provider.key(route.endpoint, self.secret.encode())
        return self.provider.target(self.base_path, route).encode(), lines


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
    """A row, decrypted. A secret that no key opens is refused when it is used."""
    provider = providers.find(row.slug) or providers.compatible(row.slug, row.base_url, row.name)
    secret: str | None = None
    with contextlib.suppress(Undecryptable):
        opened = keyring.decrypt(row.secret, workspace=row.workspace, row=row.id)
        secret = opened if opened.isprintable() else None
    origin, authority, path = locate(row.base_url or provider.base_url, guarded=bool(row.base_url))
    return Credential(str(row.id), row.slug, provider, origin, authority, path, secret)


def locate(url: str, *, guarded: bool) -> tuple[Origin, bytes, str]:
    """A base URL as origin, Host header and path without a trailing slash."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    origin = Origin(host, port, parts.scheme == "https", guarded=guarded)
    return origin, parts.netloc.rpartition("@")[2].encode(), parts.path.rstrip("/")
