"""One key: its budget and limits, changing them, and ending it for good."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from metering import clock
from metering.budgets import budgets_of
from metering.credentials import label_of
from metering.forms.errors import show
from metering.forms.keys import KeyEditForm
from metering.key_limits import limit_key
from metering.keys import rename_key, revoke_key, uses
from metering.models import ApiKey
from metering.views.bars import bar, standing_of
from metering.views.choices import is_live
from tokonomics.access import WorkspaceRequest, reaches, workspace_view
from tokonomics.models import Role


@require_safe
@workspace_view(Role.VIEWER)
def key(request: WorkspaceRequest, key: UUID) -> HttpResponse:
    """One key: its budget, its limits, whose calls it makes."""
    row = _find(request, key)
    standing = standing_of(budgets_of(request.workspace).filter(key=row).first())
    context = {
        "key": row,
        "use": uses(request.workspace, [row])[row.pk],
        "made": row.created_at.astimezone(clock.zone(request.workspace)),
        "providers": [label_of(slug) for slug in row.allowed_providers],
        "bar": bar(request, standing, live=is_live(request), switch=True),
        "may_edit": reaches(request.role, Role.MEMBER) and not row.revoked_at,
    }
    return render(request, "metering/key.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(Role.MEMBER)
def key_edit(request: WorkspaceRequest, key: UUID) -> HttpResponse:
    """Call a key something else, and limit what it may do."""
    row = _find(request, key)
    form = KeyEditForm(request.POST or None, key=row)
    if request.method == "POST" and form.is_valid():
        try:
            _change(request, row, form)
        except ValidationError as error:
            row.refresh_from_db()
            show(form, error)
        else:
            messages.success(request, f"{row.name} is saved. Calls meet its limits from now on.")
            return redirect("key", request.workspace.pk, row.pk)
    return render(request, "metering/keys/edit.html", {"form": form, "key": row})


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(Role.MEMBER)
def key_revoke(request: WorkspaceRequest, key: UUID) -> HttpResponse:
    """Ask, then end a key for good."""
    row = _find(request, key)
    if request.method == "POST":
        revoke_key(key=row, actor=request.user)
        messages.success(request, f"{row.name} is revoked. Calls with it are refused from now on.")
        return redirect("keys", request.workspace.pk)
    use = uses(request.workspace, [row])[row.pk]
    return render(request, "metering/keys/revoke.html", {"key": row, "use": use})


def _find(request: WorkspaceRequest, key: UUID) -> ApiKey:
    return get_object_or_404(request.workspace.api_keys.select_related("workspace", "client", "credential"), pk=key)


@transaction.atomic
def _change(request: WorkspaceRequest, row: ApiKey, form: KeyEditForm) -> None:
    rename_key(key=row, name=form.cleaned_data["name"], actor=request.user)
    limit_key(key=row, limits=form.limits(), actor=request.user)
