"""File locks that the kernel frees when the last process that holds them is gone, however it went."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


def take(path: Path, *, shared: bool = False, wait: bool = True) -> int | None:
    """The descriptor of the lock, free or held by sharers only; None when it is held by others and wait is False."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(descriptor, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def sign(descriptor: int) -> None:
    """Write this process's id into a lock that it holds, for `holder` to read."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)


def holder(path: Path) -> int | None:
    """The id that the exclusive holder of a lock has signed with (0 before it has), or None when it is free."""
    if not path.exists():
        return None
    descriptor = take(path, shared=True, wait=False)
    if descriptor is not None:
        os.close(descriptor)
        return None
    return int(path.read_bytes() or b"0")


@contextlib.contextmanager
def sole(path: Path) -> Iterator[bool]:
    """Hold a lock that nobody shares; yields False, without it, when another process has it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = take(path, wait=False)
    if descriptor is None:
        yield False
        return
    try:
        sign(descriptor)
        yield True
    finally:
        os.close(descriptor)
