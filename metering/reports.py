"""What a workspace's calls cost, by client and model: plain rows, read from the daily rollups alone.

Money is in nano-USD, days are the workspace's own. The number of queries does not grow with the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet, Sum

from metering.ledger import DailyUsage
from metering.periods import Period
from metering.sums import FIELDS, Sums

SHOWN = {"client": 25, "model": 15}
"""How many rows of a table are named; the rest is summed."""

_SUMS = ", ".join(f"coalesce(sum({name}) FILTER (WHERE now), 0)::bigint AS sum_{name}" for name in FIELDS)
OVERVIEW = f"""
WITH days AS (
    SELECT *, day BETWEEN %(first)s AND %(last)s AS now FROM daily_usage
    WHERE workspace_id = %(workspace)s
      AND (day BETWEEN %(first)s AND %(last)s OR day BETWEEN %(first_before)s AND %(last_before)s)
), groups AS (
    SELECT client, provider, model, grouping(client, model) AS kind, {_SUMS},
           coalesce(sum(calls) FILTER (WHERE NOT now), 0)::bigint AS calls_before,
           coalesce(sum(cost) FILTER (WHERE NOT now), 0)::bigint AS cost_before
    FROM days GROUP BY GROUPING SETS ((), (client), (provider, model))
), ranked AS (
    SELECT *, count(*) FILTER (WHERE sum_calls > 0) OVER (PARTITION BY kind) AS groups,
           row_number() OVER (PARTITION BY kind ORDER BY client = '' DESC, sum_cost DESC, sum_calls DESC,
                                                         client, model, provider) AS rank
    FROM groups
)
SELECT * FROM ranked WHERE rank <= CASE kind WHEN 1 THEN %(clients)s WHEN 2 THEN %(models)s ELSE 1 END ORDER BY rank
"""  # noqa: S608 - the columns are those of Sums
"""One pass over the rows of both periods. `kind`: 3 the whole, 1 a client (Unattributed first), 2 a model."""
WHOLE, CLIENT, MODEL = 3, 1, 2


@dataclass(frozen=True, slots=True)
class Row:
    """One client's or model's part of a period. `before` is the cost of the period before, `share` from 0 to 1."""

    name: str
    sums: Sums
    before: int
    share: Decimal | None
    provider: str = ""


@dataclass(frozen=True, slots=True)
class Overview:
    """A period of one workspace; `clients` and `models` are the dearest ones, `other_…` what the rest adds up to.

    total = clients + other_clients + unattributed = models + other_models, to the nano-dollar.
    """

    period: Period
    total: Sums
    calls_before: int
    cost_before: int
    clients: Sequence[Row]
    other_clients: Row
    client_count: int
    unattributed: Row
    models: Sequence[Row]
    other_models: Row
    model_count: int


def daily(workspace_id: UUID, period: Period) -> QuerySet[DailyUsage, DailyUsage]:
    """The rollup rows of a workspace's period."""
    return DailyUsage.objects.filter(workspace_id=workspace_id, day__range=(period.first, period.last))


def share(part: int, whole: int) -> Decimal | None:
    """A part of a cost, from 0 to 1; None where there is nothing to share."""
    return Decimal(part) / whole if whole else None


def overview(workspace_id: UUID, period: Period) -> Overview:
    """Who and what a period's money went to, against the period before it (1 query)."""
    rows = _read(workspace_id, period)
    whole = next(row for row in rows if row["kind"] == WHOLE)
    total, before = Sums.of(whole), whole["cost_before"]
    named = [row for row in rows if row["kind"] == CLIENT and row["sum_calls"]]
    clients = [_row(row, "client", total) for row in named if row["client"]][: SHOWN["client"]]
    nobody = next((_row(row, "client", total) for row in named if not row["client"]), Row("", Sums(), 0, None))
    models = [_row(row, "model", total) for row in rows if row["kind"] == MODEL and row["sum_calls"]]
    return Overview(
        period=period,
        total=total,
        calls_before=whole["calls_before"],
        cost_before=before,
        clients=clients,
        other_clients=_rest(total, before, [*clients, nobody]),
        client_count=_count(rows, CLIENT) - bool(nobody.sums.calls),
        unattributed=nobody,
        models=models,
        other_models=_rest(total, before, models),
        model_count=_count(rows, MODEL),
    )


def _read(workspace_id: UUID, period: Period) -> list[dict[str, Any]]:
    parameters: dict[str, Any] = {
        "workspace": workspace_id,
        "first": period.first,
        "last": period.last,
        "first_before": period.before.first,
        "last_before": period.before.last,
        "clients": SHOWN["client"] + 1,
        "models": SHOWN["model"],
    }
    with connection.cursor() as cursor:
        cursor.execute(OVERVIEW, parameters)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _row(row: Mapping[str, Any], name: str, total: Sums) -> Row:
    sums = Sums.of(row)
    return Row(row[name], sums, row["cost_before"], share(sums.cost, total.cost), row["provider"] or "")


def _rest(total: Sums, before: int, shown: Sequence[Row]) -> Row:
    """What is left of a period, and of the cost `before`, when the shown rows are taken out."""
    rest = total - sum((row.sums for row in shown), Sums())
    return Row("", rest, before - sum(row.before for row in shown), share(rest.cost, total.cost))


def _count(rows: Sequence[Mapping[str, Any]], kind: int) -> int:
    return next((int(row["groups"]) for row in rows if row["kind"] == kind), 0)


def dearest_clients(workspace_id: UUID, period: Period, limit: int) -> list[str]:
    """The slugs of the clients that a period cost most for (1 query)."""
    rows = daily(workspace_id, period).exclude(client="").values("client").annotate(sum=Sum("cost"))
    return [row["client"] for row in rows.order_by("-sum", "client")[:limit]]
