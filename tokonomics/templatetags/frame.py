"""The side bar of a signed-in page: its places, and the workspaces one may switch to."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import Context
from django.urls import NoReverseMatch, reverse

register = template.Library()

PLACES = (
    ("overview", "Overview"),
    ("clients", "Clients"),
    ("events", "Events"),
    ("keys", "Keys"),
    ("providers", "Providers"),
    ("prices", "Prices"),
    ("settings", "Settings"),
)
"""(name of the address and of its icon, label), in reading order."""


@register.inclusion_tag("ui/places.html", takes_context=True)
def places(context: Context) -> dict[str, Any]:
    """The places of `request.workspace`; the one whose address the request's path begins with is current."""
    request = context["request"]
    found = []
    for name, label in PLACES:
        try:
            href = reverse(name, args=[request.workspace.id])
        except NoReverseMatch:
            continue
        exact = name == "overview"
        current = request.path == href if exact else request.path.startswith(href)
        found.append({"href": href, "icon": name, "label": label, "current": current})
    return {"places": found}


@register.inclusion_tag("ui/workspaces.html", takes_context=True)
def workspaces(context: Context) -> dict[str, Any]:
    """The workspace one is in, and the others that the user belongs to (one query)."""
    request = context["request"]
    others = [
        membership.workspace
        for membership in request.user.memberships.select_related("workspace").order_by("workspace__name")
        if membership.workspace_id != request.workspace.id
    ]
    return {"workspace": request.workspace, "others": others}
