"""One client: its budget first, then what it cost in a period, for which models, with which keys, in which calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from metering import clock, names, reports, series
from metering.budgets import budgets_of
from metering.client_report import KeyRow, client_report, last_calls
from metering.filters import EventFilter
from metering.models import Client
from metering.period_menu import period_menu
from metering.periods import Period
from metering.pulse import last_call, pulse
from metering.selection import TooMuch
from metering.standings import Standing, current
from metering.views.bars import bar, standing_of
from metering.views.choices import Choice, frame, read_choice
from tokonomics.access import WorkspaceRequest, reaches, workspace_view
from tokonomics.models import Role

LAST_CALLS = 6


@require_safe
@workspace_view(Role.VIEWER)
def client(request: WorkspaceRequest, client: UUID) -> HttpResponse:
    """The page."""
    row = get_object_or_404(request.workspace.clients, pk=client)
    choice = read_choice(request)
    standing = standing_of(budgets_of(request.workspace).filter(client=row).first())
    context = {
        **_context(request, row, choice),
        "bar": bar(request, standing, live=choice.live),
        "menu": period_menu(request.workspace, choice.period, choice.today, choice.kept),
        "error": choice.error,
    }
    return render(request, "metering/client.html", context, status=400 if choice.error else 200)


@require_safe
@workspace_view(Role.VIEWER)
def client_live(request: WorkspaceRequest, client: UUID) -> HttpResponse:
    """What moves below the bar; 204 while nothing has changed since the pulse `known`."""
    row = get_object_or_404(request.workspace.clients, pk=client)
    choice = read_choice(request)
    known = request.GET.get("known", "")
    if known == pulse(request.workspace.id, choice.period, choice.today, row.slug):
        return HttpResponse(status=204)
    context = {**_context(request, row, choice), "known": last_call(known)}
    return render(request, "metering/client/live.html", context)


def _context(request: WorkspaceRequest, client: Client, choice: Choice) -> dict[str, Any]:
    workspace, period = request.workspace, choice.period
    report = client_report(client, period)
    chosen = EventFilter(period, client=client.slug)
    return {
        **frame(request, choice, pulse(workspace.id, period, choice.today, client.slug)),
        "client": client,
        "may_edit": reaches(request.role, Role.MEMBER),
        "report": report,
        "query": chosen.query(),
        "unpriced": EventFilter(period, client=client.slug, only="unpriced").query(),
        "models": [(row, replace(chosen, provider=row.provider, model=row.name).query()) for row in report.models],
        "other_models": report.model_count - len(report.models) + 1,
        "keys": _keys(request, report.keys, chosen),
        "calls": _calls(request, client, period),
    }


def _calls(request: WorkspaceRequest, client: Client, period: Period) -> list[tuple[Any, ...]] | None:
    """The last calls as the table shows them; None: finding them takes too long."""
    try:
        calls = last_calls(client, period, LAST_CALLS)
    except TooMuch:
        return None
    drawn = reports.dearest_clients(request.workspace.id, period, series.SHOWN)
    name = names.clients(request.workspace.id, [client.slug], drawn)[client.slug]
    zone = clock.zone(request.workspace)
    return [(call, name, call.admitted_at.astimezone(zone)) for call in calls]


def _keys(
    request: WorkspaceRequest, keys: Sequence[KeyRow], chosen: EventFilter
) -> list[tuple[KeyRow, Standing | None, Any, str]]:
    """Each key with where its own budget stands, its last call on the workspace's clock, and the query of its calls."""
    zone = clock.zone(request.workspace)
    found = budgets_of(request.workspace).filter(key__in=[row.key for row in keys]) if keys else []
    standings = {standing.budget.key_id: standing for standing in current(found, timezone.now()).values()}
    return [
        (
            row,
            standings.get(row.key.pk),
            row.last_call_at and row.last_call_at.astimezone(zone),
            replace(chosen, key=row.key.pk).query(),
        )
        for row in keys
    ]
