"""Requests and tokens a minute per key: shared over all gateway processes through Redis, divided among them without it.

Redis is asked with one command a call. While it is away, slow or empty no call fails or waits: the process goes on with
what it has let through itself and its share of each limit. What is lost with Redis can only let a little more through.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from metering.gateway.redis_address import read_url
from metering.gateway.redis_pipe import RedisRefused, Script, connect
from metering.gateway.shares import Shares, Use, milliseconds
from metering.gateway.window import GIVE_BACK, MINUTE, TAKE

if TYPE_CHECKING:
    from collections.abc import Callable

    from metering.gateway.redis_pipe import Pipe

PREFIX = "tokonomics:limits:"
PATIENCE_SECONDS = 0.05
CONNECT_SECONDS = 2
RETRY_SECONDS = 1
LONGEST_WAIT = 60
LATENESS_MS = 100
"""How far apart Redis and this process may see the moment of the same use."""
DEBTS = 10_000

HELLO_SCRIPT = Script("""
-- can it be written to, and what is its time in milliseconds?
redis.call('SET', KEYS[1], '', 'PX', 1000)
local time = redis.call('TIME')
return time[1] * 1000 + math.floor(time[2] / 1000)
""")
TAKE_SCRIPT = Script(TAKE)
GIVE_BACK_SCRIPT = Script(GIVE_BACK)

logger = logging.getLogger(__name__)


class Debt(NamedTuple):
    """Tokens that Redis counts and nobody used; `since`: no later than their call's admission, by our clock."""

    key: str
    since: int
    tokens: int


