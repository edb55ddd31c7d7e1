"""The recorder's hands in PostgreSQL: one batch, one transaction."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

import psycopg

from metering.partitions import ahead, make_partitions
from metering.recording.batch import Batch
from metering.recording.binary import HEAD, TAIL, Malformed
from metering.recording.facts import facts_of
from metering.recording.late import adjustments
from metering.recording.names import Names
from metering.recording.rows import COLUMNS, moment, row
from metering.recording.settlement import settle, share_workspaces
from metering.recording.tallies import SUMS, TAGS, USAGE, rows
from metering.recording.told import drop_told_before

CHANNEL = "tokonomics_recorded"
"""Notified with the id of each workspace that got something new."""

CHUNK = 1000
PIECE = 500
"""How many rows are sent at once, of half a kilobyte each."""

BEGIN = """
SET lock_timeout = '10s';
SET idle_in_transaction_session_timeout = '60s';
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
"""
TABLES = """
CREATE TEMP TABLE IF NOT EXISTS arrived (LIKE usage_event) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS more_daily_usage (LIKE daily_usage) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS more_daily_tag_usage (LIKE daily_tag_usage) ON COMMIT DELETE ROWS;
"""
"""Where rows wait within a transaction; `add_new` and `add_up` need them."""
REGISTER = """
INSERT INTO spool_file (name, "offset", updated_at) SELECT name, 0, now() FROM unnest(%s::text[]) name
ON CONFLICT DO NOTHING
"""
ADVANCE = """
UPDATE spool_file SET "offset" = moved.target, updated_at = now()
FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS moved (name, start, target)
WHERE spool_file.name = moved.name AND spool_file."offset" = moved.start
"""
SETTLED = """
SELECT event.id::text FROM usage_event event
JOIN unnest(%s::timestamptz[], %s::uuid[]) AS wanted (at, id) ON event.admitted_at = wanted.at AND event.id = wanted.id
WHERE event.admitted_at BETWEEN %s AND %s
"""
INSERT_NEW = (
    f"INSERT INTO usage_event ({COLUMNS}) SELECT {COLUMNS} FROM arrived ON CONFLICT DO NOTHING RETURNING id::text"  # noqa: S608
)
REFUSALS = """
INSERT INTO daily_refusals AS known (workspace_id, day, client, key_id, code, calls)
SELECT * FROM unnest(%s::uuid[], %s::date[], %s::text[], %s::uuid[], %s::text[], %s::bigint[])
ON CONFLICT (workspace_id, day, client, key_id, code) DO UPDATE SET calls = known.calls + excluded.calls
"""


class Stale(Exception):
    """The ledger has more, or less, of a segment than was thought: another recorder was here. Begin anew."""


def _upsert(table: str, keys: str) -> str:
    columns = f"{keys}, {', '.join(SUMS)}, last_call_at"
    sums = ", ".join(f"{name} = known.{name} + excluded.{name}" for name in SUMS)
    return (
        f"INSERT INTO {table} AS known ({columns}) SELECT {columns} FROM more_{table} "  # noqa: S608
        f"ON CONFLICT ({keys}) DO UPDATE SET {sums}, last_call_at = greatest(known.last_call_at, excluded.last_call_at)"
    )


ROLLUPS = {
    "daily_usage": "workspace_id, day, client, provider, model, key_id",
    "daily_tag_usage": "workspace_id, day, tag_key, tag_value",
}
UPSERTS = {table: _upsert(table, keys) for table, keys in ROLLUPS.items()}


class Ledger:
    """One connection, and what it has learnt. Any error leaves it useless: close it and make another."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        self.connection = psycopg.connect(**{**parameters, "application_name": "tokonomics recorder"}, autocommit=True)
        self.connection.execute(BEGIN + TABLES)
        self.names = Names()
        self.days: set[date] = set()
        """Days, in UTC, that have a partition."""

    def close(self) -> None:
        """Hang up, whatever state the connection is in."""
        with contextlib.suppress(psycopg.Error):
            self.connection.close()

    def offsets(self, names: list[str]) -> dict[str, int]:
        """How far each segment is recorded; one that is new here gets its row."""
        self.connection.execute(REGISTER, [names])
        found = self.connection.execute('SELECT name, "offset" FROM spool_file WHERE name = ANY(%s)', [names])
        return dict(found.fetchall())

    def settled(self, intents: Iterable[dict[str, Any]]) -> set[str]:
        """Which of these calls have their event, by id."""
        found: set[str] = set()
        waiting = iter(intents)
        while some := list(islice(waiting, CHUNK)):
            moments = [moment(intent["at"]) for intent in some]
            wanted = [moments, [intent["id"] for intent in some], min(moments), max(moments)]
            found.update(identifier for (identifier,) in self.connection.execute(SETTLED, wanted))
        return found

    def make_ahead(self) -> None:
        """Make the partitions of this month and the next ones."""
        with self.connection.transaction(), self.connection.cursor() as cursor:
            make_partitions(cursor, ahead(datetime.now(UTC).date()))

    def record(self, batch: Batch) -> None:
        """Add a batch, all of it or nothing. Raises Stale, or psycopg.Error."""
        self._make_partitions(batch)
        with self.connection.transaction(), self.connection.cursor() as cursor:
            self._advance(cursor, batch.moves)
            beyond = self.names.admit(cursor, batch)
            share_workspaces(cursor, batch)
            drop_told_before(cursor, batch)
            if batch.rows:
                self._insert(cursor, batch)
                batch.tallies.fold(beyond)
                self._add_up(cursor, batch)
            if batch.refusals:
                keys = sorted(batch.refusals)
                cursor.execute(REFUSALS, [*map(list, zip(*keys, strict=True)), [batch.refusals[key] for key in keys]])
            settle(cursor, batch)
            workspaces = {facts.workspace for facts, _, _ in batch.tallies.groups} | {key[0] for key in batch.refusals}
            cursor.execute(
                "SELECT pg_notify(%s, workspace) FROM unnest(%s::text[]) workspace", [CHANNEL, list(workspaces)]
            )

    def _make_partitions(self, batch: Batch) -> None:
        days = batch.days - self.days
        if days:
            with self.connection.transaction(), self.connection.cursor() as cursor:
                make_partitions(cursor, days)
            self.days |= days

    def _advance(self, cursor: psycopg.Cursor[Any], moves: dict[str, tuple[int, int]]) -> None:
        """Take the turn: whoever else has the same lines waits here, and then finds them recorded."""
        starts, targets = [start for start, _ in moves.values()], [target for _, target in moves.values()]
        if cursor.execute(ADVANCE, [list(moves), starts, targets]).rowcount != len(moves):
            raise Stale("The spool is recorded further than this recorder knew")

    def _insert(self, cursor: psycopg.Cursor[Any], batch: Batch) -> None:
        """Add the events; a batch in which all are new, which is nearly every one, needs no second look at them."""
        try:
            with self.connection.transaction():
                _copy(cursor, "usage_event", COLUMNS, batch.rows)
        except psycopg.errors.UniqueViolation:
            add_new(cursor, batch)

    def _add_up(self, cursor: psycopg.Cursor[Any], batch: Batch) -> None:
        add_up(cursor, batch)


