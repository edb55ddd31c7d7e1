"""What the product has written down, read with plain SQL and from its spool files: formats are known here, not code."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

EVENTS = """
SELECT id::text, model, input_tokens, cache_read_tokens, output_tokens, reasoning_tokens, cost, status, http_status,
       estimated
FROM usage_event WHERE tags->>'run' = %s
"""
SINCE = "SELECT count(*) FROM usage_event WHERE admitted_at > to_timestamp(%s) AND tags->>'run' = %s AND status = 'ok'"

RESERVED = "SELECT (SELECT coalesce(sum(reserved), 0)::bigint FROM budget_period), (SELECT count(*) FROM reservation)"


@dataclass(frozen=True, slots=True)
class Event:
    """One row of usage_event; `cost` in nano-USD, None where it is unknown."""

    id: str
    model: str
    input: int
    cached: int
    output: int
    reasoning: int
    cost: int | None
    status: str
    http_status: int
    estimated: bool


class Ledger:
    """The database at `place` (a libpq connection string), asked on a new connection each time: it gets killed."""

    def __init__(self, place: str) -> None:
        self.place = place

    def events(self, run: str) -> list[Event]:
        """All events of a run; twice what is there twice."""
        return [Event(*row) for row in self._ask(EVENTS, run)]

    def has_call_since(self, moment: float, run: str) -> bool:
        """Whether a call that was admitted after a moment (seconds since 1970) has its event; False also while away."""
        try:
            return bool(self._ask(SINCE, moment, run)[0][0])
        except psycopg.Error:
            return False

    def reserved(self) -> tuple[int, int]:
        """Nano-USD that all budgets hold for running calls, and the number of these calls."""
        return tuple(self._ask(RESERVED)[0])

    def unfinished(self, spool: Path) -> str:
        """What of a spool directory is not in the ledger yet, in words; '' when all of it is."""
        try:
            offsets = dict(self._ask('SELECT name, "offset" FROM spool_file'))
        except psycopg.Error as error:
            return str(error)
        for path in sorted(spool.glob("*.spool")):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                return f"{path.name} was deleted just now"
            if len(data) != offsets.get(path.name):
                return f"{path.name} is recorded to {offsets.get(path.name)} of {len(data)} bytes"
            if waiting := open_calls(data):
                return f"{path.name} has {len(waiting)} calls without a result"
        return ""

    def _ask(self, question: str, *values: object) -> list[Any]:
        with psycopg.connect(self.place, connect_timeout=5) as connection:
            return connection.execute(question.encode(), values).fetchall()


def records(data: bytes) -> list[dict[str, Any]]:
    """The records of spool lines (`<CRC-32 in hex> <JSON>`) whose checksum fits."""
    found = []
    for line in data.splitlines():
        text = line[9:]
        if line[:9] == b"%08x " % zlib.crc32(text):
            found.append(json.loads(text))
    return found


def line_of(record: dict[str, Any]) -> bytes:
    """A record as a whole spool line."""
    text = json.dumps(record, separators=(",", ":")).encode()
    return b"%08x %b\n" % (zlib.crc32(text), text)


def open_calls(data: bytes) -> set[str]:
    """The calls of a segment that are announced and have no result in it."""
    found: dict[str, set[str]] = {"intent": set(), "result": set()}
    for record in records(data):
        if record["kind"] in found:
            found[record["kind"]].add(record["id"])
    return found["intent"] - found["result"]