class Limiter:
    """The limits as one gateway process sees them; they are shared while `run()` is under way.

    `processes`: how many gateway processes serve the same keys. `patience`: the most seconds that a call waits for
    Redis. Raises ValueError for a URL that is none of Redis, OSError for certificates that cannot be read.
    """

    def __init__(self, redis_url: str, processes: int, *, patience: float = PATIENCE_SECONDS) -> None:
        self.address = read_url(redis_url)
        self.patience = patience
        self.shares = Shares(processes)
        self.pipe: Pipe | None = None
        self.away = False
        self.lead = 0
        self.debts: deque[Debt] = deque(maxlen=DEBTS)

    @property
    def shared(self) -> bool:
        """Whether the limits hold over all processes at this moment."""
        return self.pipe is not None

    def admit(
        self,
        key_id: str,
        requests_per_minute: int | None,
        tokens_per_minute: int | None,
        tokens: int,
        told: Callable[[int], None],
    ) -> None:
        """Count a call and the tokens that it will use, unless a limit (None: none) is reached.

        `told(0)`: it may go on; else the seconds after which to try again, 1 to 60, and nothing was counted. Told
        before this returns where Redis is not asked. A call of more tokens than a minute may have is never let in.
        """
        if tokens_per_minute is None:
            if requests_per_minute is None:
                told(0)
                return
            tokens = 0
        elif tokens > tokens_per_minute:
            told(LONGEST_WAIT)
            return
        use = Use(key_id, requests_per_minute, tokens_per_minute, tokens)
        if self.pipe is None:
            told(_seconds(self.shares.take(use)))
            return
        # Past the deadline Redis takes nothing: nobody waits any more, and the call may be refused here.
        deadline = milliseconds() + self.pipe.sure + self.lead
        words = _take(key_id, deadline, requests_per_minute, tokens_per_minute, 1, tokens)
        self.pipe.evaluate(TAKE_SCRIPT, words, partial(self._answered, self.pipe, use, told))

    def spent(
        self, key_id: str, tokens_per_minute: int | None, more_tokens: int, elapsed_ms: int | None = None
    ) -> None:
        """Correct what `admit` counted, once the call has ended: by what it used more, or less (negative).

        More counts from now on. Less is given back where it was counted, `elapsed_ms` ago (milliseconds since the
        admission); where that is not told, wherever there are tokens in the last minute.
        """
        if tokens_per_minute is None or not more_tokens:
            return
        if more_tokens > 0:
            self.shares.note(key_id, 0, more_tokens)
            if self.pipe is not None:
                self.pipe.evaluate(TAKE_SCRIPT, _take(key_id, None, None, None, 0, more_tokens), _nothing)
            return
        age = MINUTE if elapsed_ms is None else elapsed_ms + LATENESS_MS
        self.shares.give_back(key_id, age, -more_tokens)
        self._settle(Debt(key_id, milliseconds() - age, -more_tokens))

    async def run(self) -> None:
        """Keep the connection to Redis, for as long as the process lives."""
        while True:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    pipe = await self._connect()
                reason = await self._use(pipe)
            except (OSError, RedisRefused, UnicodeError) as error:
                reason = str(error) or "it does not answer"
            if not self.away:
                self.away = True
                logger.warning("Redis is away, so each process holds its share of the rate limits: %s", reason)
            await asyncio.sleep(RETRY_SECONDS)

    def close(self) -> None:
        """Hang up; calls that still wait for Redis are told by this process's share."""
        pipe, self.pipe = self.pipe, None
        if pipe is not None:
            pipe.end("it is no longer needed")

    async def _connect(self) -> Pipe:
        """A pipe that answers as fast as it must for a call."""
        pipe = await connect(self.address, self.patience)
        try:
            for script in (TAKE_SCRIPT, GIVE_BACK_SCRIPT):
                await pipe.ask(script.load)
            clock = await pipe.ask(HELLO_SCRIPT.in_full((b"1", f"{PREFIX}hello".encode())))
        except BaseException:
            pipe.end("it is of no use")
            raise
        self.lead = int(clock[1:]) - milliseconds()
        return pipe

    async def _use(self, pipe: Pipe) -> str:
        """Share the limits over a pipe until it ends; returns why it did."""
        self.pipe = pipe
        if self.away:
            self.away = False
            logger.info("Redis is back, so the rate limits hold over all processes again")
        try:
            for _ in range(len(self.debts)):
                self._settle(self.debts.popleft())
            return await asyncio.shield(pipe.ended)
        finally:
            self.close()

    def _answered(self, pipe: Pipe, use: Use, told: Callable[[int], None], reply: bytes | None) -> None:
        if reply == b":0":
            self.shares.note(use.key, 1, use.tokens)
            told(0)
        elif reply is not None and reply.startswith(b":") and reply != b":-1":
            told(_seconds(int(reply[1:])))
        else:
            if reply is not None:
                pipe.end("it answered too late" if reply == b":-1" else reply[1:].decode(errors="replace"))
            told(_seconds(self.shares.take(use)))

    def _settle(self, debt: Debt) -> None:
        """Give tokens back; later while Redis is away, as it must not refuse for what nobody used."""
        age = milliseconds() - debt.since
        if age > MINUTE + LATENESS_MS:
            return
        if self.pipe is None:
            self.debts.append(debt)
            return
        words = (b"1", f"{PREFIX}{debt.key}".encode(), b"%d" % age, b"%d" % debt.tokens)
        self.pipe.evaluate(GIVE_BACK_SCRIPT, words, lambda reply: None if reply else self.debts.append(debt))


def _take(
    key: str, deadline: int | None, most_requests: int | None, most_tokens: int | None, requests: int, tokens: int
) -> tuple[bytes, ...]:
    """The words behind the script TAKE: the number of names, the name, the arguments."""
    numbers = (deadline, most_requests, most_tokens, requests, tokens)
    return (b"1", f"{PREFIX}{key}".encode(), *[b"" if number is None else b"%d" % number for number in numbers])


def _seconds(wait: int) -> int:
    """Milliseconds to wait as a Retry-After; 0 stays 0."""
    return min(-(-wait // 1000), LONGEST_WAIT)


def _nothing(reply: bytes | None) -> None:
    """What is used is used."""
