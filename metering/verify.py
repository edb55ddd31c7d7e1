"""Whether the ledger agrees with itself: events, summed anew, against the rollups that pages and statements read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from metering.recording.late import ADJUSTMENT, PRICED
from metering.recording.names import LIMIT
from metering.recording.tallies import OTHER, SUMS

COLUMNS = (*SUMS, "last_call_at")
TAG_KEY = ("workspace_id", "day", "tag_key", "tag_value")
USAGE_KEY = ("workspace_id", "day", "client", "provider", "model", "key_id")

CALL = f"source <> '{ADJUSTMENT}'"
"""An adjustment only moves tokens and cost, or takes a call out of the unpriced ones."""

COUNTED = f"""
    count(*) FILTER (WHERE {CALL}) AS calls,
    count(*) FILTER (WHERE {CALL} AND status = 'provider_error') AS errors,
    count(*) FILTER (WHERE {CALL} AND cost IS NULL)
        - count(*) FILTER (WHERE NOT {CALL} AND jsonb_exists(flags, '{PRICED}')) AS unpriced,
    count(*) FILTER (WHERE {CALL} AND estimated) AS estimated,
    sum(input_tokens) AS input_tokens,
    sum(cache_read_tokens) AS cache_read_tokens,
    sum(cache_write_tokens) AS cache_write_tokens,
    sum(output_tokens) AS output_tokens,
    sum(reasoning_tokens) AS reasoning_tokens,
    coalesce(sum(cost), 0) AS cost,
    max(admitted_at) AS last_call_at
"""
ADDED = ", ".join([*(f"sum(named.{name}) AS {name}" for name in SUMS), "max(named.last_call_at) AS last_call_at"])

BY_USAGE = f"""
SELECT {", ".join(USAGE_KEY)}, {COUNTED} FROM usage_event WHERE {{events}} GROUP BY {", ".join(USAGE_KEY)}
"""  # noqa: S608

# A value beyond the limit is in the row of `other`: one that has no row of its own, of a tag with as many as may be.
BY_TAG = f"""
SELECT workspace_id, day, tag_key,
    CASE WHEN known.tag_value IS NULL AND crowded.rows >= {LIMIT} THEN '{OTHER}' ELSE named.tag_value END AS tag_value,
    {ADDED}
FROM (
    SELECT workspace_id, day, tag.key AS tag_key, tag.value AS tag_value, {COUNTED}
    FROM usage_event CROSS JOIN LATERAL jsonb_each_text(tags) AS tag
    WHERE {{events}} GROUP BY workspace_id, day, tag.key, tag.value
) named
LEFT JOIN daily_tag_usage known USING (workspace_id, day, tag_key, tag_value)
LEFT JOIN (
    SELECT workspace_id, day, tag_key, count(*) AS rows FROM daily_tag_usage
    WHERE {{rollup}} AND tag_value <> '{OTHER}' GROUP BY workspace_id, day, tag_key
) crowded USING (workspace_id, day, tag_key)
GROUP BY 1, 2, 3, 4
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Difference:
    """A row of a rollup that is not what its events add up to: by column, what the events say and what the row says.

    A side that has no such row says None everywhere. Money is in nano-USD.
    """

    table: str
    key: Mapping[str, Any]
    columns: Mapping[str, tuple[Any, Any]]

    @property
    def workspace_id(self) -> UUID:
        """Whose row it is."""
        found: UUID = self.key["workspace_id"]
        return found

    def __str__(self) -> str:
        place = ", ".join(f"{name} {str(value) or '(none)'}" for name, value in self.key.items())
        return f"{self.table} of {place}: {self._said()}"

    def _said(self) -> str:
        events, row = self.columns.get("calls", (0, 0))
        if row is None:
            return f"{events} calls, but no row"
        if events is None:
            return f"a row of {row} calls, but no events"
        return "; ".join(f"{name} is {row}, its events say {events}" for name, (events, row) in self.columns.items())


@dataclass(frozen=True, slots=True)
class Summary:
    """What daily_usage holds; `cost` in nano-USD."""

    calls: int
    cost: int
    rows: int


@dataclass(frozen=True, slots=True)
class Scope:
    """What is looked at: days of the workspaces from `since` on, and one workspace, unless these are None."""

    since: date | None = None
    workspace_id: UUID | None = None

    def rollup(self) -> str:
        """The condition on a rollup, with named parameters."""
        conditions = ["TRUE"]
        if self.since is not None:
            conditions.append("day >= %(since)s")
        if self.workspace_id is not None:
            conditions.append("workspace_id = %(workspace)s")
        return " AND ".join(conditions)

    def events(self) -> str:
        """The condition on events: a day begins at most 14 hours before it does in UTC, which spares older months."""
        return self.rollup() + ("" if self.since is None else " AND admitted_at >= %(instant)s")

    def values(self) -> dict[str, Any]:
        """The named parameters."""
        day = self.since or date.min
        instant = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=14 if self.since else 0)
        return {"since": day, "workspace": self.workspace_id, "instant": instant}


def differences(scope: Scope) -> Iterator[Difference]:
    """Every row of the rollups that differs from its events. Inside a `snapshot` this is exact under traffic."""
    for table, key, query in (("daily_usage", USAGE_KEY, BY_USAGE), ("daily_tag_usage", TAG_KEY, BY_TAG)):
        yield from _compare(table, key, query, scope)


def summary(scope: Scope) -> Summary:
    """The calls and the cost that were compared."""
    query = f"SELECT coalesce(sum(calls), 0), coalesce(sum(cost), 0), count(*) FROM daily_usage WHERE {scope.rollup()}"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(query, scope.values())
        calls, cost, rows = cursor.fetchall()[0]
    return Summary(int(calls), int(cost), rows)


def _compare(table: str, key: Sequence[str], query: str, scope: Scope) -> Iterator[Difference]:
    sides = [f"{side}.{name}" for name in COLUMNS for side in ("events", "rollup")]
    unequal = " OR ".join(f"events.{name} IS DISTINCT FROM rollup.{name}" for name in COLUMNS)
    joined = f"""
    SELECT {", ".join([*key, *sides])}
    FROM ({query.format(events=scope.events(), rollup=scope.rollup())}) events
    FULL JOIN (SELECT * FROM {table} WHERE {scope.rollup()}) rollup USING ({", ".join(key)})
    WHERE {unequal} ORDER BY {", ".join(key)}
    """  # noqa: S608
    with connection.chunked_cursor() as cursor:
        cursor.execute(joined, scope.values())
        for row in cursor:
            pairs = zip(row[len(key) :: 2], row[len(key) + 1 :: 2], strict=True)
            told = {name: pair for name, pair in zip(COLUMNS, pairs, strict=True) if pair[0] != pair[1]}
            yield Difference(table, dict(zip(key, row, strict=False)), told)
