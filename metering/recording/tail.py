"""Reads on in every segment of a spool directory, process by process, into one batch after the other.

It runs ahead of the ledger: what it has read counts as recorded only after `recorded()`. After an error it is thrown
away, and a new one begins where the ledger says.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from metering.recording.batch import MALFORMED, Batch
from metering.recording.facts import halves
from metering.recording.orphans import orphan
from metering.recording.reading import Record, understand
from metering.recording.rejects import Rejects
from metering.recording.trail import PIECE_BYTES, Place, Trail
from metering.records import BadLine
from metering.spooling import Piece, Segment, living, lock_path, processes, read

BATCH_BYTES = 16 * 1024 * 1024
BATCH_LINES = 40_000

logger = logging.getLogger(__name__)

Offsets = Callable[[list[str]], dict[str, int]]
Settled = Callable[[Iterable[Record]], set[str]]


@dataclass(slots=True)
class Room:
    """How much more a batch may take."""

    bytes: int
    lines: int

    def __bool__(self) -> bool:
        return self.bytes > 0 and self.lines > 0


class Tail:
    """All trails of one directory. `offsets` and `settled` ask the ledger; `lines` bounds a batch."""

    def __init__(
        self, directory: Path, rejects: Rejects, offsets: Offsets, settled: Settled, lines: int = BATCH_LINES
    ) -> None:
        self.directory = directory
        self.rejects = rejects
        self.offsets = offsets
        self.settled = settled
        self.lines = lines
        self.trails: dict[str, Trail] = {}

    def read(self) -> Batch:
        """The next batch, empty when there is nothing new. Raises OSError."""
        # In this order: what a process that is dead by now has written is in the list that is made afterwards.
        dead = {process for process in processes(self.directory) if not living(self.directory, process)}
        self._discover(processes(self.directory))
        batch = Batch()
        room = Room(BATCH_BYTES, self.lines)
        for process in list(self.trails):
            if not room:
                break
            trail = self.trails[process] = self.trails.pop(process)  # to the end: next time it is the others' turn
            self._read_trail(trail, batch, room, dead=process in dead)
        return batch

    def recorded(self, batch: Batch) -> None:
        """Learn that a batch is in the ledger, and delete the files that are not needed any more."""
        for process, trail in list(self.trails.items()):
            for place in trail.places.values():
                _, place.recorded = batch.moves.get(place.segment.name, (0, place.recorded))
            ended = process in batch.ended
            for place in trail.disposable(ended=ended):
                place.segment.path.unlink(missing_ok=True)
                del trail.places[place.segment.number]
            if ended:
                lock_path(self.directory, process).unlink(missing_ok=True)
                del self.trails[process]

    # finding

    def _discover(self, found: dict[str, list[Segment]]) -> None:
        """Take up segments that are new here, and forget processes of which nothing is left."""
        self.trails = {process: trail for process, trail in self.trails.items() if process in found}
        for process in found:
            self.trails.setdefault(process, Trail(process))
        new = [
            segment
            for process, segments in found.items()
            for segment in segments
            if segment.number not in self.trails[process].places
        ]
        if new:
            self._begin(new)

    def _begin(self, segments: list[Segment]) -> None:
        offsets = self.offsets([segment.name for segment in segments])
        for segment in segments:
            self.trails[segment.process].begin(segment, offsets[segment.name])
        begun = [self.trails[segment.process] for segment in segments if offsets[segment.name]]
        # The result of an intent that is still here may have been in a segment that is gone.
        settled = self.settled([intent for trail in begun for intent in trail.intents()]) if begun else set()
        for trail in begun:
            trail.open = {call: intent for call, intent in trail.open.items() if call not in settled}

    # reading

    def _read_trail(self, trail: Trail, batch: Batch, room: Room, *, dead: bool) -> None:
        """Read a process's segments in their order, so that no result comes before its intent."""
        last = trail.last()
        for number, place in sorted(trail.places.items()):
            if not place.complete:
                self._read_place(trail, place, batch, room, final=dead or number < last)
            if not place.complete:
                return
        if dead and not trail.ended:
            self._adopt(trail, batch, room)

    def _read_place(self, trail: Trail, place: Place, batch: Batch, room: Room, *, final: bool) -> None:
        while room:
            piece = read(place.segment.path, place.read, PIECE_BYTES, final=final)
            if piece.end == place.read:
                place.complete = final
                return
            end = self._take(trail, place, piece, batch, room)
            batch.move(place.segment.name, place.read, end)
            room.bytes -= end - place.read
            place.read = end

    def _take(self, trail: Trail, place: Place, piece: Piece, batch: Batch, room: Room) -> int:
        """Take the lines of a piece for which there is room, and return where the last of them ends."""
        segment, offset = place.segment, place.read
        if piece.torn:
            self.rejects.tear(segment, offset, piece.torn)
        for line in piece.lines[: room.lines]:
            try:
                if not trail.announce(line, segment.number):
                    self._take_line(trail, segment, line, batch)
            except MALFORMED as error:
                self.rejects.put(segment, offset, line, error)
            offset += len(line) + 1
        taken = min(room.lines, len(piece.lines))
        room.lines -= taken
        return offset if taken < len(piece.lines) else piece.end

    def _take_line(self, trail: Trail, segment: Segment, line: bytes, batch: Batch) -> None:
        """Take a line that announces nothing, as nearly all gateways write it or with its members in another order."""
        self.rejects.check(line)
        if told := halves(line):
            facts, event = told
            batch.add_event(facts, event, line)
            trail.close(event["id"])
            return
        record = understand(line)
        kind = record["kind"]
        if kind == "result":
            batch.add_result(record, line)
        elif kind == "refusals":
            batch.add_refusals(record, line)
        elif kind != "intent":
            raise BadLine(f"The kind of the record, {kind!r}, is unknown.")
        trail.follow(record, line, segment.number)

    def _adopt(self, trail: Trail, batch: Batch, room: Room) -> None:
        """Make events of the calls that a dead process had under way; once there are none left, it has ended."""
        taken = list(trail.open.items())[: room.lines]
        if taken:
            logger.warning("Process %s died with %d calls under way; they are estimated", trail.process, len(taken))
        for call, (number, line) in taken:
            del trail.open[call]
            room.lines -= 1
            try:
                event = orphan(understand(line))
                self.rejects.check(event)
                batch.add_result(event)
            except MALFORMED as error:
                self.rejects.put(trail.places[number].segment, call, line, error)
        if not trail.open:
            trail.ended = True
            batch.ended.append(trail.process)
