"""PostgreSQL and Redis of a machine that has neither, below DATA_DIR: started, shared, stopped.

Each engine holds an exclusive lock on DATA_DIR/log/<name>.lock, inherited by all of its processes, for as long as any
of them lives. So a second start never runs two over the same data, and a crash leaves nothing that must be guessed
about. Who uses the engines shares DATA_DIR/log/users.lock; the last one to leave stops them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from tokonomics.embedded import locks
from tokonomics.embedded.folders import EngineFailed, make_folders
from tokonomics.embedded.postgres import Postgres
from tokonomics.embedded.redis import Redis

__all__ = [
    "Engine",
    "EngineFailed",
    "Postgres",
    "Redis",
    "command_of",
    "engines",
    "lock_of",
    "running",
    "serve",
    "shared",
]

START_SECONDS = 120
STOP_SECONDS = 60
_started: dict[Path, list[subprocess.Popen[bytes]]] = {}
"""What this process has started, by its lock."""


class Engine(Protocol):
    """What the rest of this package needs to know of an engine."""

    @property
    def name(self) -> str: ...
    @property
    def data_dir(self) -> Path: ...
    @property
    def durable(self) -> bool: ...
    @property
    def stop_signal(self) -> signal.Signals: ...
    def prepare(self) -> None: ...
    def command(self) -> list[str]: ...
    def ready(self) -> bool: ...


def lock_of(engine: Engine) -> Path:
    """The lock that is held while the engine lives."""
    return engine.data_dir / "log" / f"{engine.name}.lock"


def running(engine: Engine) -> bool:
    """Whether a process of the engine lives, be it starting, serving or stopping."""
    return locks.holder(lock_of(engine)) is not None


def command_of(engine: Engine, *, wait: bool) -> list[str]:
    """The command line of a process that becomes the engine once no other runs; without wait it gives up at once."""
    flags = [] if engine.durable else ["--careless"]
    return [
        sys.executable,
        "-m",
        "tokonomics.embedded",
        engine.name,
        str(engine.data_dir),
        *flags,
        *(["--wait"] if wait else []),
    ]


def serve(engine: Engine, *, wait: bool) -> None:
    """Become the engine: take its lock, prepare its data, and replace this process. Returns if it runs elsewhere."""
    make_folders(engine.data_dir)
    descriptor = locks.take(lock_of(engine), wait=wait)
    if descriptor is None:
        return
    locks.sign(descriptor)
    engine.prepare()
    command = engine.command()
    os.set_inheritable(descriptor, True)
    os.execvp(command[0], command)


@contextlib.contextmanager
def engines(used: Sequence[Engine]) -> Iterator[None]:
    """Have these engines of one DATA_DIR serve meanwhile, started here unless they run; raises EngineFailed."""
    with shared(used):
        for engine in used:
            _start(engine)
        yield


@contextlib.contextmanager
def shared(used: Sequence[Engine]) -> Iterator[None]:
    """Count as a user of these engines meanwhile, whoever starts them; the last user to leave stops them."""
    if not used:
        yield
        return
    make_folders(used[0].data_dir)
    users = used[0].data_dir / "log" / "users.lock"
    share = locks.take(users, shared=True)
    try:
        yield
    finally:
        if share is not None:
            os.close(share)
        last = locks.take(users, wait=False)
        if last is not None:
            for engine in used:
                _stop(engine)
            os.close(last)
        else:
            _leave(used)


def _start(engine: Engine) -> None:
    log = engine.data_dir / "log" / f"{engine.name}.log"
    deadline = time.monotonic() + START_SECONDS
    process: subprocess.Popen[bytes] | None = None
    while not engine.ready():
        if process is not None and process.poll():
            raise EngineFailed(f"{engine.name} did not start. Its log, {log}, ends with:\n{_tail(log)}")
        if time.monotonic() > deadline:
            raise EngineFailed(f"{engine.name} did not answer within {START_SECONDS} seconds; see {log}.")
        if (process is None or process.poll() == 0) and not running(engine):
            process = _launch(engine, log)
            _started.setdefault(lock_of(engine), []).append(process)
        time.sleep(0.05)


def _launch(engine: Engine, log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            command_of(engine, wait=False),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=Path(__file__).parents[2],
            start_new_session=True,
        )


def _stop(engine: Engine) -> None:
    """Ask it to stop and wait until its last process is gone; one that does not go is killed."""
    deadline = time.monotonic() + STOP_SECONDS
    asked = 0
    while (pid := locks.holder(lock_of(engine))) is not None and time.monotonic() < deadline + 5:
        late = time.monotonic() > deadline
        if pid and (pid != asked or late):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if late else engine.stop_signal)
            asked = pid
        time.sleep(0.05)
    for ours in _started.pop(lock_of(engine), []):
        ours.wait()


def _leave(used: Sequence[Engine]) -> None:
    """Forget what was started here and now serves others; nobody is going to wait for its end."""
    for engine in used:
        for ours in _started.pop(lock_of(engine), []):
            ours.returncode = ours.poll() or 0


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
