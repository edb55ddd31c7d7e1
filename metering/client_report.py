"""What one client's calls of a period cost, by model and by key, and how many were refused; from the rollups alone.

Money is in nano-USD. The number of queries does not grow with the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Max, Q, Sum

from billing.money import rounded
from metering import selection
from metering.filters import EventFilter
from metering.ledger import DailyRefusals, UsageEvent
from metering.models import ApiKey, Client
from metering.periods import Period
from metering.reports import daily, share
from metering.snapshot import snapshot
from metering.sums import Sums, grouped, total

MODELS = 10
"""How many models are named; the rest is summed."""
BY_BUDGET = ("budget_exhausted", "request_exceeds_budget", "budget_reserved")


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model's part: its `share` of the cost and how it compares to the dearest, `bar`, both from 0 to 1.

    `name` is empty for the rest.
    """

    provider: str
    name: str
    sums: Sums
    share: Decimal | None
    bar: Decimal | None

    @property
    def width(self) -> str:
        """The bar in per cent, as text."""
        return f"{rounded((self.bar or Decimal()) * 100, 1):f}"


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key that is bound to the client, or has called for it: what it cost and when it last called, in UTC."""

    key: ApiKey
    cost: int
    unpriced: int
    last_call_at: datetime | None


@dataclass(frozen=True, slots=True)
class ClientReport:
    """A client's period; `before` is the cost of the period before, `refused_by_budget` a part of `refused`."""

    period: Period
    total: Sums
    calls_before: int
    before: int
    models: Sequence[ModelRow]
    model_count: int
    keys: Sequence[KeyRow]
    refused: int
    refused_by_budget: int

    @property
    def cached(self) -> Decimal | None:
        """The part of the input tokens that came from a cache."""
        return share(self.total.cache_read_tokens, self.total.input_tokens)


def client_report(client: Client, period: Period) -> ClientReport:
    """All of it, of one moment (5 queries)."""
    rows = daily(client.workspace_id, period).filter(client=client.slug)
    with snapshot():
        models = grouped(rows, "provider", "model")
        before = total(daily(client.workspace_id, period.before).filter(client=client.slug))
        refused = _refused(client, period)
        keys = _keys(client, period)
    whole = sum((sums for _, sums in models), Sums())
    return ClientReport(
        period=period,
        total=whole,
        calls_before=before.calls,
        before=before.cost,
        models=_models([(row["provider"], row["model"], sums) for row, sums in models], whole),
        model_count=len(models),
        keys=keys,
        refused=sum(refused.values()),
        refused_by_budget=sum(refused.get(code, 0) for code in BY_BUDGET),
    )


def last_calls(client: Client, period: Period, count: int) -> Sequence[UsageEvent]:
    """The latest of its calls, newest first (at most 2 queries); the rollups tell on which days to look.

    Raises `selection.TooMuch` where one of those days holds too many calls of others to go through.
    """
    rows = daily(client.workspace_id, period).filter(client=client.slug).values("day").annotate(sum=Sum("calls"))
    needed, days = count, []
    for row in rows.filter(sum__gt=0).order_by("-day")[:count]:
        days.append(row["day"])
        needed -= row["sum"]
        if needed <= 0:
            break
    if not days:
        return []
    chosen = EventFilter(Period(days[-1], days[0]), client=client.slug)
    return selection.page(client.workspace_id, chosen, size=count).events


def _models(found: Sequence[tuple[str, str, Sums]], whole: Sums) -> list[ModelRow]:
    named, rest = list(found[:MODELS]), found[MODELS:]
    if rest:
        named.append(("", "", sum((sums for *_, sums in rest), Sums())))
    dearest = max((sums.cost for *_, sums in named), default=0)
    return [
        ModelRow(provider, name, sums, share(sums.cost, whole.cost), share(sums.cost, dearest))
        for provider, name, sums in named
    ]


def _keys(client: Client, period: Period) -> list[KeyRow]:
    """The keys in use that are bound to it and those that called for it, the dearest first (2 queries)."""
    rows = daily(client.workspace_id, period).filter(client=client.slug).values("key_id")
    sums = rows.annotate(of_cost=Sum("cost"), of_unpriced=Sum("unpriced"), last=Max("last_call_at"))
    used: dict[UUID, tuple[int, int, datetime]] = {
        row["key_id"]: (int(row["of_cost"]), int(row["of_unpriced"]), row["last"]) for row in sums
    }
    meant = Q(id__in=used) | Q(client=client, revoked_at=None)
    keys = ApiKey.objects.filter(meant, workspace=client.workspace_id)
    found = [KeyRow(key, *used.get(key.pk, (0, 0, None))) for key in keys]
    return sorted(found, key=lambda row: (-row.cost, row.key.name, row.key.pk))


def _refused(client: Client, period: Period) -> dict[str, int]:
    """Refused calls by code."""
    days = (period.first, period.last)
    rows = DailyRefusals.objects.filter(workspace_id=client.workspace_id, client=client.slug, day__range=days)
    return {row["code"]: int(row["sum"]) for row in rows.values("code").annotate(sum=Sum("calls"))}
