"""Appends adjustments to the ledger: events, rollups and budgets in the transaction that is open, as the recorder does.

An event never changes. What corrects one is an event of its own: at the same moment, of the same client, model and key,
with the difference as its cost, so that every sum stays a sum of events. Its id follows from the event and from what
corrects it, so that no correction is ever appended twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

import psycopg
from django.db import connection

from metering.cursors import EPOCH
from metering.ledger import UsageEvent
from metering.recording.batch import Batch
from metering.recording.late import ADJUSTMENT
from metering.recording.names import Names
from metering.recording.settlement import settle, share_workspaces
from metering.recording.writing import CHANNEL, TABLES, add_new, add_up

FACTS = "client key_name provider model requested_model endpoint stream test status http_status estimated tags".split()
"""What an adjustment has in common with the event that it corrects, as a result of the spool names it."""
MICROSECOND = timedelta(microseconds=1)

Record = dict[str, Any]


def correction(event: UsageEvent, cause: UUID, **changes: Any) -> Record:
    """An adjustment of an event, as a result of the spool: it counts nothing yet; `changes` say what it moves."""
    return {
        "kind": "result",
        "id": str(uuid5(event.id, str(cause))),
        "at": (event.admitted_at - EPOCH) // MICROSECOND,
        "workspace": str(event.workspace_id),
        "day": event.day.isoformat(),
        "key": str(event.key_id),
        "credential": event.credential_id and str(event.credential_id),
        **{name: getattr(event, name) for name in FACTS},
        "source": ADJUSTMENT,
        "usage": {},
        "provider_cost": None,
        "latency_ms": 0,
        "first_byte_ms": None,
        "basis": {"of": str(event.id), "by": str(cause)},
        **changes,
    }


def append(records: Sequence[Mapping[str, Any]]) -> list[Record]:
    """Add adjustments, in the caller's transaction; those that were really added, as some may have been there.

    Budgets' periods are locked until the transaction ends: make it the last that is done there.
    """
    batch = Batch()
    for record in records:
        batch.add_result(dict(record))
    if not batch.results:
        return []
    with _cursor() as cursor:
        cursor.execute(TABLES)
        cursor.execute("TRUNCATE arrived, more_daily_usage, more_daily_tag_usage")
        beyond = Names().admit(cursor, batch)
        share_workspaces(cursor, batch)
        add_new(cursor, batch)
        batch.tallies.fold(beyond)
        add_up(cursor, batch)
        settle(cursor, batch)
        for workspace in {record["workspace"] for record in batch.results}:
            cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, workspace])
    return batch.results


@contextmanager
def _cursor() -> Iterator[psycopg.Cursor[Any]]:
    """A plain cursor on Django's own connection, for the recorder's hands."""
    connection.ensure_connection()
    with psycopg.Cursor(connection.connection) as cursor:
        yield cursor
