"""Reserving the worst case of a call on its caps: natural group commit over one PostgreSQL connection.

Requests that arrive while a batch is under way make the next batch, so that one round trip serves one call when there
are few and hundreds when there are many. No cap is passed on a guess: without PostgreSQL capped calls are refused, at
once from the first that could not be checked until PostgreSQL answers again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
from psycopg.errors import LockNotAvailable, QueryCanceled

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from metering.gateway.caps import Cap

    Told = Callable[["Verdict | None"], None]
    Asked = tuple["Hold", Told]

BATCH = 500
QUERY_SECONDS = 3
PAUSE_SECONDS = 0.5
HEARTBEAT_SECONDS = 10
DOUBT_SECONDS = 30
OPTIONS = "-c lock_timeout=2s -c statement_timeout=3s -c synchronous_commit=on"

RESERVE = """
SELECT verdict, slot, cap, settled, reserved FROM reserve_calls(
    %s::uuid[], %s::timestamptz[], %s::timestamptz[],
    %s::uuid[], %s::uuid[], %s::bigint[], %s::int[], %s::int[], %s::int[], %s::uuid, %s::jsonb[])
"""
RELEASE = "SELECT settle_budgets(%s::uuid[], '{}', '{}', '{}')"
HEARTBEAT = """
INSERT INTO gateway_process (id, seen_at) VALUES (%s, clock_timestamp())
ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at
"""

BUSY = (LockNotAvailable, QueryCanceled)
"""PostgreSQL is there, but somebody keeps a period locked: that says nothing about the next call."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hold:
    """What a call wants to reserve: `amount` in nano-USD on all of `caps`, at most three. `intent` is JSON."""

    call: str
    workspace: str
    moment: dt.datetime
    amount: int
    caps: list[Cap]
    intent: str


class Verdict(NamedTuple):
    """`code` is `admitted`, or why not; the rest is of the cap that refused, else of the one with the least left."""

    code: str
    cap: Cap
    limit: int
    settled: int
    reserved: int
    resets: dt.datetime

    @property
    def left(self) -> int:
        """Nano-USD that neither events nor reservations have taken."""
        return max(self.limit - self.settled - self.reserved, 0)


