"""One gateway process as far as its segments are read: what it has still to tell, and which files may go."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from metering.recording.batch import MALFORMED
from metering.recording.reading import Record, understand
from metering.recording.rows import moment
from metering.records import intact
from metering.spooling import Segment, bad_path, read

PIECE_BYTES = 256 * 1024
"""How much of a segment is taken at once: what fits a processor's cache is read a fifth faster.

A line of ours is far shorter."""

JSON_AT = 9
INTENT = b'{"kind":"intent","id":"'
"""How the gateways begin an intent: its call is known without reading on."""
ID_AT = JSON_AT + len(INTENT)
ID_END = ID_AT + 36


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
        self.open: dict[str, tuple[int, bytes]] = {}
        """Intents without a result, by id: the number of its segment, and its line."""
        self.ended = False
        """True: the process is dead, and everything it left is read."""

    def begin(self, segment: Segment, offset: int) -> None:
        """Go on with a segment where the ledger has it, and find the calls that were announced by then.

        Those with a result are closed, unless some of the segment's lines were put aside: it might be one of these.
        """
        self.places[segment.number] = Place(segment, offset, offset)
        trusted = not bad_path(segment.path).exists()
        for line in _lines(segment, offset):
            try:
                record = None if self.announce(line, segment.number) else understand(line)
                if record is not None and (trusted or record["kind"] == "intent"):
                    self.follow(record, line, segment.number)
            except MALFORMED:
                continue  # put aside when it was first read

    def announce(self, line: bytes, number: int) -> bool:
        """Open a call if the line, of segment `number`, begins as gateways begin an intent: no more of it is read now.

        Raises BadLine.
        """
        if not line.startswith(INTENT, JSON_AT) or line[ID_END : ID_END + 1] != b'"':
            return False
        intact(line)
        self.open[line[ID_AT:ID_END].decode()] = (number, line)
        return True

    def follow(self, record: Record, line: bytes, number: int) -> None:
        """Close the call of a result; open that of an intent with another beginning."""
        if record["kind"] == "result":
            self.close(record["id"])
        elif record["kind"] == "intent":
            self.open[record["id"]] = (number, line)

    def close(self, call: str) -> None:
        """Note that a call was reported on."""
        self.open.pop(call, None)

    def intents(self) -> list[Record]:
        """The open calls as they were announced; none that PostgreSQL could not be asked about."""
        found = []
        for _, line in self.open.values():
            with contextlib.suppress(*MALFORMED):
                record = understand(line)
                UUID(record["id"]), moment(record["at"])
                found.append(record)
        return found

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


def _lines(segment: Segment, end: int) -> Iterator[bytes]:
    """The whole lines of a segment from its beginning to `end`."""
    offset = 0
    while offset < end:
        piece = read(segment.path, offset, min(PIECE_BYTES, end - offset), final=True)
        yield from piece.lines
        if piece.end == offset:
            return
        offset = piece.end
