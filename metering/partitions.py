"""The months of `usage_event`: each is a partition, made before the first call of that month needs it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, Protocol

LOCK = 7214410
"""PostgreSQL advisory lock: one session at a time makes partitions."""

MONTHS_AHEAD = 2


class Cursor(Protocol):
    """A cursor of psycopg or of Django."""

    def execute(self, query: Any, params: Any = None) -> Any: ...
    def fetchall(self) -> Any: ...


def name_of(month: date) -> str:
    """The partition of a month, such as usage_event_2026_11."""
    return f"usage_event_{month:%Y_%m}"


def following(month: date) -> date:
    """The first day of the next month."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def ahead(today: date) -> list[date]:
    """The month of a day in UTC and those that must be there before they begin."""
    months = [today.replace(day=1)]
    for _ in range(MONTHS_AHEAD):
        months.append(following(months[-1]))
    return months


def make_partitions(cursor: Cursor, months: Iterable[date]) -> list[str]:
    """Make the partitions of these months (any day of them) that are missing, and return their names.

    Safe to run at the same time anywhere; holds its lock until the transaction ends. A new partition is made apart and
    then attached, since to create it in place would stop everybody who reads or writes events.
    """
    wanted = {name_of(month): month.replace(day=1) for month in months}
    if not set(wanted) - existing(cursor):
        return []
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    missing = sorted(set(wanted) - existing(cursor))
    for name in missing:
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {name} (LIKE usage_event INCLUDING ALL)")
        cursor.execute(f"ALTER TABLE usage_event ATTACH PARTITION {name} FOR VALUES {_bounds(wanted[name])}")
    return missing


def existing(cursor: Cursor) -> set[str]:
    """The names of all partitions."""
    cursor.execute(
        "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'usage_event'::regclass"
    )
    return {name for (name,) in cursor.fetchall()}


def _bounds(month: date) -> str:
    return f"FROM ('{month} 00:00+00') TO ('{following(month)} 00:00+00')"
