"""A workspace's settings, and opening another workspace."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from tokonomics import accounts
from tokonomics.access import WorkspaceRequest, reaches, workspace_view
from tokonomics.forms.workspace import WorkspaceFields
from tokonomics.models import Role, User


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(Role.VIEWER, to_change=Role.ADMIN)
def settings(request: WorkspaceRequest) -> HttpResponse:
    """Name and time zone."""
    workspace = request.workspace
    shown = {"name": workspace.name, "timezone": workspace.timezone}
    form = WorkspaceFields(request.POST or None, initial=shown)
    if request.method == "POST" and form.is_valid():
        try:
            accounts.change_workspace(workspace=workspace, actor=request.user, **form.cleaned_data)
        except ValidationError as error:
            workspace.refresh_from_db()
            form.add_error(None, error)
        else:
            messages.success(request, "The workspace is saved.")
            return redirect("settings", workspace.pk)
    return render(request, "settings/workspace.html", {"form": form, "may_change": reaches(request.role, Role.ADMIN)})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def workspace_new(request: HttpRequest) -> HttpResponse:
    """Open another workspace, or the first one of somebody who belongs to none."""
    form = WorkspaceFields(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            workspace = accounts.open_workspace(owner=cast(User, request.user), **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return redirect("overview", workspace.pk)
    return render(request, "account/workspace.html", {"form": form})
