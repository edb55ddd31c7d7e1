"""Whether budgets agree with the ledger: the settled with the events, the reserved with the open reservations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from metering.verify import Scope

HELD = """
SELECT part.budget, part.starts, sum(held.amount)::bigint AS amount
FROM reservation held, unnest(held.budgets, held.starts) AS part (budget, starts) GROUP BY 1, 2
"""
SPENT = """
SELECT coalesce(sum(event.cost), 0)::bigint FROM usage_event event
WHERE event.workspace_id = period.workspace_id
    AND event.admitted_at >= period.starts_at AND event.admitted_at < period.ends_at
    AND (budget.key_id IS NULL OR event.key_id = budget.key_id)
    AND (client.slug IS NULL OR event.client = client.slug)
"""
PERIODS = f"""
SELECT period.workspace_id, period.budget_id, period.starts_at,
    period.settled, ({SPENT}) AS spent, period.reserved, coalesce(held.amount, 0) AS held
FROM budget_period period
JOIN metering_budget budget ON budget.id = period.budget_id
LEFT JOIN metering_client client ON client.id = budget.client_id
LEFT JOIN ({HELD}) held ON held.budget = period.budget_id AND held.starts = period.starts_at
WHERE (%(workspace)s::uuid IS NULL OR period.workspace_id = %(workspace)s)
    AND (%(instant)s::timestamptz IS NULL OR period.ends_at > %(instant)s)
"""  # noqa: S608
UNEQUAL = f"SELECT * FROM ({PERIODS}) found WHERE settled <> spent OR reserved <> held ORDER BY 1, 2, 3"  # noqa: S608


@dataclass(frozen=True, slots=True)
class BudgetDifference:
    """A period whose figures are not what the ledger adds up to; all in nano-USD."""

    workspace_id: UUID
    budget_id: UUID
    starts_at: datetime
    settled: int
    spent: int
    reserved: int
    held: int

    def __str__(self) -> str:
        told = []
        if self.settled != self.spent:
            told.append(f"settled is {self.settled}, its events say {self.spent}")
        if self.reserved != self.held:
            told.append(f"reserved is {self.reserved}, its reservations say {self.held}")
        return f"budget {self.budget_id} from {self.starts_at.isoformat()}: {'; '.join(told)}"


def budget_differences(scope: Scope) -> Iterator[BudgetDifference]:
    """Every period that differs. Inside a `snapshot` it is exact under traffic: both sides move in one transaction."""
    with connection.cursor() as cursor:
        cursor.execute(UNEQUAL, _values(scope))
        yield from [BudgetDifference(*row) for row in cursor.fetchall()]


def budget_periods(scope: Scope) -> int:
    """How many periods were compared."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({PERIODS}) found", _values(scope))  # noqa: S608
        return int(cursor.fetchall()[0][0])


def _values(scope: Scope) -> dict[str, Any]:
    values = scope.values()
    return {"workspace": scope.workspace_id, "instant": values["instant"] if scope.since else None}
