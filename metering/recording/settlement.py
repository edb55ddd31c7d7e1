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
    from collections.abc import Mapping

    import psycopg

    from metering.recording.batch import Batch
    from metering.recording.tallies import Group, Parts

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
    workspaces = sorted({facts.workspace for facts, _, _ in batch.tallies.groups})
    if workspaces:
        cursor.execute(SHARE, [workspaces])


def settle(cursor: Cursor, batch: Batch) -> None:
    """Settle the batch's events and end the reservations of all its calls, also those recorded before.

    Last in the transaction: capped calls wait for the rows that are locked here.
    """
    ended = list(batch.calls)
    if batch.ended:  # what a dead process reserved without an intent was never sent
        ended += [call for (call,) in cursor.execute(NEVER_SENT, [batch.ended])]
        cursor.execute(FORGET, [batch.ended])
    costs = _costs(cursor, batch.tallies.groups)
    if ended or costs:
        budgets, starts = zip(*costs, strict=True) if costs else ((), ())
        # As one text: thousands of texts take psycopg longer to look at than PostgreSQL to read.
        cursor.execute(SETTLE, ["{" + ",".join(ended) + "}", list(budgets), list(starts), list(costs.values())])


def _costs(cursor: Cursor, groups: Mapping[Group, list[Parts]]) -> Counter[tuple[str, datetime]]:
    """Nano-USD by budget and beginning of the period."""
    costs: Counter[tuple[str, datetime]] = Counter()
    instants = [parts[-1] for calls in groups.values() for parts in calls]
    if not instants:
        return costs
    workspaces = list({facts.workspace for facts, _, _ in groups})
    values = [workspaces, moment(min(instants)), moment(max(instants))]
    periods: dict[Target, list[Period]] = {}
    for workspace, key, client, budget, starts, ends in cursor.execute(PERIODS, values):
        period = Period(budget, starts, _micros(starts), _micros(ends))
        periods.setdefault((workspace, key, client), []).append(period)
    for (facts, _, _), calls in groups.items():
        workspace = facts.workspace
        for target in ((workspace, None, None), (workspace, facts.key, None), (workspace, None, facts.client)):
            for period in periods.get(target, ()):
                spent = sum(cost for *_, cost, at in calls if period.since <= at < period.until)
                if spent:
                    costs[period.budget, period.starts] += spent
    return costs


def _micros(instant: datetime) -> int:
    """Microseconds since the epoch, exactly: periods begin and end on whole seconds."""
    return int(instant.timestamp()) * 1_000_000
