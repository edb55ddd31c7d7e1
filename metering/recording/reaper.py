"""Ends the calls of machines that are gone: their reservations would hold budgets for ever, their spool is not here.

A process counts as gone when its sign of life has not moved for GONE_SECONDS under the eyes of this recorder, so that
an outage of the database or of the recorder itself kills nobody. Its calls become estimates, as in an adoption.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from metering.recording.batch import MALFORMED, Batch
from metering.recording.orphans import orphan

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import psycopg

GONE_SECONDS = 300.0
LOOK_SECONDS = 10.0
MOST_CALLS = 1000

PROCESSES = """
SELECT held.process::text, life.seen_at FROM (SELECT DISTINCT process FROM reservation) AS held
LEFT JOIN gateway_process life ON life.id = held.process
"""
INTENTS = "SELECT intent FROM reservation WHERE process = %s ORDER BY id LIMIT %s"

logger = logging.getLogger(__name__)


class Reaper:
    """Watches the signs of life of the processes that hold reservations."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, gone_seconds: float = GONE_SECONDS) -> None:
        self.clock = clock
        self.gone_seconds = gone_seconds
        self.look_at = 0.0
        self.seen: dict[str, tuple[datetime | None, float]] = {}

    def due(self) -> bool:
        """Whether it is time to look again."""
        return self.clock() >= self.look_at

    def look(self, connection: psycopg.Connection[Any], here: set[str]) -> Batch:
        """The estimates of calls whose process is gone; `here` are the processes whose spool is on this machine."""
        now = self.clock()
        self.look_at = now + LOOK_SECONDS
        seen = {}
        for process, life in connection.execute(PROCESSES):
            before, since = self.seen.get(process, (life, now))
            seen[process] = (life, since if before == life else now)
        self.seen = seen
        gone = [name for name, (_, since) in seen.items() if name not in here and now - since >= self.gone_seconds]
        return self._estimates(connection, gone)

    def _estimates(self, connection: psycopg.Connection[Any], gone: list[str]) -> Batch:
        batch = Batch()
        for process in gone:
            intents = [intent for (intent,) in connection.execute(INTENTS, [process, MOST_CALLS])]
            logger.warning("Process %s and its spool are gone; %d of its calls are estimated", process, len(intents))
            for intent in intents:
                try:
                    batch.add_result(orphan(intent))
                except MALFORMED:
                    logger.exception("A reservation of process %s holds no intent", process)
        return batch
