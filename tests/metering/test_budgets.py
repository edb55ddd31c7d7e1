from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.utils import timezone

from metering import budgets
from metering.budgets import LARGEST
from metering.models import Budget, BudgetPeriod
from tests.factories import ApiKeyFactory, ApiTokenFactory, BudgetFactory, ClientFactory
from tokonomics.models import AuditEntry, User, Workspace

DOLLAR = 10**9
NOW = datetime(2026, 6, 23, 14, 32, 7, tzinfo=UTC)
DEEDS: list[Callable[..., Any]] = [
    budgets.end_raise,
    budgets.pause_budget,
    budgets.resume_budget,
    budgets.remove_budget,
]


def details() -> list[tuple[str, dict[str, Any]]]:
    return [(entry.verb, entry.details) for entry in AuditEntry.objects.order_by("created_at", "id")]


def test_a_budget_for_each_target(workspace: Workspace, alice: User) -> None:
    client, key = ClientFactory.create(workspace=workspace), ApiKeyFactory.create(workspace=workspace)
    whole = budgets.set_budget(workspace=workspace, limit=5, hard=False, actor=alice)
    of_client = budgets.set_budget(workspace=workspace, client=client, limit=6, hard=True, billing_day=28, actor=alice)
    of_key = budgets.set_budget(workspace=workspace, key=key, limit=0, hard=True, actor=None)
    assert set(budgets.budgets_of(workspace)) == {whole, of_client, of_key}
    found = Budget.objects.get(client=client)
    assert (found.workspace, found.key, found.limit, found.hard, found.billing_day) == (workspace, None, 6, True, 28)


def test_setting_again_changes_what_differs(workspace: Workspace, alice: User) -> None:
    first = budgets.set_budget(workspace=workspace, limit=900 * DOLLAR, hard=True, actor=alice)
    second = budgets.set_budget(workspace=workspace, limit=1_200_500_000_000, hard=True, actor=alice)
    budgets.set_budget(workspace=workspace, limit=1_200_500_000_000, hard=True, actor=alice)
    assert first == second == Budget.objects.get()
    assert details() == [
        (
            "set",
            {
                "limit_usd": {"before": None, "after": "900"},
                "kind": {"before": None, "after": "cap"},
                "billing_day": {"before": None, "after": 1},
            },
        ),
        ("set", {"limit_usd": {"before": "900", "after": "1200.5"}}),
    ]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"limit": -1}, "limit"),
        ({"limit": LARGEST + 1}, "limit"),
        ({"limit": 0, "hard": False}, "limit"),
        ({"billing_day": 0}, "billing_day"),
        ({"billing_day": 29}, "billing_day"),
    ],
)
def test_terms_that_are_none(workspace: Workspace, alice: User, wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        budgets.set_budget(workspace=workspace, actor=alice, **({"limit": 1, "hard": True} | wrong))
    assert list(caught.value.message_dict) == [field]
    assert not Budget.objects.exists()


def test_targets_that_cannot_have_one(workspace: Workspace, alice: User) -> None:
    gone = timezone.now()
    mine, foreign = ClientFactory.create(workspace=workspace), ClientFactory.create()
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"client": foreign}, "is not of this workspace"),
        ({"key": ApiKeyFactory.create()}, "is not of this workspace"),
        ({"client": mine, "key": ApiKeyFactory.create(workspace=workspace)}, "not for both"),
        ({"client": ClientFactory.create(workspace=workspace, archived_at=gone)}, "is archived"),
        ({"key": ApiKeyFactory.create(workspace=workspace, revoked_at=gone)}, "is revoked"),
    ]
    for target, reason in wrong:
        with pytest.raises(ValidationError, match=reason):
            budgets.set_budget(workspace=workspace, limit=1, hard=True, actor=alice, **target)
    assert not Budget.objects.exists()


