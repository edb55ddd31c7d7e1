"""Keeps the parts of the product running in one terminal: restarts, prefixed output, stops in order. No Django.

Kept process managers were weighed first. honcho ends everything when one part ends. supervisor gives up on a part
after a number of tries, and prints without prefixes unless a listener, whose queue drops lines, does it. circus
restarts without a pause and brings ZeroMQ and Tornado. None waits for one part before it starts the next.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import IO

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 15.0
HEALTHY_SECONDS = 10.0
"""A part that lived this long starts with the first pause again."""


@dataclass(frozen=True, slots=True)
class Part:
    """One process to keep running: how to start it, how to ask it to stop, and how long that may take."""

    name: str
    command: tuple[str, ...]
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10
    outlives: bool = False
    """True: stays when this process is killed, to be found and used by the next start."""


class Output:
    """Prints whole lines of many processes, each with the name of its part; a closed terminal is no error."""

    def __init__(self, stream: IO[bytes], width: int = 9) -> None:
        self.stream = stream
        self.width = width
        self.lock = threading.Lock()

    def say(self, name: str, line: str | bytes) -> None:
        """Print one line."""
        text = line if isinstance(line, bytes) else line.encode()
        with self.lock, contextlib.suppress(OSError, ValueError):
            self.stream.write(f"{name:<{self.width}} | ".encode() + text.rstrip(b"\r\n") + b"\n")
            self.stream.flush()

    def pipe(self, name: str) -> int:
        """The writing end of a pipe whose lines are printed under a name for as long as this process lives."""
        reader, writer = os.pipe()
        threading.Thread(target=self._copy, args=(name, reader), daemon=True, name=f"output of {name}").start()
        return writer

    def _copy(self, name: str, reader: int) -> None:
        with os.fdopen(reader, "rb") as lines:
            for line in lines:
                self.say(name, line)


class Kept:
    """A part and its present process; `tend` is to be called a few times a second."""

    def __init__(self, part: Part, output: Output) -> None:
        self.part = part
        self.output = output
        self.pipe = output.pipe(part.name)
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0.0
        self.next_start = 0.0
        self.failures = 0
        """How often in a row it ended before it had lived for HEALTHY_SECONDS."""

    def tend(self, now: float) -> None:
        """Start the process when it is due; notice its end and set the time of the next start."""
        if self.process is not None and self.process.poll() is not None:
            self._ended(self.process.returncode, now)
        if self.process is None and now >= self.next_start:
            self._start(now)

    def ask_to_stop(self) -> None:
        """Send the part's own signal to its first process."""
        if self.running():
            self._signal(self.part.stop_signal)

    def kill(self) -> None:
        """Kill the process with all that it has started."""
        if self.process is not None and self.running():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def running(self) -> bool:
        """Whether its process lives now."""
        return self.process is not None and self.process.poll() is None

    def _start(self, now: float) -> None:
        self.started = now
        self.process = subprocess.Popen(
            [*_with_parent(self.part), *self.part.command],
            stdin=subprocess.DEVNULL,
            stdout=self.pipe,
            stderr=self.pipe,
            start_new_session=True,
        )

    def _ended(self, code: int, now: float) -> None:
        lived = now - self.started
        self.failures = 1 if lived >= HEALTHY_SECONDS else self.failures + 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self.failures - 1))
        self.output.say(self.part.name, f"{describe_exit(code)} after {lived:.0f} s; starts again in {pause:g} s")
        self.process = None
        self.next_start = now + pause

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.process.pid, number)


class Keeper:
    """All parts together, in the order in which they were added."""

    def __init__(self, output: Output) -> None:
        self.output = output
        self.kept: list[Kept] = []
        self.stops = 0
        """How many times a stop was asked for; the second time nothing is waited for."""

    def ask_to_stop(self, *_: object) -> None:
        """A signal handler, which therefore only counts."""
        self.stops += 1

    def add(self, part: Part) -> Kept:
        """Start a part and keep it running from now on."""
        kept = Kept(part, self.output)
        kept.tend(time.monotonic())
        self.kept.append(kept)
        return kept

    def wait(self, until: Callable[[], bool], seconds: float = float("inf")) -> bool:
        """Tend all parts until something holds; False when a stop was asked for or the time ran out first."""
        deadline = time.monotonic() + seconds
        while not self.stops:
            now = time.monotonic()
            for kept in self.kept:
                kept.tend(now)
            if until():
                return True
            if now > deadline:
                return False
            time.sleep(0.1)
        return False

    def stop(self, names: Iterable[str]) -> None:
        """Ask these parts to stop, wait for all of them, and kill those that take longer than they may."""
        stopping = [kept for kept in self.kept if kept.part.name in set(names) and kept.running()]
        started = time.monotonic()
        for kept in stopping:
            kept.ask_to_stop()
        while any(kept.running() for kept in stopping):
            for kept in stopping:
                if kept.running() and (self.stops > 1 or time.monotonic() - started > kept.part.stop_seconds):
                    self.output.say(kept.part.name, "killed, as it did not stop in time")
                    kept.kill()
            time.sleep(0.05)


def describe_exit(code: int) -> str:
    """'ended with code 1' or 'was killed by SIGKILL'."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def standard_output() -> Output:
    """The terminal, or whatever stands for it."""
    return Output(sys.stdout.buffer)


def _with_parent(part: Part) -> list[str]:
    """The words that end a part when this process is killed; the kernel does it, on Linux."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig=TERM"] if setpriv and not part.outlives else []
