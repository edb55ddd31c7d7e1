"""Makes rollups and budgets anew from the events, while calls go on.

A workspace's rows are replaced in one transaction that holds its advisory lock alone. Recorders share that lock while
they add events, so that none comes between the events that are summed and the sums that are written.
"""

from __future__ import annotations

from uuid import UUID

from django.db import connection, transaction

from metering.verify import BY_TAG, BY_USAGE, COLUMNS, TAG_KEY, USAGE_KEY, Scope
from metering.verify_budgets import HELD, PERIODS

ROLLUPS = (("daily_usage", USAGE_KEY, BY_USAGE), ("daily_tag_usage", TAG_KEY, BY_TAG))
SPENT = f"CREATE TEMP TABLE sums ON COMMIT DROP AS SELECT budget_id, starts_at, spent FROM ({PERIODS}) found"  # noqa: S608
LOCK_PERIODS = """
SELECT FROM budget_period WHERE workspace_id = %s ORDER BY budget_id, starts_at FOR UPDATE
"""
BUDGETS = f"""
UPDATE budget_period period
SET settled = sums.spent, reserved = coalesce(
    (SELECT amount FROM ({HELD}) held WHERE held.budget = period.budget_id AND held.starts = period.starts_at), 0
)
FROM sums WHERE period.budget_id = sums.budget_id AND period.starts_at = sums.starts_at
"""  # noqa: S608


def repair(workspace_id: UUID, scope: Scope) -> None:
    """Replace the rollups of a workspace in the scope's days, and set its budget periods right."""
    scope = Scope(scope.since, workspace_id)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(workspace_lock(%s))", [workspace_id])
        for table, key, query in ROLLUPS:
            columns = ", ".join([*key, *COLUMNS])
            events = query.format(events=scope.events(), rollup=scope.rollup())
            cursor.execute(f"CREATE TEMP TABLE anew ON COMMIT DROP AS {events}", scope.values())
            cursor.execute(f"DELETE FROM {table} WHERE {scope.rollup()}", scope.values())  # noqa: S608
            cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM anew")  # noqa: S608
            cursor.execute("DROP TABLE anew")
        # Capped calls wait for locked periods: events, of which none can come now, are summed before.
        cursor.execute(SPENT, {"workspace": workspace_id, "instant": None})
        cursor.execute(LOCK_PERIODS, [workspace_id])
        cursor.execute(BUDGETS)