class Reservations:
    """The reservations of one gateway process, known by the id of its spool."""

    def __init__(self, connection: dict[str, Any], process: str) -> None:
        self.parameters = {**connection, "options": f"{connection.get('options', '')} {OPTIONS}".strip()}
        self.process = process
        self.waiting: deque[Asked] = deque()
        self.doubtful: dict[str, float] = {}
        self.connection: psycopg.AsyncConnection[Any] | None = None
        self.working: asyncio.Task[None] | None = None
        self.loop = asyncio.get_running_loop()
        self.away = False
        self.lock = asyncio.Lock()

    def reserve(self, hold: Hold, told: Told) -> None:
        """Ask for a reservation; `told(None)` means that PostgreSQL cannot be reached, so that nothing is reserved."""
        if self.away:
            told(None)
            return
        self.waiting.append((hold, told))
        if self.working is None:
            self.working = self.loop.create_task(self._work())

    def release(self, call: str) -> None:
        """Give back what was reserved for a call that is not going to be made."""
        self.doubtful[call] = self.loop.time()

    async def keep_up(self) -> None:
        """Show signs of life and give back what is in doubt, for as long as the process lives."""
        beat = 0.0
        while True:
            now = self.loop.time()
            try:
                if self.away or now >= beat:
                    await self._execute(HEARTBEAT, [self.process])
                    beat = now + HEARTBEAT_SECONDS
                    self._back()
                if self.doubtful:
                    await self._give_back(now)
            except (psycopg.Error, OSError, TimeoutError):
                await self.close()
            await asyncio.sleep(PAUSE_SECONDS)

    async def close(self) -> None:
        """Let go of the connection; the next use makes another."""
        connection, self.connection = self.connection, None
        if connection is not None:
            await connection.close()

    async def _work(self) -> None:
        try:
            while self.waiting:
                batch = [self.waiting.popleft() for _ in range(min(len(self.waiting), BATCH))]
                patience = self.loop.call_later(QUERY_SECONDS, self._refuse, batch, "it does not answer")
                try:
                    verdicts = await self._decide([hold for hold, _ in batch])
                except (psycopg.Error, OSError, TimeoutError) as error:
                    self._refuse(batch, error)
                    if not isinstance(error, BUSY):
                        await self.close()
                    continue
                finally:
                    patience.cancel()
                for (_, told), verdict in zip(batch, verdicts, strict=bool(batch)):
                    told(verdict)
        finally:
            self.working = None

    async def _decide(self, holds: list[Hold]) -> list[Verdict]:
        """The verdicts, from a new connection where the one at hand has ended, as in a restart of PostgreSQL."""
        used = self.connection
        try:
            return await self._ask(holds)
        except psycopg.OperationalError as error:
            if used is None or isinstance(error, BUSY):
                raise
            await self.close()
            # They may have been reserved before it ended.
            await self._execute(RELEASE, [[hold.call for hold in holds]])
            return await self._ask(holds)

    async def _ask(self, holds: list[Hold]) -> list[Verdict]:
        slots: dict[tuple[str, dt.datetime], int] = {}
        ends: list[dt.datetime] = []
        caps: list[Cap] = []
        parts: list[list[int]] = []
        for hold in holds:
            part = []
            for cap in hold.caps:
                starts, end = cap.period(hold.moment)
                number = slots.setdefault((cap.id, starts), len(slots) + 1)
                if number > len(ends):
                    ends.append(end)
                    caps.append(cap)
                part.append(number)
            parts.append([*part, 0, 0, 0])
        budgets, starts_at = zip(*slots, strict=True)
        rows = await self._execute(
            RESERVE,
            [
                list(budgets),
                list(starts_at),
                ends,
                [hold.call for hold in holds],
                [hold.workspace for hold in holds],
                [hold.amount for hold in holds],
                *([part[place] for part in parts] for place in range(3)),
                self.process,
                [hold.intent for hold in holds],
            ],
        )
        # Slot 0, which is the last here: none of the budgets is hard any more, so there is nothing to tell.
        return [
            Verdict(code, caps[slot - 1], limit or 0, settled or 0, reserved or 0, ends[slot - 1])
            for code, slot, limit, settled, reserved in rows
        ]

    def _refuse(self, batch: list[Asked], error: Exception | str) -> None:
        """Refuse everyone who waits; whether the batch was committed is not known, so it is given back later.

        Empties the batch: psycopg takes its time to let go of a server that is silent, and nobody waits for that.
        """
        now = self.loop.time()
        if not isinstance(error, BUSY):
            if not self.away:
                logger.warning(
                    "Caps cannot be checked, so capped calls are refused until PostgreSQL answers: %s", error
                )
            self.away = True
            batch.extend(self.waiting)
            self.waiting.clear()
        elif batch:
            logger.warning(
                "Caps are locked by somebody else for too long, so %d calls are refused: %s", len(batch), error
            )
        refused, batch[:] = list(batch), []
        for hold, told in refused:
            self.doubtful[hold.call] = now
            told(None)

    def _back(self) -> None:
        if self.away:
            self.away = False
            logger.info("Caps can be checked again, so capped calls are let in")

    async def _give_back(self, now: float) -> None:
        """End the reservations in doubt; again and again for a while, as a commit may still be under way."""
        await self._execute(RELEASE, [list(self.doubtful)])
        for call, since in list(self.doubtful.items()):
            if now - since > DOUBT_SECONDS:
                del self.doubtful[call]

    async def _execute(self, query: str, values: list[Any]) -> list[tuple[Any, ...]]:
        async with self.lock, asyncio.timeout(QUERY_SECONDS):
            if self.connection is None or self.connection.closed:
                self.connection = await psycopg.AsyncConnection.connect(**self.parameters, autocommit=True)
            cursor = await self.connection.execute(query, values)
            return await cursor.fetchall() if cursor.description else []
