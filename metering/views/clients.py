"""The clients: who they are, what they cost this month, and making, naming, confirming and archiving them."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from metering import clock, periods
from metering.client_list import STATES, client_list
from metering.clients import archive_client, change_client, make_client, restore_client
from metering.filters import EventFilter
from metering.forms.clients import ClientForm, NewClientForm
from metering.forms.errors import show
from metering.models import Client
from tokonomics.access import WorkspaceRequest, reaches, workspace_view
from tokonomics.models import Role

LONGEST_SEARCH = 100


@require_safe
@workspace_view(Role.VIEWER)
def clients(request: WorkspaceRequest) -> HttpResponse:
    """All of them by name, those in one state, or those whose name or tag holds the text searched for."""
    text = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST_SEARCH]
    state = request.GET.get("state", "")
    state = state if state in STATES else ""
    month = periods.preset("month", clock.today(request.workspace))
    listed = client_list(request.workspace, month, timezone.now(), text, state)
    context = {
        "rows": [(row, EventFilter(month, client=row.slug).query()) for row in listed.rows],
        "listed": listed,
        "text": text,
        "state": state,
        "states": STATES,
        "label": periods.label(month, month.last),
        "may_edit": reaches(request.role, Role.MEMBER),
    }
    return render(request, "metering/clients.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(Role.MEMBER)
def client_new(request: WorkspaceRequest) -> HttpResponse:
    """Make a client before its first call."""
    form = NewClientForm(request.POST or None, workspace=request.workspace)
    if request.method == "POST" and form.is_valid():
        try:
            made = make_client(workspace=request.workspace, actor=request.user, **form.cleaned_data)
        except ValidationError as error:
            show(form, error)
        else:
            messages.success(request, f"{made.name} is made. Its calls carry the tag {made.slug}, or use a key of its.")
            return redirect("client", request.workspace.pk, made.pk)
    return render(request, "metering/client/new.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(Role.MEMBER)
def client_edit(request: WorkspaceRequest, client: UUID) -> HttpResponse:
    """Name a client, which confirms one that a call brought, and choose its time zone."""
    row = _find(request, client)
    form = ClientForm(request.POST or None, workspace=request.workspace)
    form.start_from(row)
    if request.method == "POST" and form.is_valid():
        confirmed = row.confirmed_at
        try:
            change_client(client=row, actor=request.user, **form.cleaned_data)
        except ValidationError as error:
            row.refresh_from_db()
            show(form, error)
        else:
            messages.success(request, f"{row.name} is {'saved' if confirmed else 'confirmed'}.")
            return redirect("client", request.workspace.pk, row.pk)
    return render(request, "metering/client/edit.html", {"form": form, "client": row})


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(Role.MEMBER)
def client_archive(request: WorkspaceRequest, client: UUID) -> HttpResponse:
    """Ask, then put a client away."""
    row, problem = _find(request, client), ""
    if request.method == "POST":
        try:
            archive_client(client=row, actor=request.user)
        except ValidationError as error:
            problem = error.messages[0]
        else:
            messages.success(request, f"{row.name} is archived. You can restore it on its page.")
            return redirect("clients", request.workspace.pk)
    return render(request, "metering/client/archive.html", {"client": row, "problem": problem})


@require_POST
@workspace_view(Role.MEMBER)
def client_restore(request: WorkspaceRequest, client: UUID) -> HttpResponse:
    """Take an archived client back."""
    row = _find(request, client)
    restore_client(client=row, actor=request.user)
    messages.success(request, f"{row.name} is back in the lists.")
    return redirect("client", request.workspace.pk, row.pk)


def _find(request: WorkspaceRequest, client: UUID) -> Client:
    return get_object_or_404(request.workspace.clients, pk=client)
