"""What a batch of events does to budgets: its costs are settled, and what its calls had reserved is free again.

Periods are never made here: whoever opens one sums up the events so far, alone with the workspace's advisory lock,
which every recorder shares from before it adds events to its commit. So an event is in the first sum or a later one.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from metering.recording.rows import moment

if TYPE_CHECKING:
    import psycopg

    from metering.recording.batch import Batch

    Cursor = psycopg.Cursor[Any]

SHARE = """
SELECT pg_advisory_xact_lock_shared(number)
FROM (SELECT DISTINCT workspace_lock(workspace) AS number FROM unnest(%s::uuid[]) workspace ORDER BY 1) AS ordered
"""
PERIODS = """
SELECT p.workspace_id::text, b.key_id::text, c.slug, p.budget_id::text, p.starts_at, p.ends_at
FROM budget_period p
JOIN metering_budget b ON b.id = p.budget_id
LEFT JOIN metering_client c ON c.id = b.client_id
WHERE p.workspace_id = ANY(%s::uuid[]) AND p.ends_at > %s AND p.starts_at <= %s
"""
NEVER_SENT = "SELECT id::text FROM reservation WHERE process = ANY(%s::uuid[])"
FORGET = "DELETE FROM gateway_process WHERE id = ANY(%s::uuid[])"
SETTLE = "SELECT settle_budgets(%s::uuid[], %s::uuid[], %s::timestamptz[], %s::bigint[])"

Target = tuple[str, str | None, str | None]
"""A workspace, and in it one key, or one client's slug, or neither."""


class Period(NamedTuple):
    """A budget's month; `since` and `until` are its bounds in microseconds since 1970."""

    budget: str
    starts: datetime
    since: int
    until: int


def share_workspaces(cursor: Cursor, batch: Batch) -> None:
    """Keep periods of the batch's workspaces from being opened until its transaction ends."""
    workspaces = sorted({result["workspace"] for result in batch.results})
    if workspaces:
        cursor.execute(SHARE, [workspaces])


def settle(cursor: Cursor, batch: Batch) -> None:
    """Settle the batch's events and end the reservations of all its calls, also those recorded before.

    Last in the transaction: capped calls wait for the rows that are locked here.
    """
    ended = [record["id"] for record in batch.records if record["kind"] == "result"]
    if batch.ended:  # what a dead process reserved without an intent was never sent
        ended += [call for (call,) in cursor.execute(NEVER_SENT, [batch.ended])]
        cursor.execute(FORGET, [batch.ended])
    costs = _costs(cursor, batch.results) if batch.results else Counter()
    if ended or costs:
        budgets, starts = zip(*costs, strict=True) if costs else ((), ())
        cursor.execute(SETTLE, [ended, list(budgets), list(starts), list(costs.values())])


def _costs(cursor: Cursor, results: list[dict[str, Any]]) -> Counter[tuple[str, datetime]]:
    """Nano-USD by budget and beginning of the period."""
    instants = [result["at"] for result in results]
    workspaces = list({result["workspace"] for result in results})
    values = [workspaces, moment(min(instants)), moment(max(instants))]
    periods: dict[Target, list[Period]] = {}
    for workspace, key, client, budget, starts, ends in cursor.execute(PERIODS, values):
        period = Period(budget, starts, _micros(starts), _micros(ends))
        periods.setdefault((workspace, key, client), []).append(period)
    costs: Counter[tuple[str, datetime]] = Counter()
    if not periods:
        return costs
    for result in results:
        workspace, at = result["workspace"], result["at"]
        for target in ((workspace, None, None), (workspace, result["key"], None), (workspace, None, result["client"])):
            for period in periods.get(target, ()):
                if result["cost"] and period.since <= at < period.until:
                    costs[period.budget, period.starts] += result["cost"]
    return costs


def _micros(instant: datetime) -> int:
    """Microseconds since the epoch, exactly: periods begin and end on whole seconds."""
    return int(instant.timestamp()) * 1_000_000
