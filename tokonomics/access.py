"""The doors to a workspace's pages: strangers find nothing (404), members whose role does not reach are refused (403).

A page's address names its workspace, `/w/<workspace>/…`, so that a link means the same to everybody who may follow it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast
from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import patch_cache_control
from django_htmx.middleware import HtmxDetails

from tokonomics.models import Membership, Role, User, Workspace

P = ParamSpec("P")
Page = Callable[..., HttpResponseBase]

_RANKS = {role: rank for rank, role in enumerate(reversed(Role))}


class WorkspaceRequest(HttpRequest):
    """The shape of a request that has passed a door."""

    user: User
    htmx: HtmxDetails
    workspace: Workspace
    role: Role


def reaches(role: Role, needed: Role) -> bool:
    """Whether `role` may do what `needed` may: each role may do all that the next one may."""
    return _RANKS[role] >= _RANKS[needed]


def workspace_view(
    needed: Role, *, to_change: Role | None = None
) -> Callable[[Callable[Concatenate[WorkspaceRequest, P], HttpResponseBase]], Page]:
    """A page of a workspace for members of this role or a higher one; takes `workspace` out of the address.

    `to_change` is the role that methods other than GET and HEAD need, where that is another one. Puts
    `request.workspace` and `request.role`. Answers are private and never cached.
    """

    def door(view: Callable[Concatenate[WorkspaceRequest, P], HttpResponseBase]) -> Page:
        @wraps(view)
        def guarded(request: HttpRequest, workspace: UUID, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _to_login(request)
            membership = _membership(request.user, workspace)
            wanted = needed if to_change is None or request.method in ("GET", "HEAD") else to_change
            if not reaches(Role(membership.role), wanted):
                raise PermissionDenied
            opened = cast(WorkspaceRequest, request)
            opened.workspace, opened.role = membership.workspace, Role(membership.role)
            response = view(opened, *args, **kwargs)
            patch_cache_control(response, private=True, no_store=True)
            return response

        return guarded

    return door


def _membership(user: User, workspace: UUID) -> Membership:
    membership = Membership.objects.select_related("workspace").filter(user=user, workspace=workspace).first()
    if membership is None:
        raise Http404
    return membership


def _to_login(request: HttpRequest) -> HttpResponseBase:
    """To the log-in page, and back after it; a fragment makes the whole page go there."""
    if getattr(request, "htmx", False):
        return HttpResponse(status=401, headers={"HX-Refresh": "true"})
    return redirect_to_login(request.get_full_path())