def test_a_raise_replaces_a_raise(workspace: Workspace, alice: User) -> None:
    budget = BudgetFactory.create(workspace=workspace)
    until = timezone.now() + timedelta(days=3)
    budgets.raise_budget(budget=budget, amount=1, until=until, reason="first", actor=alice)
    row = budgets.raise_budget(budget=budget, amount=300 * DOLLAR, until=until, reason=" launch  week ", actor=alice)
    assert row == budget
    budget.refresh_from_db()
    assert (budget.limit, budget.raised_by) == (900 * DOLLAR, 300 * DOLLAR)
    assert (budget.raised_until, budget.raise_reason) == (until, "launch week")
    assert details()[-1] == (
        "raised",
        {"amount_usd": "300", "until": until.isoformat(), "reason": "launch week"},
    )


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": -DOLLAR}, "amount"),
        ({"amount": LARGEST + 1}, "amount"),
        ({"until": NOW}, "until"),
        ({"until": NOW + timedelta(days=367)}, "until"),
        ({"reason": " "}, "reason"),
        ({"reason": "x" * 201}, "reason"),
        ({"reason": "\u202e"}, "reason"),
    ],
)
def test_a_raise_that_is_none(workspace: Workspace, alice: User, wrong: dict[str, Any], field: str) -> None:
    budget = BudgetFactory.create(workspace=workspace)
    good: dict[str, Any] = {"amount": 1, "until": NOW + timedelta(days=1), "reason": "why"}
    with time_machine.travel(NOW, tick=False), pytest.raises(ValidationError) as caught:
        budgets.raise_budget(budget=budget, actor=alice, **(good | wrong))
    assert list(caught.value.message_dict) == [field]
    budget.refresh_from_db()
    assert (budget.raised_by, budget.raised_until) == (0, None)


def test_a_raise_is_ended_once(workspace: Workspace, alice: User) -> None:
    budget = BudgetFactory.create(
        workspace=workspace, raised_by=DOLLAR, raised_until=timezone.now() + timedelta(days=1), raise_reason="why"
    )
    budgets.end_raise(budget=budget, actor=alice)
    row = budgets.end_raise(budget=budget, actor=alice)
    assert (row.raised_by, row.raised_until, row.raise_reason) == (0, None, "")
    assert details() == [("ended the raise of", {"amount_usd": "1"})]


def test_pause_and_resume(workspace: Workspace, alice: User) -> None:
    budget = BudgetFactory.create(workspace=workspace)
    first = budgets.pause_budget(budget=budget, actor=alice).paused_at
    assert first is not None
    assert budgets.pause_budget(budget=budget, actor=alice).paused_at == first
    budgets.resume_budget(budget=budget, actor=alice)
    assert budgets.resume_budget(budget=budget, actor=alice).paused_at is None
    assert [verb for verb, _ in details()] == ["paused", "resumed"]


def test_removing_takes_the_months_along(workspace: Workspace, alice: User) -> None:
    budget, other = BudgetFactory.create(workspace=workspace), BudgetFactory.create()
    for row in (budget, other):
        BudgetPeriod.objects.create(
            budget_id=row.pk, workspace_id=row.workspace_id, starts_at=NOW, ends_at=NOW, settled=1, reserved=0
        )
    token = ApiTokenFactory.create(workspace=workspace)
    budgets.remove_budget(budget=budget, actor=token)
    assert list(Budget.objects.all()) == [other]
    assert list(BudgetPeriod.objects.values_list("budget_id", flat=True)) == [other.pk]
    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.actor_name, entry.details) == ("removed", str(token), {"limit_usd": "900"})


@pytest.mark.parametrize("deed", DEEDS)
def test_what_was_removed_meanwhile(workspace: Workspace, alice: User, deed: Callable[..., Any]) -> None:
    budget = BudgetFactory.create(workspace=workspace)
    Budget.objects.all().delete()
    with pytest.raises(ValidationError, match="was removed in the meantime"):
        deed(budget=budget, actor=alice)
    assert not AuditEntry.objects.exists()


def test_the_status_of_refusals(workspace: Workspace, alice: User) -> None:
    budgets.set_refusal_status(workspace=workspace, status=402, actor=alice)
    budgets.set_refusal_status(workspace=workspace, status=402, actor=alice)
    workspace.refresh_from_db()
    assert workspace.budget_status == 402
    assert details() == [("changed", {"refusal_status": {"before": 429, "after": 402}})]
    with pytest.raises(ValidationError, match="429 or 402"):
        budgets.set_refusal_status(workspace=workspace, status=200, actor=alice)
