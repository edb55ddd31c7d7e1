"""Keeps N gateway processes alive on one port.

The master owns the listening sockets, one a worker with SO_REUSEPORT, and hands each to the process that serves it: a
worker that dies or is replaced leaves its waiting connections in the socket for the next one, so a restart refuses
nobody. A worker that is told to end says so at once, and its successor serves while the old one's calls end.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import select
import signal
import socket
import struct
import time
from typing import TYPE_CHECKING

from metering.gateway import worker

if TYPE_CHECKING:
    from types import FrameType

    from metering.gateway.worker import Configuration

BACKLOG = 8192
SHORT_LIFE_SECONDS = 1
LOOK_SECONDS = 0.2
NAME = struct.Struct("=i")
"""A worker's process id, as it writes it."""
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

logger = logging.getLogger(__name__)


class Master:
    """Forks the workers, replaces the dead and the leaving, stops all on SIGTERM, renews all on SIGHUP."""

    def __init__(self, host: str, port: int, workers: int, configuration: Configuration) -> None:
        self.configuration = configuration
        self.listeners = [_listener(host, port) for _ in range(workers)]
        self.slots: dict[int, int] = {}
        self.serving: dict[int, int] = {}
        self.born: dict[int, float] = {}
        self.stopping = False
        self.leaving, self.leave = os.pipe()

    def run(self) -> None:
        """Block until every worker has ended after SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._replace_all)
        gc.freeze()  # what is loaded by now is shared by all workers: no collection shall touch it
        for slot in range(len(self.listeners)):
            self._fork(slot)
        while self.slots:
            ready, _, _ = select.select([self.leaving], [], [], LOOK_SECONDS)
            if ready:
                for (pid,) in NAME.iter_unpack(os.read(self.leaving, 64 * NAME.size)):
                    self._succeed(pid)
            self._reap()

    def _fork(self, slot: int) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # or a newborn worker takes one for the master, and goes on
        pid = os.fork()
        if pid:
            self.slots[pid] = slot
            self.serving[slot] = pid
            self.born[pid] = time.monotonic()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            if self.stopping:
                _end(pid)
            return
        status = 1
        try:
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            self._leave_to_others(slot)
            worker.run(self.listeners[slot], self.configuration, self._say_farewell)
            status = 0
        except BaseException:
            logger.exception("A gateway process ended by an error")
        finally:
            os._exit(status)

    def _leave_to_others(self, slot: int) -> None:
        """Close the sockets of the other workers: they would outlive the master here, and nobody would accept."""
        for other, listener in enumerate(self.listeners):
            if other != slot:
                listener.close()

    def _say_farewell(self) -> None:
        """In a worker: tell the master that it serves no longer."""
        os.write(self.leave, NAME.pack(os.getpid()))

    def _succeed(self, pid: int) -> None:
        """Replace a worker that has said farewell, unless it was found dead before that was heard."""
        slot = self.slots.get(pid)
        if slot is not None and not self.stopping:
            self._fork(slot)

    def _reap(self) -> None:
        for pid in list(self.slots):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended:
                continue
            slot, born = self.slots.pop(pid), self.born.pop(pid)
            if status:
                logger.error("Gateway process %d ended by %s", pid, _reason(status))
            if self.serving[slot] == pid and not self.stopping:
                if time.monotonic() - born < SHORT_LIFE_SECONDS:
                    time.sleep(SHORT_LIFE_SECONDS)
                self._fork(slot)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True
        for pid in list(self.slots):
            _end(pid)

    def _replace_all(self, number: int, frame: FrameType | None) -> None:
        for pid in list(self.serving.values()):
            if pid in self.slots:
                _end(pid)


def _end(pid: int) -> None:
    """Tell a worker to end, which may have done so this very moment."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def _reason(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"exit status {code}"


def _listener(host: str, port: int) -> socket.socket:
    """A listening socket of its own on a shared port; raises OSError when another program holds the port."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((host, port))
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener
