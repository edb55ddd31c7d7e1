"""Who may call, and with which provider account: a copy of the keys in use, kept in step with PostgreSQL.

A call only looks into a dict. Keys come in on first use; a change of theirs, their workspace, client or credentials is
told by NOTIFY (migration 0003) and read again at once; all are read again every REFRESH_SECONDS in case a notice was
missed. While PostgreSQL is away the copy stays as it is, so known keys go on working.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

import psycopg

from metering.gateway.accounts import Credential, CredentialRow, Key, Workspace, credential_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tokonomics.crypto import Keyring

CHANNEL = "tokonomics_changes"
REFRESH_SECONDS = 30
RETRY_SECONDS = 1
QUERY_SECONDS = 5
UNKNOWN_LIMIT = 10_000
CHUNK = 1000

KEYS = """
SELECT k.digest, k.id::text, k.name, k.last_four, k.revoked_at IS NOT NULL, k.credential_id::text,
       c.slug, w.id::text, w.timezone, w.suspended_at IS NOT NULL
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

logger = logging.getLogger(__name__)


class DirectoryUnavailable(Exception):
    """PostgreSQL cannot be reached, so an unknown key cannot be checked."""


class Directory:
    """The keys in use, by the SHA-256 of the key."""

    def __init__(self, connection: dict[str, Any], keyring: Keyring) -> None:
        self.parameters = connection
        self.keyring = keyring
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
        wanted = list(digests)
        try:
            async with self.lock, asyncio.timeout(QUERY_SECONDS):
                rows, credentials = await self._query(wanted)
        except (psycopg.Error, OSError, TimeoutError) as error:
            await self.close()
            raise DirectoryUnavailable(str(error)) from error
        self._replace(wanted, rows, credentials)

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
            await self._reload()  # whatever changed while nobody listened
            self.ready = True
            async for notice in connection.notifies():
                workspace = notice.payload
                self.unknown.clear()
                async with self.lock:  # a look-up under way may have read what this notice has just changed
                    pass
                await self.load([digest for digest, key in self.keys.items() if key.workspace.id == workspace])

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            with contextlib.suppress(DirectoryUnavailable):
                await self._reload()

    async def _reload(self) -> None:
        self.unknown.clear()
        digests = list(self.keys)
        for start in range(0, len(digests), CHUNK):
            await self.load(digests[start : start + CHUNK])

    async def _query(self, digests: list[bytes]) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        if not digests:
            return [], []
        if self.connection is None or self.connection.closed:
            self.connection = await psycopg.AsyncConnection.connect(**self.parameters, autocommit=True)
        rows = await (await self.connection.execute(KEYS, [digests])).fetchall()
        workspaces = list({row[7] for row in rows})
        credentials = await (await self.connection.execute(CREDENTIALS, [workspaces])).fetchall()
        return rows, credentials

    async def close(self) -> None:
        """Let go of the connection; the next look-up makes another."""
        connection, self.connection = self.connection, None
        if connection is not None:
            await connection.close()

    def _replace(self, digests: list[bytes], rows: list[tuple[Any, ...]], credentials: list[tuple[Any, ...]]) -> None:
        by_workspace: dict[str, list[tuple[Credential, bool]]] = {}
        for *row, is_default in credentials:
            credential = credential_of(CredentialRow(*row), self.keyring)
            by_workspace.setdefault(str(row[0]), []).append((credential, is_default))
        found = set()
        for digest, identifier, name, last_four, revoked, pinned, client, workspace_id, zone, suspended in rows:
            workspace = Workspace(workspace_id, zone, suspended)
            usable = {c.slug: c for c, default in by_workspace.get(workspace_id, []) if default}
            usable.update({c.slug: c for c, _ in by_workspace.get(workspace_id, []) if c.id == pinned})
            label = f"{name} (mk_…{last_four})"
            self.keys[bytes(digest)] = Key(identifier, label, workspace, client, revoked, usable)
            found.add(bytes(digest))
        for digest in digests:
            if digest not in found:
                self.keys.pop(digest, None)
                if len(self.unknown) < UNKNOWN_LIMIT:
                    self.unknown.add(digest)
