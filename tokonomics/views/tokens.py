"""Tokens of the REST API."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from tokonomics import tokens
from tokonomics.access import WorkspaceRequest, workspace_view
from tokonomics.forms.tokens import TokenForm
from tokonomics.models import ApiToken, Role


@require_safe
@workspace_view(Role.ADMIN)
def token_list(request: WorkspaceRequest) -> HttpResponse:
    """The tokens in use."""
    found = (
        request.workspace.api_tokens.filter(revoked_at=None).select_related("created_by").order_by("-created_at", "-id")
    )
    return render(request, "settings/tokens.html", {"tokens": found, "now": timezone.now()})


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(Role.ADMIN)
def token_new(request: WorkspaceRequest) -> HttpResponse:
    """Make a token; the answer to the form is the only page that ever shows it."""
    form = TokenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            token, secret = tokens.mint_token(workspace=request.workspace, actor=request.user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            call = f'curl -H "Authorization: Bearer {secret}" {settings.PUBLIC_URL}/api/v1/events.csv'
            return render(request, "settings/token_made.html", {"token": token, "secret": secret, "call": call})
    return render(request, "settings/token_new.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(Role.ADMIN)
def token_revoke(request: WorkspaceRequest, token: UUID) -> HttpResponse:
    """Ask, then end a token for good."""
    row = get_object_or_404(ApiToken, workspace=request.workspace, pk=token)
    if request.method == "POST":
        tokens.revoke_token(token=row, actor=request.user)
        messages.success(request, f"{row.name} is revoked.")
        return redirect("tokens", request.workspace.pk)
    return render(request, "settings/token_revoke.html", {"token": row})
