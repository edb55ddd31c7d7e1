"""Counts the tokens of calls without a usage, off the event loop: an encoding takes half a second to load.

tiktoken lets go of Python's lock while it counts, so that one thread does not slow the calls that go on.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from metering.estimates import Told, by_length, estimate

if TYPE_CHECKING:
    from collections.abc import Callable

    from metering.usage import Usage

MOST_WAITING = 500
"""Calls that may wait to be counted, when a provider breaks off all at once; beyond, their length has to do."""
LONGEST_END = 10.0
"""Seconds in which a process that ends counts what is left; what is not counted then is an orphan's estimate."""

logger = logging.getLogger(__name__)


class Estimator:
    """One thread that counts, and calls back on the loop that made it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "estimates")
        self._waiting: set[asyncio.Future[Usage]] = set()

    def ask(self, told: Told, then: Callable[[Usage], None]) -> None:
        """Have a call counted; `then` gets its usage, in a later turn of the loop."""
        if len(self._waiting) >= MOST_WAITING:
            self._loop.call_soon(then, by_length(told))
            return
        counted: Future[Usage] = self._thread.submit(estimate, told)
        waiting = asyncio.wrap_future(counted, loop=self._loop)
        self._waiting.add(waiting)
        waiting.add_done_callback(lambda done: self._tell(done, told, then))

    def _tell(self, done: asyncio.Future[Usage], told: Told, then: Callable[[Usage], None]) -> None:
        self._waiting.discard(done)
        if done.cancelled():
            return
        if (error := done.exception()) is not None:
            logger.error("A call could not be counted, its length has to do", exc_info=error)
        then(by_length(told) if error else done.result())

    async def close(self) -> None:
        """Count what is waiting, for a bounded time, and end the thread."""
        if self._waiting:
            await asyncio.wait(set(self._waiting), timeout=LONGEST_END)
        self._thread.shutdown(wait=False, cancel_futures=True)
