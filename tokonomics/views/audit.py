"""The audit log: who did what, newest first."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from tokonomics.access import WorkspaceRequest, workspace_view
from tokonomics.models import Role

PAGE_SIZE = 50


@require_safe
@workspace_view(Role.ADMIN)
def audit_log(request: WorkspaceRequest) -> HttpResponse:
    """A page of it, on the workspace's clock."""
    entries = request.workspace.audit_entries.order_by("-created_at", "-id")
    page = Paginator(entries, PAGE_SIZE).get_page(request.GET.get("page"))
    zone = ZoneInfo(request.workspace.timezone)
    rows = [(entry, entry.created_at.astimezone(zone), _lines(entry.details)) for entry in page.object_list]
    return render(request, "settings/audit.html", {"page": page, "rows": rows})


def _lines(details: dict[str, Any]) -> list[str]:
    """`name: before → after`, or `name: value`; what is empty is left out."""
    lines = []
    for name, value in details.items():
        if isinstance(value, dict):
            lines.append(f"{name}: {value.get('before') or '–'} → {value.get('after') or '–'}")
        elif value:
            lines.append(f"{name}: {', '.join(map(str, value)) if isinstance(value, list) else value}")
    return lines
