"""The list of a workspace's clients with what they cost in a period and the keys they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, Q
from django.db.models.functions import Lower

from metering.models import Client
from metering.periods import Period
from metering.reports import daily
from metering.sums import Sums, grouped

LONGEST = 200
"""Clients on the page; more are found by searching."""


@dataclass(frozen=True, slots=True)
class ClientRow:
    """One client: `keys` are those in use that are bound to it."""

    slug: str
    name: str
    confirmed: bool
    keys: int
    sums: Sums


@dataclass(frozen=True, slots=True)
class Listed:
    """The first of the clients that were asked for, and how many there are."""

    rows: Sequence[ClientRow]
    count: int


def client_list(workspace_id: UUID, period: Period, text: str = "") -> Listed:
    """Clients by name; `text` is part of a name or tag (3 queries)."""
    found = Client.objects.filter(workspace=workspace_id, archived_at=None)
    if text:
        found = found.filter(Q(name__icontains=text) | Q(slug__icontains=text))
    bound = Count("api_keys", filter=Q(api_keys__revoked_at=None))
    shown = list(found.annotate(bound=bound).order_by(Lower("name"), "slug")[:LONGEST])
    spent = daily(workspace_id, period).filter(client__in=[client.slug for client in shown])
    sums = {row["client"]: total for row, total in grouped(spent, "client")}
    rows = [
        ClientRow(
            client.slug,
            client.name,
            client.confirmed_at is not None,
            client.bound,
            sums.get(client.slug, Sums()),
        )
        for client in shown
    ]
    return Listed(rows, found.count())
