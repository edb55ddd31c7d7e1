"""What stands behind the door of one gateway process: lets calls in, keeps their clocks, ends them in good order."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from metering.errors import Refusal
from metering.gateway.answer_head import answer_head
from metering.gateway.call import Call
from metering.gateway.door import dialect_of
from metering.gateway.estimator import Estimator
from metering.gateway.exchange import NO_SPOOL, MeteredExchange
from metering.gateway.heads import Heads
from metering.gateway.intake import Admission
from metering.gateway.refusals import respond_refusal
from metering.gateway.relay import Relay
from metering.gateway.sandbox import SandboxConnection
from metering.gateway.spool import SpoolFull
from metering.records import encode

if TYPE_CHECKING:
    from billing.cards import RateCards
    from metering.gateway.directory import Directory
    from metering.gateway.limits import Limiter
    from metering.gateway.origin import Origin
    from metering.gateway.request import Exchange, Limits, Request
    from metering.gateway.reservations import Reservations
    from metering.gateway.server import Downstream
    from metering.gateway.spool import Spool
    from metering.gateway.upstream import Pool
    from metering.gateway.way import Way

TICK_SECONDS = 0.5
FRESH_SECONDS = 2
"""How long a process that drains waits for the first request of a connection that it has accepted."""
HEALTHY = b'{"status":"ok"}\n'

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Times:
    """How long a provider may take, in seconds."""

    first_byte_seconds: float = 600
    idle_seconds: float = 300
    client_gone_seconds: float = 60


class Gateway:
    """The handler of every connection of one process."""

    def __init__(
        self,
        *,
        limits: Limits,
        times: Times,
        directory: Directory,
        catalogue: RateCards,
        spool: Spool,
        pool: Pool,
        reservations: Reservations,
        limiter: Limiter,
        site: Origin,
        trust_forwarded: bool = False,
    ) -> None:
        self.limits = limits
        self.times = times
        self.directory = directory
        self.catalogue = catalogue
        self.spool = spool
        self.pool = pool
        self.reservations = reservations
        self.limiter = limiter
        self.site = site
        self.trust_forwarded = trust_forwarded
        self.connections: set[Downstream] = set()
        self.exchanges: set[MeteredExchange] = set()
        self.refusals: Counter[tuple[str, str, str, str, str]] = Counter()
        self.heads = Heads()
        self.unwritten: deque[bytes] = deque()
        self.draining = False
        self.estimator = Estimator()
        self.time = asyncio.get_running_loop().time

    # requests

    def handle(self, request: Request, client: Downstream) -> Exchange | None:
        way = request.head.way
        if way is not None and way.open and self.directory.keys.get(way.door.digest) is way.key:
            return self._forward(way, request, client)
        if request.head.target.startswith(b"/proxy/"):
            return Admission(self, request, client).open()
        if request.head.target == b"/healthz":
            self._health(client)
            return None
        return Relay(self.pool, self.site, request, client, trust=self.trust_forwarded)

    def _forward(self, way: Way, request: Request, client: Downstream) -> Exchange | None:
        """Let a call in at once that an admission would ask nobody about; what it would refuse, it does refuse."""
        try:
            call = Call(way, way.key.workspace.prices or self.catalogue, request.body)
        except Refusal:
            call = None
        if call is None or self.spool.full:
            return Admission(self, request, client).open()
        exchange = MeteredExchange(self, client, call)
        exchange.start()
        return exchange

    def refuse(self, request: Request, client: Downstream, status: int, code: str, message: str) -> None:
        dialect = dialect_of(request.head.target)
        respond_refusal(client, Refusal(code, message, status=status), dialect)

    def refuse_call(self, client: Downstream, call: Call, code: str, message: str) -> None:
        """Answer for a provider that did not."""
        refusal = Refusal(code, message)
        respond_refusal(client, refusal, call.way.dialect, answer_head(call, []))

    def refuse_unwritten(self, client: Downstream, call: Call) -> None:
        """Answer for a call that cannot be written down, and so was not made: it has no event, but is counted."""
        workspace, refusal = call.key.workspace, Refusal("budget_unavailable", NO_SPOOL)
        self.refusals[workspace.id, workspace.day(call.at / 1e6), call.way.client, call.key.id, refusal.code] += 1
        respond_refusal(client, refusal, call.way.dialect)

    def _health(self, client: Downstream) -> None:
        problem = ""
        if not self.directory.ready:
            problem = "The database has not been reached yet, so no key can be checked."
        elif self.spool.full:
            problem = "The spool is full: is the recorder running?"
        if problem:
            client.respond(503, b"content-type: text/plain; charset=utf-8\r\n", f"{problem}\n".encode())
        else:
            client.respond(200, b"content-type: application/json\r\ncache-control: no-store\r\n", HEALTHY)

    # calls

    def send(self, call: Call, sink: MeteredExchange) -> None:
        """Send a call to its provider."""
        message = call.message()
        if call.way.credential.id is None:
            connection = SandboxConnection(sink)
            if sink.wants_dispatch(connection):
                connection.answer(call)
        else:
            self.pool.request(call.way.origin, message, sink)

    def check_spool(self) -> None:
        """Raises SpoolFull when the spool has no room for another call."""
        if self.spool.full:
            raise SpoolFull("The spool has reached its limit: is the recorder running?")

    def keep(self, line: bytes) -> None:
        """Hold a result that the disk has no room for in memory until it has."""
        self.unwritten.append(line)
        logger.critical("The spool takes no more lines; %d wait in memory", len(self.unwritten))

    def correct_tokens(self, call: Call) -> None:
        """Have the key's token limit count what a call used in place of what was assumed."""
        more = call.total_tokens - call.input_estimate
        self.limiter.spent(call.key.id, call.key.tokens_per_minute, more, call.elapsed_ms())

    def call_off(self, call: Call) -> None:
        """Give back what is counted and reserved for a call that is not made."""
        if call.way.limited:
            self.limiter.spent(call.key.id, call.key.tokens_per_minute, -call.input_estimate, call.elapsed_ms())
        if call.way.caps:
            self.reservations.release(call.id)

    # the clock

    async def tick(self) -> None:
        """Look after deadlines, idle connections, refusals and unwritten lines, as long as the process lives."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                self._look()
            except Exception:
                logger.exception("The gateway's clock stumbled; it goes on")

    def _look(self) -> None:
        now = self.time()
        for exchange in list(self.exchanges):
            exchange.look(now)
        for connection in [connection for connection in self.connections if 0 < connection.deadline <= now]:
            connection.timed_out()
        self.pool.prune()
        self.write_kept()
        self.write_refusals()

    def write_kept(self) -> None:
        """Write the lines that wait in memory, as far as the disk has room for them."""
        while self.unwritten:
            try:
                self.spool.append(self.unwritten[0])
            except (SpoolFull, OSError):
                break
            self.unwritten.popleft()

    def write_refusals(self) -> None:
        """Add what was refused since the last time to the ledger."""
        if not self.refusals:
            return
        counts = [[*key, number] for key, number in self.refusals.items()]
        self.refusals.clear()
        self.unwritten.append(encode({"kind": "refusals", "counts": counts}))
        self.write_kept()

    # the end

    async def drain(self, seconds: float) -> None:
        """Let running calls end, for at most `seconds`; connections between two requests are closed at once.

        A new connection's first request may be on its way: its client could not know that this process ends.
        """
        self.draining = True
        for connection in list(self.connections):
            if connection.fresh:
                connection.deadline = min(connection.deadline, self.time() + FRESH_SECONDS)
            elif not connection.busy and connection.request is None:
                connection.close()
        until = self.time() + seconds
        while (self.connections or self.exchanges) and self.time() < until:  # noqa: ASYNC110 -- two sets, one look
            await asyncio.sleep(0.05)
        for exchange in list(self.exchanges):
            exchange.timed_out()
        await self.estimator.close()
        self.pool.close()
        self.write_refusals()
