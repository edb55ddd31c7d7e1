"""The front door: what it is for strangers, their workspace for members."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The landing page; a member goes on to the workspace they joined first, or to open one."""
    if request.user.is_authenticated:
        membership = request.user.memberships.order_by("created_at").first()
        return redirect("overview", membership.workspace_id) if membership else redirect("workspace_new")
    return render(request, "landing.html", {"proxy_url": f"{settings.PUBLIC_URL}/proxy"})
