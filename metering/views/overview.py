"""The overview: what a period cost, for whom, by which model and on which day; it moves as calls arrive."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Max
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from metering import clock, names, periods, reports, selection, series
from metering.filters import EventFilter
from metering.ledger import DailyUsage
from metering.periods import InvalidPeriod, Period
from metering.pulse import last_call, pulse
from metering.snapshot import snapshot
from metering.snippets import snippets
from metering.views.drawing import draw, labels_and_colours
from metering.views.menus import period_menu
from tokonomics.access import WorkspaceRequest, workspace_view
from tokonomics.models import Role

LAST_CALLS = 8


@dataclass(frozen=True, slots=True)
class Choice:
    """What the address asks for; an unreadable period is this month, with its error."""

    period: Period
    group: str
    live: bool
    error: str = ""

    def query(self, **other: str) -> str:
        """The address's parameters, some of them changed."""
        pairs = {**self.period.query(), **dict(self.kept), **other}
        return urlencode({name: value for name, value in pairs.items() if value})

    @property
    def kept(self) -> list[tuple[str, str]]:
        """The parameters beside the period."""
        pairs = [("group", self.group if self.group != "client" else ""), ("live", "" if self.live else "off")]
        return [pair for pair in pairs if pair[1]]


@require_safe
@workspace_view(Role.VIEWER)
def overview(request: WorkspaceRequest) -> HttpResponse:
    """The page."""
    today = clock.today(request.workspace)
    choice = _choice(request, today)
    context = _context(request, choice, today)
    context |= {"menu": period_menu(request.workspace, choice.period, today, choice.kept), "error": choice.error}
    return render(request, "metering/overview.html", context, status=400 if choice.error else 200)


@require_safe
@workspace_view(Role.VIEWER)
def overview_live(request: WorkspaceRequest) -> HttpResponse:
    """What moves on the page; 204 while nothing has changed since the pulse `known`."""
    today = clock.today(request.workspace)
    choice = _choice(request, today)
    known = request.GET.get("known", "")
    if known == pulse(request.workspace.id, choice.period, today):
        return HttpResponse(status=204)
    return render(
        request, "metering/overview/live.html", {**_context(request, choice, today), "known": last_call(known)}
    )


def _choice(request: WorkspaceRequest, today: date) -> Choice:
    group = request.GET.get("group", "client")
    group = group if group in series.GROUPS else "client"
    live = request.GET.get("live") != "off"
    try:
        return Choice(periods.read(request.GET.dict(), today), group, live)
    except InvalidPeriod as error:
        return Choice(periods.preset("month", today), group, live, str(error))


def _context(request: WorkspaceRequest, choice: Choice, today: date) -> dict[str, Any]:
    workspace, period = request.workspace, choice.period
    with snapshot():
        beat = pulse(workspace.id, period, today)
        found = reports.overview(workspace.id, period)
        frame = _frame(request, choice, today, beat)
        if not found.total.calls:
            return {**frame, "last": _last_call(request), "snippet": _snippet()}
        days = series.by_day(workspace.id, period, choice.group, today)
        calls = selection.page(workspace.id, EventFilter(period), size=LAST_CALLS).events
    drawn = [row.name for row in found.clients[: series.SHOWN]]
    shown = names.clients(workspace.id, [*(row.name for row in found.clients), *(call.client for call in calls)], drawn)
    zone = clock.zone(workspace)
    return {
        **frame,
        "found": found,
        "drawing": draw(days, period, choice.group, *labels_and_colours(workspace.id, days, choice.group, shown)),
        "clients": [(shown[row.name], row, EventFilter(period, client=row.name).query()) for row in found.clients],
        "models": [(row, EventFilter(period, provider=row.provider, model=row.name).query()) for row in found.models],
        "calls": [(call, shown[call.client], call.admitted_at.astimezone(zone)) for call in calls],
        "other_count": found.client_count - len(found.clients),
        "other_models": found.model_count - len(found.models),
        "today": today,
    }


def _frame(request: WorkspaceRequest, choice: Choice, today: date, beat: str) -> dict[str, Any]:
    """What the page says about itself, with or without calls."""
    period = choice.period
    running = period.last >= today
    return {
        "events": reverse("events", args=[request.workspace.id]),
        "queries": {
            "all": EventFilter(period).query(),
            "unattributed": EventFilter(period, client="").query(),
            "unpriced": EventFilter(period, only="unpriced").query(),
            "estimated": EventFilter(period, only="estimated").query(),
        },
        "period": period,
        "label": periods.label(period, today),
        "before": periods.label(period.before, today),
        "weekdays_of": _earlier(period) or f"the {period.length} days before",
        "earlier": _earlier(period) or "before",
        "groups": [
            (label, f"?{choice.query(group=name)}", name == choice.group) for name, label in series.GROUPS.items()
        ],
        "running": running,
        "live": choice.live and running,
        "poll": choice.query(known=beat),
        "pause": f"?{choice.query(live='off')}",
        "resume": f"?{choice.query(live='')}",
        "as_of": clock.now(request.workspace),
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
