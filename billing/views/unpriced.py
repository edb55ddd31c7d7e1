"""The models without a price, and giving one a price, which leads to what its calls would then cost."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from billing.pricebook import seller_of
from billing.repricing_runs import make_run
from billing.unpriced import span_of, unpriced_models
from billing.views.rules import ADD, TITLES, Kind, rule_form
from metering import names
from metering.filters import EventFilter
from metering.forms.errors import show
from tokonomics.access import WorkspaceRequest, reaches, workspace_view
from tokonomics.models import Role

PAGE_SIZE = 50
SHOWN = 3
"""Clients that a row names."""


@require_safe
@workspace_view(Role.VIEWER)
def unpriced(request: WorkspaceRequest) -> HttpResponse:
    """A row for each model, the one with the most calls first."""
    workspace = request.workspace
    page = Paginator(unpriced_models(workspace), PAGE_SIZE).get_page(request.GET.get("page"))
    found = list(page.object_list)
    known = names.clients(workspace.id, {slug for row in found for slug in row["clients"][:SHOWN]})
    span = span_of(workspace)
    rows = [
        {
            **row,
            "named": [known[slug] for slug in row["clients"][:SHOWN]],
            "more": len(row["clients"]) - SHOWN,
            "query": EventFilter(span, provider=row["provider"], model=row["model"], only="unpriced").query(),
        }
        for row in found
    ]
    context = {"page": page, "rows": rows, "may_change": reaches(request.role, Role.ADMIN)}
    return render(request, "billing/unpriced.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(Role.ADMIN)
def unpriced_price(request: WorkspaceRequest, kind: str) -> HttpResponse:
    """Give a model a price or an alias from its first unpriced day on, then preview what that makes of its calls."""
    workspace = request.workspace
    provider, model = (request.GET.get(name, "").replace("\0", "") for name in ("provider", "model"))
    row = unpriced_models(workspace).filter(provider=provider, model=model).first()
    if row is None:
        raise Http404
    begun = {"provider": seller_of(provider), "model": model, "first": row["first"]}
    form = rule_form(request, kind, **begun)
    if request.method == "POST" and form.is_valid():
        try:
            rule = ADD[kind](workspace=workspace, actor=request.user, **form.rule())
        except ValidationError as error:
            show(form, error)
        else:
            run = make_run(
                workspace=workspace,
                first=row["first"],
                last=row["last"],
                provider=provider,
                model=model,
                unpriced_only=True,
                actor=request.user,
            )
            messages.success(request, f"The {rule} holds. This is what it makes of the calls so far.")
            return redirect("repricing", workspace.pk, run.pk)
    context = {"form": form, "kind": kind, "title": TITLES[Kind(kind)], "row": row}
    return render(request, "billing/unpriced/price.html", context)
