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
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
from psycopg.errors import LockNotAvailable, QueryCanceled

from metering.gateway.statements import array, ask, ask_prepared, prepare, quoted

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable

    from psycopg.pq.abc import PGconn

    from metering.gateway.caps import Cap
    from metering.gateway.statements import Row

    Told = Callable[["Verdict | None"], None]
    Asked = tuple["Hold", Told]

BATCH = 500
QUERY_SECONDS = 3
PAUSE_SECONDS = 0.5
HEARTBEAT_SECONDS = 10
DOUBT_SECONDS = 30
OPTIONS = "-c lock_timeout=2s -c statement_timeout=3s -c synchronous_commit=on"

RESERVE = b"""
SELECT verdict, slot, cap, settled, reserved FROM reserve_calls(
    $1::uuid[], $2::timestamptz[], $3::timestamptz[],
    $4::uuid[], $5::uuid[], $6::bigint[], $7::int[], $8::int[], $9::int[], $10::uuid, $11::jsonb[])
"""
RESERVING = b"reserve_calls"
RELEASE = b"SELECT settle_budgets($1::uuid[], '{}', '{}', '{}')"
HEARTBEAT = b"""
INSERT INTO gateway_process (id, seen_at) VALUES ($1, clock_timestamp())
ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at
"""

UNREACHABLE = (psycopg.Error, OSError, TimeoutError)
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
                    await self._ask(partial(ask, statement=HEARTBEAT, values=[self.process.encode()]))
                    beat = now + HEARTBEAT_SECONDS
                    self._back()
                if self.doubtful:
                    await self._give_back(now)
            except UNREACHABLE as error:
                logger.debug("PostgreSQL is asked again in a moment: %s", error)
            await asyncio.sleep(PAUSE_SECONDS)

    def close(self) -> None:
        """Let go of the connection; the next use makes another."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.pgconn.finish()

    async def _work(self) -> None:
        try:
            while self.waiting:
                batch = [self.waiting.popleft() for _ in range(min(len(self.waiting), BATCH))]
                try:
                    verdicts = await self._decide([hold for hold, _ in batch])
                except UNREACHABLE as error:
                    self._refuse(batch, error)
                    continue
                for (_, told), verdict in zip(batch, verdicts, strict=True):
                    _tell(told, verdict)
        finally:
            self.working = None

    async def _decide(self, holds: list[Hold]) -> list[Verdict]:
        """The verdicts, from a new connection where the one at hand has ended, as in a restart of PostgreSQL."""
        used = self.connection
        try:
            return await self._reserve(holds)
        except psycopg.OperationalError as error:
            if used is None or isinstance(error, BUSY):
                raise
            # They may have been reserved before it ended.
            await self._ask(partial(ask, statement=RELEASE, values=[array([hold.call for hold in holds])]))
            return await self._reserve(holds)

    async def _reserve(self, holds: list[Hold]) -> list[Verdict]:
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
        values = [
            array(budgets),
            array([starts.isoformat() for starts in starts_at]),
            array([end.isoformat() for end in ends]),
            array([hold.call for hold in holds]),
            array([hold.workspace for hold in holds]),
            array([str(hold.amount) for hold in holds]),
            *(array([str(part[place]) for part in parts]) for place in range(3)),
            self.process.encode(),
            array([quoted(hold.intent) for hold in holds]),
        ]
        rows = await self._ask(partial(ask_prepared, name=RESERVING, values=values))
        return [_verdict(row, caps, ends) for row in rows]

    def _refuse(self, batch: list[Asked], error: Exception) -> None:
        """Refuse everyone who waits; whether the batch was committed is not known, so it is given back later."""
        now = self.loop.time()
        reason = str(error) or "it does not answer"
        for hold, _ in batch:
            self.doubtful[hold.call] = now
        if isinstance(error, BUSY):
            logger.warning("Caps are locked for too long, so %d calls are refused: %s", len(batch), reason)
        else:
            if not self.away:
                logger.warning("Caps cannot be checked, so capped calls are refused until they can: %s", reason)
            self.away = True
            batch += self.waiting
            self.waiting.clear()
        for _, told in batch:
            _tell(told, None)

    def _back(self) -> None:
        if self.away:
            self.away = False
            logger.info("Caps can be checked again, so capped calls are let in")

    async def _give_back(self, now: float) -> None:
        """End the reservations in doubt; again and again for a while, as a commit may still be under way."""
        await self._ask(partial(ask, statement=RELEASE, values=[array(self.doubtful)]))
        for call, since in list(self.doubtful.items()):
            if now - since > DOUBT_SECONDS:
                del self.doubtful[call]

    async def _ask(self, question: Callable[[PGconn], Awaitable[list[Row]]]) -> list[Row]:
        """The answer to one question after the other; hangs up on a server that does not answer."""
        async with asyncio.timeout(QUERY_SECONDS), self.lock:
            try:
                return await question(await self._connected())
            except BUSY:
                raise
            except BaseException:
                self.close()
                raise

    async def _connected(self) -> PGconn:
        if self.connection is None:
            connection = await psycopg.AsyncConnection.connect(**self.parameters, autocommit=True)
            self.connection = connection
            await prepare(connection.pgconn, RESERVING, RESERVE)
        return self.connection.pgconn


def _tell(told: Told, verdict: Verdict | None) -> None:
    """One call that stumbles over its verdict must not keep it from the others."""
    try:
        told(verdict)
    except Exception:
        logger.exception("A call could not go on after its caps were checked: this is a bug")


def _verdict(row: Row, caps: list[Cap], ends: list[dt.datetime]) -> Verdict:
    """A row of the answer. Slot 0: none of the budgets is hard any more, so there is nothing to tell of any."""
    code, slot, limit, settled, reserved = row
    place = int(slot or 0) - 1
    return Verdict(
        (code or b"").decode(), caps[place], int(limit or 0), int(settled or 0), int(reserved or 0), ends[place]
    )
