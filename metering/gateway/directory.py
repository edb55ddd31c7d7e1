"""Who may call, and with which provider account: a copy of the keys in use, kept in step with PostgreSQL.

A call only looks into a dict. The newest keys are there before their first call, others come in with it; a change of
theirs, their workspace, client or credentials is told by NOTIFY (migration 0003) and read again at once; all are read
again every REFRESH_SECONDS in case a notice was missed. While PostgreSQL is away the copy stays as it is, so known keys
go on working, in each process alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

import psycopg

from metering.gateway.accounts import Credential, CredentialRow, Key, Workspace, credential_of
from metering.gateway.caps import CapRow, Caps
from metering.gateway.prices import NOTICE, RULES, Prices, rules_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from billing.rules import Rule
    from tokonomics.crypto import Keyring

    Rows = list[tuple[Any, ...]]

CHANNEL = "tokonomics_changes"
REFRESH_SECONDS = 30
RETRY_SECONDS = 1
QUERY_SECONDS = 5
UNKNOWN_LIMIT = 10_000
CHUNK = 1000
AHEAD = 1000
"""Keys that a process knows from its start on."""
AHEAD_OF_WORKSPACE = 100
"""Keys of one workspace that are read when something of it changes, such as a key that was just made."""

NEWEST = "SELECT digest FROM metering_apikey WHERE revoked_at IS NULL ORDER BY created_at DESC LIMIT %s"
NEWEST_OF_WORKSPACE = """
SELECT digest FROM metering_apikey WHERE workspace_id = %s AND revoked_at IS NULL ORDER BY created_at DESC LIMIT %s
"""
KEYS = """
SELECT k.digest, k.id::text, k.name, k.last_four, k.revoked_at IS NOT NULL, k.credential_id::text, c.slug,
       k.requests_per_minute, k.tokens_per_minute, k.allowed_models, k.allowed_providers,
       w.id::text, w.timezone, w.suspended_at IS NOT NULL, w.budget_status
FROM metering_apikey k
JOIN tokonomics_workspace w ON w.id = k.workspace_id
LEFT JOIN metering_client c ON c.id = k.client_id
WHERE k.digest = ANY(%s)
"""
CREDENTIALS = """
SELECT workspace_id, id, slug, name, base_url, secret, is_default
FROM metering_providercredential
WHERE workspace_id = ANY(%s::uuid[]) AND archived_at IS NULL
ORDER BY created_at, id
"""

CAPS = """
SELECT b.workspace_id::text, b.id::text, b.key_id::text, c.slug, COALESCE(NULLIF(c.timezone, ''), w.timezone),
       b.billing_day, p.starts_at, p.ends_at
