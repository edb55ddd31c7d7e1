"""The budget of the whole workspace, and what a caller is told when a cap is used up: a page of the settings."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from metering.budgets import budgets_of, set_refusal_status
from metering.forms.budgets import RefusalForm
from metering.views.bars import bar, standing_of
from metering.views.choices import is_live
from tokonomics.access import WorkspaceRequest, reaches, workspace_view
from tokonomics.models import Role


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(Role.VIEWER, to_change=Role.ADMIN)
def workspace_budget(request: WorkspaceRequest) -> HttpResponse:
    """Where it stands; the form chooses the status of refusals."""
    workspace = request.workspace
    form = RefusalForm(request.POST or None, initial={"status": workspace.budget_status})
    if request.method == "POST" and form.is_valid():
        set_refusal_status(workspace=workspace, status=form.cleaned_data["status"], actor=request.user)
        messages.success(request, f"Calls that no cap has room for are answered with {workspace.budget_status}.")
        return redirect("workspace_budget", workspace.pk)
    standing = standing_of(budgets_of(workspace).filter(client=None, key=None).first())
    context = {
        "form": form,
        "bar": bar(request, standing, live=is_live(request), switch=True),
        "may_change": reaches(request.role, Role.ADMIN),
    }
    return render(request, "settings/budget.html", context)
