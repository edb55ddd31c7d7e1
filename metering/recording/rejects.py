"""Lines that can never be recorded: kept beside their segment, counted, and told of in the log."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

from metering.records import BadLine, encode
from metering.spooling import Segment, put_aside

TOLD = 10
"""How many lines of a segment the log tells of."""

logger = logging.getLogger(__name__)


class Rejects:
    """What this recorder has put aside since its start, so that reading a line again does not count it again."""

    def __init__(self) -> None:
        self.bad = 0
        self.torn = 0
        self._poison: set[bytes] = set()
        self._seen: set[tuple[str, int | str]] = set()
        self._told: Counter[str] = Counter()

    def condemn(self, record: bytes | dict[str, Any]) -> None:
        """Note that PostgreSQL refuses this line, or this record that was made here, for what it is."""
        self._poison.add(_line(record))

    def check(self, record: bytes | dict[str, Any]) -> None:
        """Raise BadLine for what PostgreSQL has refused."""
        if self._poison and _line(record) in self._poison:
            raise BadLine("PostgreSQL refuses what it holds.")

    def put(self, segment: Segment, mark: int | str, line: bytes, reason: object) -> None:
        """Put aside a line of a segment; `mark` is its offset, or the id of its call."""
        if not self._first(segment, mark):
            return
        kept = put_aside(segment.path, line)
        self.bad += 1
        self._told[segment.name] += 1
        if self._told[segment.name] <= TOLD:
            logger.error("A line of the spool cannot be recorded, so it is put into %s: %r", kept, reason)
        if self._told[segment.name] == TOLD:
            logger.error("Further lines like this are put into %s without a word", kept)

    def tear(self, segment: Segment, offset: int, line: bytes) -> None:
        """Count a last line that its process did not live to finish."""
        if self._first(segment, offset):
            self.torn += 1
            logger.warning("%s ends in a torn line of %d bytes: its process died writing", segment.name, len(line))

    def _first(self, segment: Segment, mark: int | str) -> bool:
        key = (segment.name, mark)
        known = key in self._seen
        self._seen.add(key)
        return not known


def _line(record: bytes | dict[str, Any]) -> bytes:
    return record if isinstance(record, bytes) else encode(record)