def add_new(cursor: psycopg.Cursor[Any], batch: Batch) -> None:
    """Insert what is not there yet, and correct the estimates that stand in the place of an exact result."""
    _copy(cursor, "arrived", COLUMNS, batch.rows)
    inserted = {identifier for (identifier,) in cursor.execute(INSERT_NEW)}
    late = adjustments(cursor, [result for result in batch.results if result["id"] not in inserted])
    if late:
        cursor.execute("TRUNCATE arrived")
        _copy(cursor, "arrived", COLUMNS, [row(facts_of(event), event) for event in late])
        inserted |= {identifier for (identifier,) in cursor.execute(INSERT_NEW)}
    batch.keep(inserted, late)


def add_up(cursor: psycopg.Cursor[Any], batch: Batch) -> None:
    """Add to the rollups what the batch holds now."""
    tallies = batch.tallies
    for table, kinds, tally in (("daily_usage", USAGE, tallies.usage), ("daily_tag_usage", TAGS, tallies.tags)):
        try:
            added = rows(kinds, tally)
        except Malformed as error:
            raise psycopg.errors.NumericValueOutOfRange("The calls of a batch sum up to more than fits.") from error
        _copy(cursor, f"more_{table}", f"{ROLLUPS[table]}, {', '.join(SUMS)}, last_call_at", added)
        cursor.execute(UPSERTS[table])


def _copy(cursor: psycopg.Cursor[Any], table: str, columns: str, lines: list[bytes]) -> None:
    """Send rows in pieces: while the server reads one, the next is on its way."""
    with cursor.copy(f"COPY {table} ({columns}) FROM STDIN (FORMAT binary)") as copy:
        copy.write(HEAD)
        for start in range(0, len(lines), PIECE):
            copy.write(b"".join(lines[start : start + PIECE]))
        copy.write(TAIL)
