"""The files between the gateways and the recorder: their names, who still writes them, and their lines. No Django.

A gateway process writes `<process>.<segment>.spool`, one segment after the other, and holds `<process>.lock` for as
long as it lives. The lock is there before the first segment is, and goes after the last one.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from tokonomics.embedded import locks

SEGMENT_BYTES = 64 * 1024 * 1024
"""A process goes on in a new segment rather than pass this size."""

NAME = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([0-9]{6})\.spool")
LOCK = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.lock")


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One spool file; segments sort by process, then in the order in which they were written."""

    process: str
    number: int
    path: Path

    @property
    def name(self) -> str:
        """The name under which the ledger keeps how far it was recorded."""
        return self.path.name


def segment_path(directory: Path, process: str, number: int) -> Path:
    """Where a process keeps its n-th segment."""
    return directory / f"{process}.{number:06d}.spool"


def lock_path(directory: Path, process: str) -> Path:
    """The lock that a process holds while it lives."""
    return directory / f"{process}.lock"


def living(directory: Path, process: str) -> bool:
    """Whether the process may still write. Once it may not, what its segments hold is all there will ever be."""
    return locks.holder(lock_path(directory, process)) is not None


def processes(directory: Path) -> dict[str, list[Segment]]:
    """Every process that left a file, with its segments in order; none where only its lock is left."""
    found: defaultdict[str, list[Segment]] = defaultdict(list)
    for name in os.listdir(directory):
        if match := NAME.fullmatch(name):
            found[match[1]].append(Segment(match[1], int(match[2]), directory / name))
        elif match := LOCK.fullmatch(name):
            found[match[1]]
    return {process: sorted(segments) for process, segments in sorted(found.items())}


def spooled_bytes(directory: Path) -> int:
    """How much all segments of a directory hold together."""
    total = 0
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.endswith(".spool"):
                try:
                    total += entry.stat().st_size
                except FileNotFoundError:  # recorded and deleted this very moment
                    continue
    return total


@dataclass(frozen=True, slots=True)
class Piece:
    """What stands in a segment from some offset on: whole lines without their newlines, and where they end.

    `torn` is a last line that its process never finished; it lies before `end`, and no line follows it.
    """

    lines: list[bytes]
    end: int
    torn: bytes = b""


def read(path: Path, offset: int, limit: int, *, final: bool) -> Piece:
    """At most `limit` bytes of whole lines. `final`: nothing will be added, so an unfinished last line is torn.

    Without a newline in `limit` bytes, those bytes are handed out as one line, which no checksum will fit.
    """
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(limit)
    length = data.rfind(b"\n") + 1
    if length:
        return Piece(data[: length - 1].split(b"\n"), offset + length)
    if len(data) == limit:
        return Piece([data], offset + limit)
    return Piece([], offset + len(data), data) if final else Piece([], offset)


def bad_path(segment: Path) -> Path:
    """Where the lines of a segment are kept that cannot be recorded. Nothing deletes that file."""
    return segment.with_suffix(".bad")


def put_aside(segment: Path, line: bytes) -> Path:
    """Keep a line that cannot be recorded; returns the file that holds it."""
    kept = bad_path(segment)
    descriptor = os.open(kept, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(line + b"\n")
    return kept
