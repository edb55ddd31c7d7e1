"""Costs as providers report them, beside those of the price book."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from billing.reported import compared
from metering import clock, periods
from metering.filters import EventFilter
from metering.period_menu import period_menu
from metering.periods import InvalidPeriod
from metering.selection import TooMuch
from tokonomics.access import WorkspaceRequest, workspace_view
from tokonomics.models import Role

PAGE_SIZE = 50


@require_safe
@workspace_view(Role.VIEWER)
def reported(request: WorkspaceRequest) -> HttpResponse:
    """A row for each model whose provider told costs in a period, the largest difference first."""
    workspace, today, error = request.workspace, clock.today(request.workspace), ""
    try:
        period = periods.read(request.GET.dict(), today)
    except InvalidPeriod as wrong:
        period, error = periods.preset("month", today), str(wrong)
    context: dict[str, Any] = {"menu": period_menu(workspace, period, today, []), "error": error}
    try:
        found = compared(workspace.id, period)
    except TooMuch:
        return render(request, "billing/reported.html", {**context, "too_much": True})
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    context["page"] = page
    context["rows"] = [
        (row, EventFilter(period, provider=row.provider, model=row.model).query()) for row in page.object_list
    ]
    return render(request, "billing/reported.html", context, status=400 if error else 200)
