"""The list of a workspace's clients: what they cost in a period, the keys they hold, where their budgets stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Lower

from metering.budgets import budgets_of
from metering.models import Client
from metering.periods import Period
from metering.reports import daily
from metering.standings import NEAR, OVER, USED_UP, Standing, current
from metering.sums import Sums, grouped
from tokonomics.models import Workspace

LONGEST = 200
"""Clients on the page; more are found by searching."""
STATES = {
    "": "All",
    "near": "Near a limit",
    "uncapped": "No cap",
    "unconfirmed": "Unconfirmed",
    "archived": "Archived",
}
"""What the list can be limited to, in the words of the page; all but the last are of clients that are not archived."""


@dataclass(frozen=True, slots=True)
class ClientRow:
    """One client: `keys` are those in use that are bound to it, `standing` is of its budget."""

    id: UUID
    slug: str
    name: str
    confirmed: bool
    keys: int
    sums: Sums
    standing: Standing | None


@dataclass(frozen=True, slots=True)
class Listed:
    """The first of the clients that were asked for, and how many there are."""

    rows: Sequence[ClientRow]
    count: int


def client_list(workspace: Workspace, period: Period, moment: datetime, text: str = "", state: str = "") -> Listed:
    """Clients by name; `text` is part of a name or tag, `state` one of `STATES` (5 queries, 7 where months begin)."""
    asked = budgets_of(workspace).exclude(client=None)
    standings = {row.budget.client_id: row for row in current(asked, moment).values()}
    found = _found(workspace, state, standings.values())
    if text:
        found = found.filter(Q(name__icontains=text) | Q(slug__icontains=text))
    bound = Count("api_keys", filter=Q(api_keys__revoked_at=None))
    shown = list(found.annotate(bound=bound).order_by(Lower("name"), "slug")[:LONGEST])
    spent = daily(workspace.id, period).filter(client__in=[client.slug for client in shown])
    sums = {row["client"]: total for row, total in grouped(spent, "client")}
    rows = [
        ClientRow(
            client.pk,
            client.slug,
            client.name,
            client.confirmed_at is not None,
            client.bound,
            sums.get(client.slug, Sums()),
            standings.get(client.pk),
        )
        for client in shown
    ]
    return Listed(rows, found.count())


def _found(workspace: Workspace, state: str, standings: Iterable[Standing]) -> QuerySet[Client, Client]:
    clients = Client.objects.filter(workspace=workspace, archived_at__isnull=state != "archived")
    if state == "unconfirmed":
        return clients.filter(confirmed_at=None)
    if state == "uncapped":
        return clients.exclude(budget__hard=True)
    if state == "near":
        near = [row.budget.pk for row in standings if row.state in (NEAR, OVER, USED_UP)]
        return clients.filter(budget__in=near)
    return clients
