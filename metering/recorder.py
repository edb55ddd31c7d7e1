"""Ships the spool of this machine to PostgreSQL, each line exactly once.

While one batch is being recorded, the next is already read. Whatever goes wrong, the answer is the same: forget
everything, and go on where the ledger says that the spool is recorded. So a crash and an error are one case.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from metering.recording.batch import Batch
from metering.recording.reaper import Reaper
from metering.recording.rejects import Rejects
from metering.recording.tail import BATCH_LINES, Tail
from metering.recording.writing import Ledger, Stale
from metering.spooling import processes
from tokonomics.embedded import locks

LOCK = "recorder.lock"
TURN_SECONDS = 0.5
POLL_SECONDS = 0.1
FINISH_SECONDS = 20.0
LONGEST_PAUSE = 2.0
REMIND_SECONDS = 30.0
PARTITIONS_SECONDS = 3600.0

REFUSED = {"21", "22", "23", "54"}
"""SQLSTATE classes that are the fault of what a line holds: cardinality, data, constraint, limit."""

logger = logging.getLogger(__name__)
T = TypeVar("T")


def tune_process() -> None:
    """Have Python suit a process that does nothing but record; each of the two is worth a sixth of the speed."""
    # The many dicts of a batch live for a second and hold no cycles: no need to look for some at every turn.
    gc.freeze()
    gc.set_threshold(200_000)
    # PostgreSQL waits while the thread that feeds it waits for the one that reads; 5 ms at a time is long for that.
    sys.setswitchinterval(0.0001)


class Recorder:
    """Reads one spool directory into one database."""

    def __init__(self, directory: Path, parameters: dict[str, Any]) -> None:
        self.directory = directory
        self.parameters = parameters
        self.stopping = threading.Event()
        self.rejects = Rejects()
        self.reaper = Reaper()
        self.lines = BATCH_LINES
        self._thread = ThreadPoolExecutor(1, "ledger")
        self._work: tuple[Tail, Ledger] | None = None
        self._pending: tuple[Batch, Future[None]] | None = None
        self._partitions_at = 0.0
        self._pause = 0.0
        self._failing_since = 0.0
        self._remind_at = 0.0

    def run(self) -> None:
        """Record until `stopping` is set, then what is left if PostgreSQL is there."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._turn():
            while not self.stopping.is_set():
                if not self.attempt():
                    self.stopping.wait(self._pause or POLL_SECONDS)
            self.finish(FINISH_SECONDS)

    def attempt(self) -> bool:
        """One step; an error is logged, and the next step begins anew. Whether to go on without a pause."""
        try:
            return self.step()
        except (psycopg.Error, OSError, Stale) as error:
            self._stumble(error)
            return False

    def step(self) -> bool:
        """Read a batch, wait for the one before, hand it over. False: nothing was left to do."""
        tail, ledger = self._work or self._begin()
        batch = tail.read()
        if self._settle(tail) or not batch:
            self._recover()
        if batch:
            self._pending = (batch, self._thread.submit(ledger.record, batch))
        elif time.monotonic() > self._partitions_at:
            self._make_partitions(ledger)
        elif self.reaper.due():
            self._reap(ledger)
        return bool(batch)

    def _reap(self, ledger: Ledger) -> None:
        """End the calls of machines that are gone."""
        batch = self._ask(self.reaper.look, ledger.connection, set(processes(self.directory)))
        if batch:
            self._ask(ledger.record, batch)

    def finish(self, seconds: float) -> None:
        """Record what there is now, for at most so long, and hang up."""
        until = time.monotonic() + seconds
        while self.attempt() and time.monotonic() < until:
            pass
        self._forget()
        self._thread.shutdown()

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Be the only recorder of the directory; while there is another, wait for its end."""
        lock = locks.take(self.directory / LOCK, wait=False)
        if lock is None:
            logger.info("Another recorder works on %s; waiting to take over", self.directory)
        while lock is None and not self.stopping.wait(TURN_SECONDS):
            lock = locks.take(self.directory / LOCK, wait=False)
        if lock is None:
            yield
            return
        try:
            locks.sign(lock)
            yield
        finally:
            os.close(lock)

    # one after the other

    def _ask(self, question: Callable[..., T], *values: Any) -> T:
        """The ledger's answer, once it is done with what it was given before."""
        return self._thread.submit(question, *values).result()

    def _begin(self) -> tuple[Tail, Ledger]:
        ledger = self._ask(Ledger, self.parameters)
        offsets, settled = partial(self._ask, ledger.offsets), partial(self._ask, ledger.settled)
        self._work = Tail(self.directory, self.rejects, offsets, settled, self.lines), ledger
        self._make_partitions(ledger)
        return self._work

    def _make_partitions(self, ledger: Ledger) -> None:
        self._ask(ledger.make_ahead)
        self._partitions_at = time.monotonic() + PARTITIONS_SECONDS

    def _settle(self, tail: Tail) -> bool:
        """Wait until the batch before is in the ledger; whether there was one."""
        if self._pending is None:
            return False
        (batch, recording), self._pending = self._pending, None
        try:
            recording.result()
        except psycopg.Error as error:
            if (error.sqlstate or "")[:2] in REFUSED:
                self._narrow(batch)
            raise
        tail.recorded(batch)
        self.lines = tail.lines = min(BATCH_LINES, 2 * self.lines)
        return True

    # errors

    def _narrow(self, batch: Batch) -> None:
        """Come closer to the line that PostgreSQL refuses, and put it aside when it is found."""
        if len(batch.records) > 1:
            self.lines = max(1, len(batch.records) // 2)
        elif batch.records:
            self.rejects.condemn(batch.records[0])

    def _stumble(self, error: Exception) -> None:
        self._forget()
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        self._pause = min(LONGEST_PAUSE, 2 * self._pause or POLL_SECONDS)
        if now >= self._remind_at:
            self._remind_at = now + REMIND_SECONDS
            logger.warning("Calls cannot be recorded now and wait in the spool; trying again: %s", error)

    def _recover(self) -> None:
        if self._failing_since:
            logger.info("Calls are recorded again, after %.1f s", time.monotonic() - self._failing_since)
        self._pause = self._failing_since = self._remind_at = 0.0

    def _forget(self) -> None:
        """Let go of all that is known, once a batch that may be under way has ended one way or the other."""
        work, self._work, self._pending = self._work, None, None
        if work is not None:
            self._ask(work[1].close)