FROM metering_budget b
JOIN tokonomics_workspace w ON w.id = b.workspace_id
LEFT JOIN metering_client c ON c.id = b.client_id
LEFT JOIN LATERAL (
    SELECT starts_at, ends_at FROM budget_period WHERE budget_id = b.id ORDER BY starts_at DESC LIMIT 1
) p ON true
WHERE b.workspace_id = ANY(%s::uuid[]) AND b.hard AND b.paused_at IS NULL
"""

logger = logging.getLogger(__name__)


class DirectoryUnavailable(Exception):
    """PostgreSQL cannot be reached, so an unknown key cannot be checked."""


class Directory:
    """The keys in use, by the SHA-256 of the key."""

    def __init__(self, connection: dict[str, Any], keyring: Keyring, prices: Prices | None = None) -> None:
        self.parameters = connection
        self.keyring = keyring
        self.prices = prices or Prices()
        self.keys: dict[bytes, Key] = {}
        self.unknown: set[bytes] = set()
        self.asked: dict[bytes, asyncio.Future[None]] = {}
        self.ready = False
        self.connection: psycopg.AsyncConnection[Any] | None = None
        self.lock = asyncio.Lock()

    def find(self, digest: bytes) -> Key | None:
        """The key, when it is in the copy."""
        return self.keys.get(digest)

    def look_up(self, digest: bytes, told: Callable[[Key | None, bool], None]) -> None:
        """Fetch an unseen key, then call `told(key, reached)`; `reached` is False while PostgreSQL is away."""
        if digest in self.unknown:
            told(None, True)
            return
        future = self.asked.get(digest)
        if future is None:
            future = self.asked[digest] = asyncio.ensure_future(self.load([digest]))
            future.add_done_callback(lambda _: self.asked.pop(digest, None))
        future.add_done_callback(lambda done: told(self.keys.get(digest), done.exception() is None))

    async def load(self, digests: Iterable[bytes]) -> None:
        """Read these keys from PostgreSQL into the copy; raises DirectoryUnavailable."""
        if wanted := list(digests):
            async with self._asking() as connection:
                rows, credentials, caps, rules = await self._query(connection, wanted)
            self._replace(wanted, rows, credentials, caps, rules)

    async def load_prices(self) -> None:
        """Read the prices of all workspaces anew; raises DirectoryUnavailable."""
        async with self._asking() as connection:
            await self.prices.load(connection)

    async def _newest(self, query: str, values: list[Any]) -> set[bytes]:
        """Which keys to have ahead of their first call; raises DirectoryUnavailable."""
        async with self._asking() as connection:
            rows = await (await connection.execute(query, values)).fetchall()
        return {digest for (digest,) in rows}

    @contextlib.asynccontextmanager
    async def _asking(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """The connection, for one question at a time; raises DirectoryUnavailable."""
        try:
            async with self.lock, asyncio.timeout(QUERY_SECONDS):
                yield await self._connected()
        except (psycopg.Error, OSError, TimeoutError) as error:
            await self.close()
            raise DirectoryUnavailable(str(error)) from error

    async def keep_up(self) -> None:
        """Follow the changes for as long as the process lives."""
        refresh = asyncio.create_task(self._refresh())
        try:
            while True:
                try:
                    await self._listen()
                except (psycopg.Error, OSError, DirectoryUnavailable) as error:
                    logger.warning("PostgreSQL cannot be reached; keys are served from memory: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
        finally:
            refresh.cancel()

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(**self.parameters, autocommit=True) as connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            await self._reload(await self._newest(NEWEST, [AHEAD]))  # and whatever changed while nobody listened
            self.ready = True
            async for notice in connection.notifies():
                workspace = notice.payload
                if workspace == NOTICE:
                    await self.load_prices()
                    continue
                self.unknown.clear()
                # Waits for a look-up under way, which may have read what this notice has just changed.
                newest = await self._newest(NEWEST_OF_WORKSPACE, [workspace, AHEAD_OF_WORKSPACE])
                await self.load(
                    newest.union(key for key, found in self.keys.items() if found.workspace.id == workspace)
                )

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            with contextlib.suppress(DirectoryUnavailable):
                await self._reload()

    async def _reload(self, more: Iterable[bytes] = ()) -> None:
        self.unknown.clear()
        await self.load_prices()
        digests = list({*self.keys, *more})
        for start in range(0, len(digests), CHUNK):
            await self.load(digests[start : start + CHUNK])

    async def _query(
        self, connection: psycopg.AsyncConnection[Any], digests: list[bytes]
    ) -> tuple[Rows, Rows, Rows, tuple[Rule, ...]]:
        if not self.prices.loaded:
            await self.prices.load(connection)
        rows = await (await connection.execute(KEYS, [digests])).fetchall()
        workspaces = list({row[11] for row in rows})
        credentials = await (await connection.execute(CREDENTIALS, [workspaces])).fetchall()
        caps = await (await connection.execute(CAPS, [workspaces])).fetchall()
        rules = rules_of(await (await connection.execute(RULES, [workspaces])).fetchall())
        return rows, credentials, caps, rules

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        if self.connection is None or self.connection.closed:
            self.connection = await psycopg.AsyncConnection.connect(**self.parameters, autocommit=True)
        return self.connection

    async def close(self) -> None:
        """Let go of the connection; the next look-up makes another."""
        connection, self.connection = self.connection, None
        if connection is not None:
            await connection.close()

    def _replace(
        self, digests: list[bytes], rows: Rows, credentials: Rows, caps: Rows, rules: tuple[Rule, ...]
    ) -> None:
        accounts: dict[str, list[tuple[Credential, bool]]] = {}
        for *row, is_default in credentials:
            credential = credential_of(CredentialRow(*row), self.keyring)
            accounts.setdefault(str(row[0]), []).append((credential, is_default))
        capped: dict[str, list[CapRow]] = {}
        for cap in caps:
            capped.setdefault(cap[0], []).append(CapRow(*cap))
        priced: dict[str, list[Rule]] = {}
        for rule in rules:
            priced.setdefault(rule.workspace, []).append(rule)
        workspaces = {row[11]: _workspace(row, Caps(capped.get(row[11], []))) for row in rows}
        for identifier, workspace in workspaces.items():
            workspace.prices = self.prices.of(identifier, tuple(priced.get(identifier, ())))
        found = {bytes(row[0]): _key(row, workspaces[row[11]], accounts.get(row[11], [])) for row in rows}
        self.keys.update(found)
        for digest in digests:
            if digest not in found:
                self.keys.pop(digest, None)
                if len(self.unknown) < UNKNOWN_LIMIT:
                    self.unknown.add(digest)


def _workspace(row: tuple[Any, ...], caps: Caps) -> Workspace:
    *_, identifier, zone, suspended, budget_status = row
    return Workspace(identifier, zone, suspended=suspended, budget_status=budget_status, caps=caps)


def _key(row: tuple[Any, ...], workspace: Workspace, accounts: list[tuple[Credential, bool]]) -> Key:
    _, identifier, name, last_four, revoked, pinned, client, requests, tokens, models, slugs, *_ = row
    usable = {credential.slug: credential for credential, default in accounts if default}
    usable |= {credential.slug: credential for credential, _ in accounts if credential.id == pinned}
    return Key(
        id=identifier,
        name=f"{name} (mk_…{last_four})",
        workspace=workspace,
        client=client,
        revoked=revoked,
        credentials=usable,
        requests_per_minute=requests,
        tokens_per_minute=tokens,
        allowed_models=tuple(pattern.lower() for pattern in models),
        allowed_providers=tuple(slugs),
    )
