"""Runs that price calls anew: their history, a new one, its preview, and applying it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing.forms.repricing import RepricingForm
from billing.models import Repricing, RepricingShare
from billing.repricing_runs import apply_run, make_run
from metering import clock, names, periods
from metering.forms.errors import show
from metering.periods import Period
from tokonomics.access import WorkspaceRequest, reaches, workspace_view
from tokonomics.models import Role

PAGE_SIZE = 50
State = Repricing.State
PREVIEW = (State.PREVIEWING, State.PREVIEWED)
RUNNING = (State.PREVIEWING, State.APPLYING)
SUMS = ("calls", "priced", "old", "new")


@require_safe
@workspace_view(Role.VIEWER)
def repricings(request: WorkspaceRequest) -> HttpResponse:
    """Every run, the newest first."""
    page = Paginator(_with_sums(_runs(request)), PAGE_SIZE).get_page(request.GET.get("page"))
    zone = clock.zone(request.workspace)
    rows = [
        {"run": run, "made": run.created_at.astimezone(zone), "days": _days(request, run), "moved": run.new - run.old}
        for run in page.object_list
    ]
    context = {"page": page, "rows": rows, "may_change": reaches(request.role, Role.ADMIN)}
    return render(request, "billing/repricings.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(Role.ADMIN)
def repricing_new(request: WorkspaceRequest) -> HttpResponse:
    """Choose the calls; their preview is the next page."""
    begun = {name: request.GET[name] for name in ("provider", "model", "first", "last") if name in request.GET}
    form = RepricingForm(request.POST or None, today=clock.today(request.workspace), initial=begun)
    if request.method == "POST" and form.is_valid():
        try:
            run = make_run(workspace=request.workspace, actor=request.user, **form.cleaned_data)
        except ValidationError as error:
            show(form, error)
        else:
            return redirect("repricing", request.workspace.pk, run.pk)
    return render(request, "billing/repricing/new.html", {"form": form})


@require_safe
@workspace_view(Role.VIEWER)
def repricing(request: WorkspaceRequest, run: UUID) -> HttpResponse:
    """One run: what it changes for each client, or has changed."""
    found = get_object_or_404(_with_sums(_runs(request)), pk=run)
    zone = clock.zone(request.workspace)
    shares = Paginator(_shares(found), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "run": found,
        "days": _days(request, found),
        "moved": found.new - found.old,
        "made": found.created_at.astimezone(zone),
        "finished": found.finished_at and found.finished_at.astimezone(zone),
        "page": shares,
        "rows": _named(request, list(shares.object_list)),
        "running": found.state in RUNNING,
        "preview": found.state in PREVIEW,
        "may_apply": found.state == State.PREVIEWED and found.calls and reaches(request.role, Role.ADMIN),
    }
    return render(request, "billing/repricing.html", context)


@require_POST
@workspace_view(Role.ADMIN)
def repricing_apply(request: WorkspaceRequest, run: UUID) -> HttpResponse:
    """Have the differences of a preview appended."""
    try:
        apply_run(run=get_object_or_404(_runs(request), pk=run), actor=request.user)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    return redirect("repricing", request.workspace.pk, run)


def _runs(request: WorkspaceRequest) -> QuerySet[Repricing, Repricing]:
    return Repricing.objects.filter(workspace=request.workspace)


def _with_sums(runs: QuerySet[Repricing, Repricing]) -> QuerySet[Repricing, Any]:
    """With the sums over all clients: of the preview, or from the moment that it is applied, of what it moved."""
    counts = Q(shares__applied=False, state__in=PREVIEW) | Q(~Q(state__in=PREVIEW), shares__applied=True)
    sums = {name: Coalesce(Sum(f"shares__{name}", filter=counts), 0) for name in SUMS}
    return runs.annotate(**sums).order_by("-created_at", "-id")


def _shares(run: Repricing) -> QuerySet[RepricingShare, RepricingShare]:
    return run.shares.filter(applied=run.state not in PREVIEW).order_by("-new", "client")


def _named(request: WorkspaceRequest, shares: Sequence[RepricingShare]) -> list[dict[str, Any]]:
    known = names.clients(request.workspace.id, [share.client for share in shares])
    return [{"name": known[share.client], "share": share, "moved": share.new - share.old} for share in shares]


def _days(request: WorkspaceRequest, run: Repricing) -> str:
    return periods.label(Period(run.first, run.last), clock.today(request.workspace))
