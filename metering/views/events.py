"""The events: a filtered list a page at a time, and one call with its cost explained."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from metering import clock, cursors, explanation, names, periods, reports, selection, series
from metering.cursors import Cursor, InvalidCursor
from metering.filters import EventFilter
from metering.forms.events import EventFilterForm
from metering.ledger import UsageEvent
from metering.options import options
from metering.period_menu import period_menu
from metering.recording.late import ADJUSTMENT
from metering.selection import TooMuch
from metering.views.chips import chips
from tokonomics.access import WorkspaceRequest, workspace_view
from tokonomics.models import Role


@require_safe
@workspace_view(Role.VIEWER)
def events(request: WorkspaceRequest) -> HttpResponse:
    """A page of the selection that the address names; a filled-in form leads to the short address of the same."""
    form = EventFilterForm(request.GET, clock.today(request.workspace))
    if not form.reads():
        return render(request, "metering/events.html", _refused(request, form), status=400)
    cursor = _cursor(request)
    if "tag_key" in request.GET or any(not value for value in request.GET.values()):
        return redirect(_address(request, form.chosen))
    return render(request, "metering/events.html", _listed(request, form, cursor))


@require_safe
@workspace_view(Role.VIEWER)
def event(request: WorkspaceRequest, event: UUID) -> HttpResponse:
    """One call beside the list that one came from; the drawer alone when the list is there already."""
    found = selection.find(request.workspace.id, event)
    if found is None:
        raise Http404
    form = EventFilterForm(request.GET, clock.today(request.workspace))
    back = _address(request, form.chosen, request.GET.get("cursor", "")) if form.reads() else _address(request)
    context = {"back": back, **_explained(request, found)}
    if request.htmx and not request.htmx.history_restore_request:
        return render(request, "metering/events/drawer.html", context)
    if not form.reads():
        return redirect("event", request.workspace.id, event)
    return render(request, "metering/events.html", {**_listed(request, form, _cursor(request)), **context})


def _cursor(request: WorkspaceRequest) -> Cursor | None:
    text = request.GET.get("cursor")
    try:
        return cursors.decode(text) if text else None
    except InvalidCursor as error:
        raise BadRequest(str(error)) from error


def _address(request: WorkspaceRequest, chosen: EventFilter | None = None, cursor: str = "") -> str:
    pairs = [chosen.query() if chosen else "", f"cursor={cursor}" if cursor else ""]
    query = "&".join(pair for pair in pairs if pair)
    return reverse("events", args=[request.workspace.id]) + (f"?{query}" if query else "")


def _refused(request: WorkspaceRequest, form: EventFilterForm) -> dict[str, Any]:
    today = clock.today(request.workspace)
    period = ("period", "from", "to", "cursor")
    kept = [(name, value) for name, values in form.address.items() for value in values if name not in period and value]
    month = periods.preset("month", today)
    form.suggest(options(request.workspace.id, month))
    return {"form": form, "menu": period_menu(request.workspace, month, today, kept), "error": form.period_error}


def _listed(request: WorkspaceRequest, form: EventFilterForm, cursor: Cursor | None) -> dict[str, Any]:
    workspace, chosen = request.workspace, form.chosen
    today, zone = clock.today(workspace), clock.zone(workspace)
    form.suggest(options(workspace.id, chosen.period))
    menu = period_menu(workspace, chosen.period, today, chosen.limits())
    context = {"form": form, "menu": menu, "today": today, "chosen": chosen, "query": chosen.query()}
    context |= {
        "chips": chips(workspace.id, chosen),
        "as_of": clock.now(workspace),
        "summary": _summary(request, chosen),
    }
    try:
        page = selection.page(workspace.id, chosen, cursor)
    except TooMuch:
        return {**context, "too_much": True}
    drawn = reports.dearest_clients(workspace.id, chosen.period, series.SHOWN)
    shown = names.clients(workspace.id, {call.client for call in page.events}, drawn)
    return {
        **context,
        "calls": [(call, shown[call.client], call.admitted_at.astimezone(zone)) for call in page.events],
        "here_calls": sum(call.source != ADJUSTMENT for call in page.events),
        "newer": page.newer and _address(request, chosen, page.newer.encode()),
        "older": page.older and _address(request, chosen, page.older.encode()),
        "here": f"{chosen.query()}&cursor={cursor.encode()}" if cursor else chosen.query(),
    }


def _summary(request: WorkspaceRequest, chosen: EventFilter) -> selection.Summary | None:
    try:
        return selection.summary(request.workspace.id, chosen)
    except TooMuch:
        return None


def _explained(request: WorkspaceRequest, found: UsageEvent) -> dict[str, Any]:
    name = names.clients(request.workspace.id, [found.client])[found.client]
    corrections = _corrections(request, found)
    costs = [one.cost for one in (found, *corrections) if one.cost is not None]
    return {
        "event": found,
        "name": name,
        "when": found.admitted_at.astimezone(clock.zone(request.workspace)),
        "zone": periods.zone_label(request.workspace.timezone),
        "lines": explanation.lines(found),
        "source": explanation.source(found),
        "flags": explanation.flags(found),
        "corrections": corrections,
        "now_cost": sum(costs) if costs else None,
        "key": names.keys(request.workspace.id, [str(found.key_id)]).get(str(found.key_id), found.key_name),
    }


def _corrections(request: WorkspaceRequest, found: UsageEvent) -> list[UsageEvent]:
    """The adjustments of a call, in no order that matters; none of an adjustment."""
    corrections = selection.corrections(request.workspace.id)
    return list(corrections.filter(admitted_at=found.admitted_at, of=str(found.id)).order_by("id"))
