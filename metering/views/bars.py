"""The bar of one budget on a page: how far it is used, in words and drawn, and what may be done about it."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone

from metering import clock
from metering.models import Budget
from metering.standings import Standing, current, running_calls, zone_of
from tokonomics.access import WorkspaceRequest, reaches
from tokonomics.figures import day_name
from tokonomics.models import Role


def bar(request: WorkspaceRequest, standing: Standing | None, *, live: bool, switch: bool = False) -> dict[str, Any]:
    """What `metering/budgets/bar.html` shows (at most 1 query); `switch`: with a way to pause it, on a page of its own.

    Without a standing nothing but who may make a budget.
    """
    facts: dict[str, Any] = {"may_change": reaches(request.role, Role.ADMIN), "standing": standing}
    if standing is None:
        return facts
    return facts | {
        "running_calls": running_calls(standing),
        "raised_until": _until(standing.budget) if standing.raised_by else "",
        "all_held": standing.reserved >= standing.left,
        "edit": edit_address(standing.budget),
        "live": live,
        "switch": switch,
        "as_of": clock.now(request.workspace),
    }


def standing_of(budget: Budget | None) -> Standing | None:
    """Where a budget stands at this moment; None for none, or one that has just been removed."""
    return current([budget], timezone.now()).get(budget.pk) if budget else None


def home(budget: Budget) -> str:
    """The address of the page that a budget stands on."""
    if budget.key_id:
        return reverse("key", args=[budget.workspace_id, budget.key_id])
    if budget.client_id:
        return reverse("client", args=[budget.workspace_id, budget.client_id])
    return reverse("workspace_budget", args=[budget.workspace_id])


def edit_address(budget: Budget) -> str:
    """The address where its limit is set."""
    if budget.key_id:
        return reverse("key_budget", args=[budget.workspace_id, budget.key_id])
    if budget.client_id:
        return reverse("client_budget", args=[budget.workspace_id, budget.client_id])
    return reverse("whole_budget", args=[budget.workspace_id])


def _until(budget: Budget) -> str:
    """`the end of 27 June`, or `27 June, 14:00`, in the budget's zone."""
    ends = (budget.raised_until or datetime.min.replace(tzinfo=UTC)).astimezone(zone_of(budget))
    if ends.time() == time.min:
        return f"the end of {day_name(ends.date() - timedelta(days=1))}"
    return f"{day_name(ends.date())}, {ends:%H:%M}"
