"""The models whose calls have no price to this day, as the rollups count them."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count, F, Max, Min, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from billing.closing import closed_until
from metering import clock
from metering.ledger import DailyUsage
from metering.periods import DAY, LONGEST, Period
from tokonomics.models import Workspace

TOKENS = F("input_tokens") + F("output_tokens")
WHOLLY = Q(unpriced=F("calls"))
"""A row whose calls are unpriced, every one: what it counts is all theirs."""


def span_of(workspace: Workspace) -> Period:
    """The days that are looked at: as many as a report takes."""
    today = clock.today(workspace)
    return Period(today - DAY * (LONGEST - 1), today)


def unpriced_models(workspace: Workspace) -> QuerySet[DailyUsage, Any]:
    """A row for each provider and model: `missing` calls, their `used` tokens, the `first` and `last` day, `clients`.

    The most calls first, open days only. `mixed`: some days have priced calls of the same model too, whose tokens
    cannot be told apart, so that `used` leaves both out.
    """
    span = span_of(workspace)
    rows = DailyUsage.objects.filter(
        closed_until(workspace).open_events(),
        workspace_id=workspace.id,
        day__range=(span.first, span.last),
        unpriced__gt=0,
    )
    return (
        rows.values("provider", "model")
        .annotate(
            missing=Sum("unpriced"),
            used=Coalesce(Sum(TOKENS, filter=WHOLLY), 0),
            mixed=Count("day", filter=~WHOLLY),
            first=Min("day"),
            last=Max("day"),
            clients=ArrayAgg("client", distinct=True, default=[]),
        )
        .order_by("-missing", "provider", "model")
    )
