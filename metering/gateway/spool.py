"""Where a gateway process writes its lines: one `write` each, which survives the process, and if asked for the power.

Everything here happens on the thread of one event loop; only the waiting for the disk is handed to another.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from metering.spooling import SEGMENT_BYTES, lock_path, segment_path, spooled_bytes
from tokonomics.embedded import locks
from tokonomics.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Told = Callable[[bool], None]

LOOK_SECONDS = 1.0

flush = getattr(os, "fdatasync", os.fsync)  # macOS has only the latter

logger = logging.getLogger(__name__)


class SpoolFull(Exception):
    """The line was not written: the disk, or our share of it, is used up."""


class Spool:
    """The spool of this process, in a directory that it shares with others. open() comes first, close() last.

    `max_bytes` is for the whole directory. With `sync`, callers wait for `synced()` before they rely on a line.
    """

    def __init__(self, directory: Path, max_bytes: int, sync: bool) -> None:
        self.directory = directory
        self.max_bytes = max_bytes
        self.sync = sync
        self.process = ""
        self._number = 0
        self._file = -1
        self._size = 0
        self._lock = -1
        self._put: list[tuple[bytes, Told]] = []
        self._full = False
        self._look_at = 0.0
        self._broken_until = 0.0
        self._replaced: list[int] = []
        self._new_name = False
        self._waiting: asyncio.Future[None] | None = None
        self._syncing = False
        self._thread: ThreadPoolExecutor | None = None

    def open(self) -> None:
        """Become a process of the spool: its lock, then its first segment. Raises OSError."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.process = str(new_id())
        # Locked before it has its name: nobody ever sees it free while this process lives.
        draft = lock_path(self.directory, self.process).with_suffix(".new")
        lock = locks.take(draft)
        assert lock is not None
        locks.sign(lock)
        draft.rename(lock_path(self.directory, self.process))
        self._lock = lock
        self._next_segment()
        if self.sync:
            self._thread = ThreadPoolExecutor(1, "spool")

    def append(self, line: bytes) -> None:
        """Write one line, whole or not at all. Raises SpoolFull when the disk has no room for it.

        Does not look at `full`: what belongs to a call that was let in is written as long as there is room.
        """
        length = len(line)
        if self._size + length > SEGMENT_BYTES and self._size:
            self._go_on()
        try:
            written = os.write(self._file, line)
            while written < length:
                written += os.write(self._file, line[written:])
        except OSError as error:
            os.ftruncate(self._file, self._size)
            self._rest()
            raise SpoolFull(f"The spool in {self.directory} cannot be written: {error.strerror}.") from error
        self._size += length

    def put(self, line: bytes, told: Told) -> None:
        """Write a line together with all others of this turn of the loop; `told(True)` once it is in the file.

        With `sync` that is once it is on the disk. `told(False)`: the disk has no room, and the line was not written.
        """
        if self._put:
            self._put.append((line, told))
        else:
            self._put = [(line, told)]
            asyncio.get_running_loop().call_soon(self._write_put)

    def _write_put(self) -> None:
        put, self._put = self._put, []
        try:
            self.append(put[0][0] if len(put) == 1 else b"".join([line for line, _ in put]))
        except (SpoolFull, OSError) as error:
            logger.critical("The spool takes no more lines: %s", error)
            put = [one for one in put if self._fits(*one)]
        if self.sync:
            self.synced().add_done_callback(lambda _: _tell(put, written=True))
        else:
            _tell(put, written=True)

    def _fits(self, line: bytes, told: Told) -> bool:
        """Where there was no room for all there may be room for one."""
        try:
            self.append(line)
        except (SpoolFull, OSError):
            _tell([(line, told)], written=False)
            return False
        return True

    @property
    def full(self) -> bool:
        """Whether new calls must be refused: the directory holds `max_bytes`, or the disk failed a moment ago."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            used_up = self._used_up()
            before, self._full = self._full, used_up or now < self._broken_until
            if used_up:
                self._make_way()
            if self._full and not before:
                logger.critical(
                    "The spool in %s is full, so calls are refused: is the recorder running?", self.directory
                )
        return self._full

    def synced(self) -> asyncio.Future[None]:
        """Done when all lines so far are on the disk; all who ask meanwhile share it, so do not cancel it.

        A disk that fails is logged and makes the spool `full` for a while; the lines are then as safe as without sync.
        """
        waiting = self._waiting
        if waiting is None:
            waiting = self._waiting = asyncio.get_running_loop().create_future()
            if not self._syncing:
                self._sync()
        return waiting

    def close(self) -> None:
        """Let go of the segment and the lock; the recorder takes what is left."""
        if self._put:
            self._write_put()
        if self._thread is not None:
            self._thread.shutdown()
            _sync_files(self._replaced, self._file, self.directory if self._new_name else None)
        for descriptor in (self._file, self._lock):
            os.close(descriptor)

    # segments

    def _used_up(self) -> bool:
        try:
            return spooled_bytes(self.directory) >= self.max_bytes
        except OSError as error:
            logger.critical("The spool cannot be looked at; new calls are refused: %s", error)
            return True

    def _make_way(self) -> None:
        """Begin a segment, as the one before it can only be deleted then, once it is recorded."""
        if self._size:
            try:
                self._go_on()
            except SpoolFull as error:
                logger.critical("%s", error)

    def _rest(self) -> None:
        """Be `full` for a while: the disk has just failed, or has no room."""
        self._broken_until = time.monotonic() + 2 * LOOK_SECONDS
        self._look_at = 0

    def _go_on(self) -> None:
        previous = self._file
        try:
            self._next_segment()
        except OSError as error:
            self._rest()
            raise SpoolFull(f"The spool in {self.directory} cannot go on: {error.strerror}.") from error
        if self.sync:
            self._replaced.append(previous)
        else:
            os.close(previous)

    def _next_segment(self) -> None:
        path = segment_path(self.directory, self.process, self._number)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._number += 1
        self._size = 0
        self._new_name = True

    # the disk

    def _sync(self) -> None:
        assert self._thread is not None
        self._syncing = True
        waiting, self._waiting = self._waiting, None
        replaced, self._replaced = self._replaced, []
        directory, self._new_name = (self.directory if self._new_name else None), False
        job = asyncio.get_running_loop().run_in_executor(self._thread, _sync_files, replaced, self._file, directory)
        job.add_done_callback(lambda done: self._synced(done, waiting))

    def _synced(self, job: asyncio.Future[None], waiting: asyncio.Future[None] | None) -> None:
        self._syncing = False
        error = job.exception()
        if error is not None:
            logger.critical("The disk of the spool in %s fails; new calls are refused: %s", self.directory, error)
            self._rest()
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
        if self._waiting is not None:
            self._sync()


def _tell(put: list[tuple[bytes, Told]], *, written: bool) -> None:
    """One who stumbles over the news must not keep it from the others."""
    for _, told in put:
        try:
            told(written)
        except Exception:
            logger.exception("A call could not go on after its line was written: this is a bug")


def _sync_files(replaced: list[int], file: int, directory: Path | None) -> None:
    """Bring a segment, those before it that are complete, and their names to the disk; closes the complete ones."""
    for previous in replaced:
        flush(previous)
        os.close(previous)
    flush(file)
    if directory is not None:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
