"""What verify says of budgets, and what it mends when asked."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from metering.models import Budget, BudgetPeriod, DailyTagUsage, DailyUsage
from tests import factories
from tests.spooled import intent, leave, record, result, rows, totals
from tokonomics.models import Workspace

JUNE, JULY = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Two calls on a budget, and one of another workspace."""
    made = factories.WorkspaceFactory.create()
    budget = Budget.objects.create(workspace=made, limit=1, hard=True)
    rows("SELECT open_budget_period(%s, %s, %s)", [budget.pk, JUNE, JULY])
    other = factories.WorkspaceFactory.create()
    leave(tmp_path, result(intent(made)), result(intent(made)), result(intent(other)))
    record(tmp_path)
    return made


def verify(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    call_command("verify", *options)
    return capsys.readouterr().out


def test_agreement_is_said(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    told = verify(capsys)
    assert told.splitlines() == [
        "Events and rollups agree: 3 calls, 0.00216 USD, 2 rows of daily usage.",
        "Events and budgets agree: 1 periods.",
    ]


def test_a_wrong_budget_is_found(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    BudgetPeriod.objects.update(settled=5, reserved=7)
    with pytest.raises(CommandError, match="1 rows of the rollups and budgets differ"):
        call_command("verify")
    told = capsys.readouterr().out
    assert "settled is 5, its events say 1440000; reserved is 7, its reservations say 0" in told


def test_repair_makes_everything_anew(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    right = totals()
    BudgetPeriod.objects.update(settled=5, reserved=7)
    DailyUsage.objects.filter(workspace_id=workspace.pk).update(cost=1, calls=9)
    DailyTagUsage.objects.filter(workspace_id=workspace.pk, tag_key="project").delete()
    assert "rows differed and are made anew" in verify(capsys, "--repair")
    assert totals() == right
    period = BudgetPeriod.objects.get()
    assert (period.settled, period.reserved) == (1_440_000, 0)
    verify(capsys)
