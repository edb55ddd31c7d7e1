"""What a workspace's calls cost, by client and model: plain rows, read from the daily rollups alone.

Money is in nano-USD, days are the workspace's own. The number of queries does not grow with the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet, Sum, TextField, Value
from django.db.models.functions import Coalesce, Concat

from metering.ledger import DailyUsage
from metering.periods import Period
from metering.sums import Sums, aggregates

SHOWN = {"client": 25, "model": 15}
"""How many rows of a table are named; the rest is summed."""


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
    before: Sums
    clients: Sequence[Row]
    other_clients: Row
    client_count: int
    unattributed: Row
    models: Sequence[Row]
    other_models: Row
    model_count: int


@dataclass(frozen=True, slots=True)
class Split:
    """A period's sums with and without a client, and how many of each there are."""

    attributed: Sums
    unattributed: Sums
    clients: int
    models: int

    @property
    def total(self) -> Sums:
        """Both together."""
        return self.attributed + self.unattributed


def daily(workspace_id: UUID, first: Period, *more: Period) -> QuerySet[DailyUsage, DailyUsage]:
    """The rollup rows of a workspace in one or several periods."""
    days = Q(day__range=(first.first, first.last))
    for period in more:
        days |= Q(day__range=(period.first, period.last))
    return DailyUsage.objects.filter(days, workspace_id=workspace_id)


def share(part: int, whole: int) -> Decimal | None:
    """A part of a cost, from 0 to 1; None where there is nothing to share."""
    return Decimal(part) / whole if whole else None


def overview(workspace_id: UUID, period: Period) -> Overview:
    """Who and what a period's money went to, against the period before it (4 queries)."""
    now, before = split(workspace_id, period), split(workspace_id, period.before)
    whole = now.total.cost
    clients = _dearest(workspace_id, period, whole, "client")
    models = _dearest(workspace_id, period, whole, "model", "provider")
    return Overview(
        period=period,
        total=now.total,
        before=before.total,
        clients=clients,
        other_clients=_rest(clients, now.attributed, before.attributed.cost, whole),
        client_count=now.clients,
        unattributed=_rest((), now.unattributed, before.unattributed.cost, whole),
        models=models,
        other_models=_rest(models, now.total, before.total.cost, whole),
        model_count=now.models,
    )


def dearest_clients(workspace_id: UUID, period: Period, limit: int) -> list[str]:
    """The slugs of the clients that a period cost most for (1 query)."""
    rows = daily(workspace_id, period).exclude(client="").values("client").annotate(sum=Sum("cost"))
    return [row["client"] for row in rows.order_by("-sum", "client")[:limit]]


def split(workspace_id: UUID, period: Period) -> Split:
    """A period with its unattributed calls told apart (1 query)."""
    models = Count(Concat("provider", Value("/"), "model", output_field=TextField()), distinct=True)
    row = daily(workspace_id, period).aggregate(
        **aggregates(Q(client__gt="")),
        **aggregates(Q(client=""), "none_"),
        clients=Count("client", filter=Q(client__gt=""), distinct=True),
        models=models,
    )
    return Split(Sums.of(row), Sums.of(row, "none_"), row["clients"], row["models"])


def _dearest(workspace_id: UUID, period: Period, whole: int, name: str, *names: str) -> list[Row]:
    """The dearest named groups of a period, each with what it cost in the period before (1 query)."""
    now = Q(day__range=(period.first, period.last))
    before = Q(day__range=(period.before.first, period.before.last))
    found = (
        daily(workspace_id, period, period.before)
        .exclude(**{name: ""})
        .values(name, *names)
        .annotate(**aggregates(now), before=Coalesce(Sum("cost", filter=before), 0))
        .filter(sum_calls__gt=0)
        .order_by("-sum_cost", "-sum_calls", name, *names)
    )
    return [_row(name, row, whole) for row in found[: SHOWN[name]]]


def _row(name: str, row: dict[str, Any], whole: int) -> Row:
    sums = Sums.of(row)
    return Row(row[name], sums, int(row["before"]), share(sums.cost, whole), row.get("provider", ""))


def _rest(shown: Sequence[Row], sums: Sums, before: int, whole: int) -> Row:
    """What is left of `sums` and of the cost `before` when the shown rows are taken out."""
    rest = sums - sum((row.sums for row in shown), Sums())
    return Row("", rest, before - sum(row.before for row in shown), share(rest.cost, whole))
