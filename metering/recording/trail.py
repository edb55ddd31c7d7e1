"""One gateway process as far as its segments are read: what it has still to tell, and which files may go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from metering.records import BadLine, decode
from metering.spooling import Segment, read

PIECE_BYTES = 4 * 1024 * 1024
"""How much of a segment is taken at once. A line of ours is far shorter."""

Record = dict[str, Any]


@dataclass(slots=True)
class Place:
    """How far a segment is read, and how far the ledger has it. `complete`: read to an end that will not move."""

    segment: Segment
    read: int
    recorded: int
    complete: bool = False


class Trail:
    """The segments of one process in order, and the calls that it has announced and not yet reported on."""

    def __init__(self, process: str) -> None:
        self.process = process
        self.places: dict[int, Place] = {}
        self.open: dict[str, tuple[int, Record]] = {}
        """Intents without a result, by id, each with the number of its segment."""
        self.ended = False
        """True: the process is dead, and everything it left is read."""

    def begin(self, segment: Segment, offset: int) -> None:
        """Go on with a segment where the ledger has it, knowing the calls that were open by then."""
        self.places[segment.number] = Place(segment, offset, offset)
        for line in _lines(segment, offset):
            try:
                self.follow(understand(line), segment.number)
            except (BadLine, KeyError, TypeError):
                continue  # put aside when it was first read

    def follow(self, record: Record, number: int) -> None:
        """Keep the calls under way in step with a record of segment `number`."""
        if record["kind"] == "intent":
            self.open[record["id"]] = (number, record)
        elif record["kind"] == "result":
            self.open.pop(record["id"], None)

    def last(self) -> int:
        """The number of the segment that the process writes now; -1 before its first."""
        return max(self.places, default=-1)

    def disposable(self, *, ended: bool) -> list[Place]:
        """Segments of which nothing is needed any more: all recorded, no call in them open, nothing to come."""
        awaited = {number for number, _ in self.open.values()}
        return [
            place
            for number, place in self.places.items()
            if place.complete
            and place.recorded == place.read
            and number not in awaited
            and (ended or number < self.last())
        ]


def understand(line: bytes) -> Record:
    """The record of a line, without what PostgreSQL cannot store. Raises BadLine."""
    record = decode(line)
    return without_nul(record) if b"\\u0000" in line else record


def without_nul(value: Any) -> Any:
    """The value with each NUL character replaced: JSON knows it, PostgreSQL's text does not."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {without_nul(name): without_nul(item) for name, item in value.items()}
    return [without_nul(item) for item in value] if isinstance(value, list) else value


def _lines(segment: Segment, end: int) -> Iterator[bytes]:
    """The whole lines of a segment from its beginning to `end`."""
    offset = 0
    while offset < end:
        piece = read(segment.path, offset, min(PIECE_BYTES, end - offset), final=True)
        yield from piece.lines
        if piece.end == offset:
            return
        offset = piece.end
