"""The wall clock of the gateway's processes, moved by a test while they run: a number in a file that all map."""

from __future__ import annotations

import mmap
import struct
import time
from pathlib import Path

SHIFT = struct.Struct("=q")
"""Nanoseconds that are added to the time."""


def move(folder: Path, seconds: float) -> None:
    """Have all rigged processes see a time that is so much later, or with a negative number earlier, than it is."""
    with (folder / "clock").open("r+b") as file:
        file.write(SHIFT.pack(round(seconds * 1e9)))


def make(folder: Path) -> None:
    """The clock as it goes everywhere."""
    (folder / "clock").write_bytes(SHIFT.pack(0))


def follow(folder: Path) -> None:
    """Let this process and its children go by the clock in the folder; what measures durations is left alone."""
    with (folder / "clock").open("rb") as file:
        shift = mmap.mmap(file.fileno(), SHIFT.size, access=mmap.ACCESS_READ)
    seconds, nanoseconds = time.time, time.time_ns
    time.time = lambda: seconds() + SHIFT.unpack(shift[:])[0] / 1e9
    time.time_ns = lambda: nanoseconds() + int(SHIFT.unpack(shift[:])[0])
