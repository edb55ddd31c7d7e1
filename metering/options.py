"""What the filters of a period can be set to: names that its calls have used. Lists end where nobody would read on."""

from __future__ import annotations

from uuid import UUID

from metering.ledger import DailyTagUsage
from metering.models import ApiKey, Client
from metering.periods import DAY, Period
from metering.reports import daily

LONGEST = 200
RECENT = 7
"""Days at the end of the period in whose calls names are looked for: more would take longer than it helps."""

Options = dict[str, list[tuple[str, str]]]
"""Field → (value, label), by label."""


def options(workspace_id: UUID, period: Period) -> Options:
    """Clients, providers, models, keys and names of tags (4 queries)."""
    clients = Client.objects.filter(workspace=workspace_id, archived_at=None).order_by("name")[:LONGEST]
    period = Period(max(period.first, period.last - DAY * (RECENT - 1)), period.last)
    pairs = daily(workspace_id, period).values_list("provider", "model").distinct()[:LONGEST]
    keys = ApiKey.objects.filter(workspace=workspace_id).order_by("name", "id")[:LONGEST]
    days = (period.first, period.last)
    tags = DailyTagUsage.objects.filter(workspace_id=workspace_id, day__range=days).values_list("tag_key", flat=True)
    found = list(pairs)
    return {
        "client": [(client.slug, client.name) for client in clients],
        "provider": _same({provider for provider, _ in found}),
        "model": _same({model for _, model in found}),
        "key": [(str(key.id), f"{key}, revoked" if key.revoked_at else str(key)) for key in keys],
        "tag_key": _same(set(tags.distinct()[:LONGEST])),
    }


def _same(values: set[str]) -> list[tuple[str, str]]:
    return [(value, value) for value in sorted(values) if value]
