"""What providers say that calls cost, beside what the price book says: the only check of a price that there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection

from billing.money import to_nano
from metering.periods import Period
from metering.selection import FURTHEST_ZONE, bounded

QUERY = """
SELECT provider, model, count(*), count(ours), coalesce(sum(ours), 0),
    coalesce(sum(provider_cost) FILTER (WHERE ours IS NOT NULL), 0)::bigint, sum(provider_cost)::bigint
FROM (
    SELECT provider, model, provider_cost, CASE WHEN price_version <> '' THEN
        coalesce((SELECT sum((line->>3)::numeric) FROM jsonb_array_elements(lines) line), 0) END AS ours
    FROM usage_event
    WHERE workspace_id = %s AND admitted_at >= %s AND admitted_at < %s AND day BETWEEN %s AND %s
        AND provider_cost IS NOT NULL AND source <> 'adjustment'
) told
GROUP BY provider, model
"""


@dataclass(frozen=True, slots=True)
class Compared:
    """A model's calls with a cost that the provider reported; of them `known` have a price of ours as well.

    `ours` and `theirs` are the nano-USD of the known ones, `all_theirs` of all.
    """

    provider: str
    model: str
    calls: int
    known: int
    ours: int
    theirs: int
    all_theirs: int

    @property
    def difference(self) -> int:
        """What the provider charges beyond the price book."""
        return self.theirs - self.ours

    @property
    def share(self) -> Decimal | None:
        """The difference as a share of ours."""
        return Decimal(self.difference) / self.ours if self.ours else None


def compared(workspace_id: UUID, period: Period) -> Sequence[Compared]:
    """The models of a period, the largest difference first (1 query). Raises `metering.selection.TooMuch`."""
    since, until = period.bounds(ZoneInfo("UTC"))
    values: list[Any] = [workspace_id, since - FURTHEST_ZONE, until + FURTHEST_ZONE, period.first, period.last]
    with bounded(), connection.cursor() as cursor:
        cursor.execute(QUERY, values)
        rows = cursor.fetchall()
    found = [
        Compared(provider, model, calls, known, to_nano(ours), theirs, told)
        for provider, model, calls, known, ours, theirs, told in rows
    ]
    return sorted(found, key=lambda one: (-abs(one.difference), one.provider, one.model))
