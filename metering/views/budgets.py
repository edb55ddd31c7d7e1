"""Setting, raising, pausing and removing the budget of a client, a key or the workspace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from metering import budgets
from metering.budgets import budgets_of
from metering.forms.budgets import BudgetForm, RaiseForm
from metering.forms.errors import show
from metering.models import ApiKey, Budget, Client
from metering.standings import OVER, USED_UP, zone_of
from metering.views.bars import bar, home, standing_of
from tokonomics.access import WorkspaceRequest, workspace_view
from tokonomics.figures import total
from tokonomics.models import Role

ASKING = ["GET", "HEAD", "POST"]


@require_http_methods(ASKING)
@workspace_view(Role.ADMIN)
def client_budget(request: WorkspaceRequest, client: UUID) -> HttpResponse:
    """The budget of a client."""
    return _set(request, client=get_object_or_404(request.workspace.clients, pk=client))


@require_http_methods(ASKING)
@workspace_view(Role.ADMIN)
def key_budget(request: WorkspaceRequest, key: UUID) -> HttpResponse:
    """The budget of a key."""
    return _set(request, key=get_object_or_404(request.workspace.api_keys, pk=key))


@require_http_methods(ASKING)
@workspace_view(Role.ADMIN)
def whole_budget(request: WorkspaceRequest) -> HttpResponse:
    """The budget of all calls of the workspace."""
    return _set(request)


@require_safe
@workspace_view(Role.VIEWER)
def budget_live(request: WorkspaceRequest, budget: UUID) -> HttpResponse:
    """The bar anew; 204 while it looks as the pulse `known`, and the whole page where the budget is gone."""
    standing = standing_of(budgets_of(request.workspace).filter(pk=budget).first())
    if standing is None:
        return HttpResponse(headers={"HX-Refresh": "true"})
    if request.GET.get("known") == standing.pulse:
        return HttpResponse(status=204)
    shown = bar(request, standing, live=True, switch="switch" in request.GET)
    return render(request, "metering/budgets/bar.html", {"bar": shown, "whose": "whose" in request.GET})


@require_http_methods(ASKING)
@workspace_view(Role.ADMIN)
def budget_raise(request: WorkspaceRequest, budget: UUID) -> HttpResponse:
    """Let more be spent for a while."""
    row = _find(request, budget)
    standing = standing_of(row)
    ends = standing.ends if standing else timezone.now()
    form = RaiseForm(request.POST or None, zone=zone_of(row), month_ends=ends)
    if request.method == "POST" and form.is_valid():
        try:
            row = budgets.raise_budget(budget=row, actor=request.user, **form.cleaned_data)
        except ValidationError as error:
            show(form, error)
        else:
            messages.success(request, f"The {_noun(row)} of {_owner(row)} is raised by {total(row.raised_by)}.")
            return redirect(home(row))
    context = {"form": form, "owner": _owner(row), "back": home(row), "bar": bar(request, standing, live=False)}
    return render(request, "metering/budgets/raise.html", {"budget": row, **context})


@require_POST
@workspace_view(Role.ADMIN)
def budget_raise_end(request: WorkspaceRequest, budget: UUID) -> HttpResponse:
    """Back to the limit itself."""
    return _done(request, budget, budgets.end_raise, "The raise of the {noun} of {owner} has ended.")


@require_http_methods(ASKING)
@workspace_view(Role.ADMIN)
def budget_pause(request: WorkspaceRequest, budget: UUID) -> HttpResponse:
    """Ask, then let calls pass."""
    if request.method == "POST":
        return _done(request, budget, budgets.pause_budget, "The {noun} of {owner} is paused.")
    return _ask(request, budget, "metering/budgets/pause.html")


@require_POST
@workspace_view(Role.ADMIN)
def budget_resume(request: WorkspaceRequest, budget: UUID) -> HttpResponse:
    """Hold calls to it again."""
    return _done(request, budget, budgets.resume_budget, "The {noun} of {owner} holds again.")


@require_http_methods(ASKING)
@workspace_view(Role.ADMIN)
def budget_remove(request: WorkspaceRequest, budget: UUID) -> HttpResponse:
    """Ask, then take it away."""
    if request.method == "POST":
        return _done(request, budget, budgets.remove_budget, "The {noun} of {owner} is removed.")
    return _ask(request, budget, "metering/budgets/remove.html")


def _set(request: WorkspaceRequest, client: Client | None = None, key: ApiKey | None = None) -> HttpResponse:
    workspace = request.workspace
    found = budgets_of(workspace).filter(client=client, key=key).first()
    form = BudgetForm(request.POST or None)
    if found:
        form.start_from(found)
    if request.method == "POST" and form.is_valid():
        try:
            row = budgets.set_budget(workspace=workspace, client=client, key=key, actor=request.user, **form.terms())
        except ValidationError as error:
            show(form, error)
        else:
            _tell(request, row)
            return redirect(home(row))
    about = found or Budget(workspace=workspace, client=client, key=key)
    context = {"form": form, "budget": found, "owner": _owner(about), "back": home(about)}
    return render(request, "metering/budgets/set.html", context)


def _tell(request: WorkspaceRequest, budget: Budget) -> None:
    """Say what was set, and whether calls are refused from now on."""
    standing = standing_of(budget)
    text = f"{_owner(budget)} has a {_noun(budget)} of {total(budget.limit)} a month."
    if standing and standing.state in (USED_UP, OVER):
        then = "Calls are refused." if budget.hard else "It only warns: calls go on."
        messages.warning(request, f"{text} {total(standing.settled)} is spent already. {then}")
    else:
        messages.success(request, text)


def _find(request: WorkspaceRequest, budget: UUID) -> Budget:
    return get_object_or_404(budgets_of(request.workspace), pk=budget)


def _ask(request: WorkspaceRequest, budget: UUID, template: str) -> HttpResponse:
    row = _find(request, budget)
    context = {"budget": row, "noun": _noun(row), "owner": _owner(row), "back": home(row)}
    return render(request, template, {**context, "standing": standing_of(row)})


def _done(request: WorkspaceRequest, budget: UUID, deed: Callable[..., Any], told: str) -> HttpResponse:
    row = _find(request, budget)
    try:
        deed(budget=row, actor=request.user)
    except ValidationError as error:
        messages.error(request, error.messages[0])
    else:
        messages.success(request, told.format(noun=_noun(row), owner=_owner(row)))
    return redirect(home(row))


def _noun(budget: Budget) -> str:
    return "cap" if budget.hard else "budget"


def _owner(budget: Budget) -> str:
    """Whose it is, in the page's words."""
    return str(budget.key or budget.client or budget.workspace)
