"""The overview: what a period cost, for whom, by which model and on which day; it moves as calls arrive."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Max
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from metering import clock, names, reports, selection, series
from metering.budgets import budgets_of
from metering.filters import EventFilter
from metering.ledger import DailyUsage
from metering.models import Budget
from metering.period_menu import period_menu
from metering.periods import Period
from metering.pulse import last_call, pulse
from metering.snapshot import snapshot
from metering.snippets import snippets
from metering.standings import Standing, current
from metering.views.bars import bar, standing_of
from metering.views.choices import Choice, frame, read_choice
from metering.views.drawing import draw, labels_and_colours
from tokonomics.access import WorkspaceRequest, workspace_view
from tokonomics.models import Role

LAST_CALLS = 8


@require_safe
@workspace_view(Role.VIEWER)
def overview(request: WorkspaceRequest) -> HttpResponse:
    """The page."""
    choice = read_choice(request)
    context = _context(request, choice)
    context |= {
        "menu": period_menu(request.workspace, choice.period, choice.today, choice.kept),
        "bar": bar(request, standing_of(_whole(request)), live=choice.live),
        "error": choice.error,
    }
    return render(request, "metering/overview.html", context, status=400 if choice.error else 200)


@require_safe
@workspace_view(Role.VIEWER)
def overview_live(request: WorkspaceRequest) -> HttpResponse:
    """What moves on the page; 204 while nothing has changed since the pulse `known`."""
    choice = read_choice(request)
    known = request.GET.get("known", "")
    if known == pulse(request.workspace.id, choice.period, choice.today):
        return HttpResponse(status=204)
    return render(request, "metering/overview/live.html", {**_context(request, choice), "known": last_call(known)})


def _whole(request: WorkspaceRequest) -> Budget | None:
    """The budget of all calls."""
    return budgets_of(request.workspace).filter(client=None, key=None).first()


def _context(request: WorkspaceRequest, choice: Choice) -> dict[str, Any]:
    workspace, period, today = request.workspace, choice.period, choice.today
    with snapshot():
        beat = pulse(workspace.id, period, today)
        found = reports.overview(workspace.id, period)
        page = _page(request, choice, beat)
        if not found.total.calls:
            return {**page, "last": _last_call(request), "snippet": _snippet()}
        days = series.by_day(workspace.id, period, choice.group, today)
        calls = selection.page(workspace.id, EventFilter(period), size=LAST_CALLS).events
    drawn = [row.name for row in found.clients[: series.SHOWN]]
    shown = names.clients(workspace.id, [*(row.name for row in found.clients), *(call.client for call in calls)], drawn)
    zone, standings = clock.zone(workspace), _standings(request, [shown[row.name].id for row in found.clients])
    return {
        **page,
        "found": found,
        "drawing": draw(days, period, choice.group, *labels_and_colours(workspace.id, days, choice.group, shown)),
        "clients": [
            (shown[row.name], row, EventFilter(period, client=row.name).query(), standings.get(shown[row.name].id))
            for row in found.clients
        ],
        "models": [(row, EventFilter(period, provider=row.provider, model=row.name).query()) for row in found.models],
        "calls": [(call, shown[call.client], call.admitted_at.astimezone(zone)) for call in calls],
        "other_count": found.client_count - len(found.clients),
        "other_models": found.model_count - len(found.models),
    }


def _standings(request: WorkspaceRequest, clients: Sequence[UUID | None]) -> dict[UUID | None, Standing]:
    """Where the budgets of these clients stand, by client (at most 4 queries)."""
    found = current(budgets_of(request.workspace).filter(client__in=clients), timezone.now())
    return {standing.budget.client_id: standing for standing in found.values()}


def _page(request: WorkspaceRequest, choice: Choice, beat: str) -> dict[str, Any]:
    """What the page says about itself, with or without calls."""
    period = choice.period
    return {
        **frame(request, choice, beat),
        "events": reverse("events", args=[request.workspace.id]),
        "queries": {
            "all": EventFilter(period).query(),
            "unattributed": EventFilter(period, client="").query(),
            "unpriced": EventFilter(period, only="unpriced").query(),
            "estimated": EventFilter(period, only="estimated").query(),
        },
        "weekdays_of": _earlier(period) or f"the {period.length} days before",
        "earlier": _earlier(period) or "before",
        "groups": [
            (label, f"?{choice.query(group=name)}", name == choice.group) for name, label in series.GROUPS.items()
        ],
    }


def _earlier(period: Period) -> str:
    """The name of the month before; empty for a period that is no month."""
    return calendar.month_name[period.before.first.month] if period.is_month else ""


def _last_call(request: WorkspaceRequest) -> datetime | None:
    """The workspace's last call of all, on its clock; None: it has none yet."""
    last = DailyUsage.objects.filter(workspace_id=request.workspace.id).aggregate(last=Max("last_call_at"))["last"]
    return last.astimezone(clock.zone(request.workspace)) if last else None


def _snippet() -> str:
    """A first call that needs no provider and no network."""
    return snippets(
        proxy_url=f"{settings.PUBLIC_URL}/proxy",
        slug="sandbox",
        dialect="openai",
        key="mk_…",
        tags={"client": "acme-corp"},
    )[0].text
