"""The clients: who they are, what they cost this month and how many keys they have."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from metering import clock, periods
from metering.client_list import client_list
from metering.filters import EventFilter
from tokonomics.access import WorkspaceRequest, workspace_view
from tokonomics.models import Role

LONGEST_SEARCH = 100


@require_safe
@workspace_view(Role.VIEWER)
def clients(request: WorkspaceRequest) -> HttpResponse:
    """All of them by name, or those whose name or tag holds the text searched for."""
    text = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST_SEARCH]
    month = periods.preset("month", clock.today(request.workspace))
    listed = client_list(request.workspace.id, month, text)
    context = {
        "rows": [(row, EventFilter(month, client=row.slug).query()) for row in listed.rows],
        "listed": listed,
        "text": text,
        "label": periods.label(month, month.last),
    }
    return render(request, "metering/clients.html", context)
