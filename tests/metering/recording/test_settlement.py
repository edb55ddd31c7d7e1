"""What recording does to budgets, through a whole recorder and a real ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from metering.models import Budget, BudgetPeriod, Client, GatewayProcess, Reservation, UsageEvent
from metering.recording.reaper import Reaper
from metering.recording.writing import Ledger
from tests import factories
from tests.spooled import KEY, NOON, Record, intent, leave, parameters, record, result, rows, totals
from tokonomics.ids import new_id
from tokonomics.models import Workspace

JUNE, JULY = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
COST = 720_000
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def workspace() -> Workspace:
    return factories.WorkspaceFactory.create()


def month(workspace: Workspace, *, reserved: int = 0, **target: Any) -> Budget:
    """A budget of a cent with an open June."""
    budget = Budget.objects.create(workspace=workspace, limit=10_000_000, hard=target.pop("hard", True), **target)
    BudgetPeriod.objects.create(
        budget_id=budget.pk, workspace_id=workspace.pk, starts_at=JUNE, ends_at=JULY, settled=0, reserved=reserved
    )
    return budget


def hold(workspace: Workspace, call: Record, budget: Budget, amount: int, process: Any = None) -> None:
    Reservation.objects.create(
        id=call["id"],
        workspace_id=workspace.pk,
        process=process or new_id(),
        budgets=[budget.pk],
        starts=[JUNE],
        amount=amount,
        intent=call,
        created_at=JUNE,
    )


def period(budget: Budget) -> tuple[int, int]:
    """Settled and reserved."""
    found = BudgetPeriod.objects.get(budget_id=budget.pk)
    return found.settled, found.reserved


def test_a_call_is_settled_on_every_budget_it_belongs_to(workspace: Workspace, tmp_path: Path) -> None:
    key = factories.ApiKeyFactory.create(workspace=workspace, id=KEY)
    acme = Client.objects.create(workspace=workspace, slug="acme-corp", name="Acme")
    other = Client.objects.create(workspace=workspace, slug="globex", name="Globex")
    budgets = [
        month(workspace),
        month(workspace, client=acme, hard=False),
        month(workspace, key=key),
        month(workspace, client=other),
        month(factories.WorkspaceFactory.create()),
    ]
    leave(tmp_path, result(intent(workspace)), result(intent(workspace)), result(intent(workspace), cost=None))
    record(tmp_path)
    assert [period(budget)[0] for budget in budgets] == [2 * COST, 2 * COST, 2 * COST, 0, 0]


def test_the_month_of_admission_counts(workspace: Workspace, tmp_path: Path) -> None:
    budget = month(workspace)
    last = int(JULY.timestamp()) * 1_000_000
    leave(tmp_path, *(result(intent(workspace, at=at)) for at in (last - 1, last, int(JUNE.timestamp()) * 1_000_000)))
    record(tmp_path)
    assert period(budget) == (2 * COST, 0)


def test_a_reservation_ends_with_its_event_once(workspace: Workspace, tmp_path: Path) -> None:
    budget = month(workspace, reserved=1_500_000)
    called, running = intent(workspace), intent(workspace)
    hold(workspace, called, budget, 1_000_000)
    hold(workspace, running, budget, 500_000)
    leave(tmp_path / "one", called, result(called))
    leave(tmp_path / "two", called, result(called))
    record(tmp_path / "one")
    record(tmp_path / "two")
    assert period(budget) == (COST, 500_000)
    assert [str(held.pk) for held in Reservation.objects.all()] == [running["id"]]


def test_a_call_that_was_never_sent_frees_all_of_it(workspace: Workspace, tmp_path: Path) -> None:
    budget = month(workspace, reserved=900)
    called = intent(workspace)
    hold(workspace, called, budget, 900)
    leave(tmp_path, called, result(called, status="not_dispatched", cost=0))
    record(tmp_path)
    assert period(budget) == (0, 0)


def test_an_adopted_call_settles_its_estimate(workspace: Workspace, tmp_path: Path) -> None:
    budget = month(workspace, reserved=300_000)
    called, unsent = intent(workspace), intent(workspace)
    process = leave(tmp_path, called)
    GatewayProcess.objects.create(id=process.name, seen_at=JUNE)
    hold(workspace, called, budget, 200_000, process.name)
    hold(workspace, unsent, budget, 100_000, process.name)
    record(tmp_path)
    assert period(budget) == (100_000, 0)
    assert UsageEvent.objects.count() == 1
    assert not GatewayProcess.objects.exists()


def test_the_first_sum_and_the_later_ones_neither_overlap_nor_leave_a_gap(workspace: Workspace, tmp_path: Path) -> None:
    leave(tmp_path / "before", result(intent(workspace)))
    record(tmp_path / "before")
    budget = Budget.objects.create(workspace=workspace, limit=1, hard=True)
    rows("SELECT open_budget_period(%s, %s, %s)", [budget.pk, JUNE, JULY])
    leave(tmp_path / "after", result(intent(workspace)))
    record(tmp_path / "after")
    assert period(budget) == (2 * COST, 0)


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def reap(reaper: Reaper, here: set[str] = frozenset()) -> int:  # type: ignore[assignment]
    ledger = Ledger(parameters())
    batch = reaper.look(ledger.connection, here)
    if batch:
        ledger.record(batch)
    ledger.close()
    return len(batch.results)


def test_the_calls_of_a_lost_machine_become_estimates(workspace: Workspace) -> None:
    budget = month(workspace, reserved=900_000)
    called, process = intent(workspace), new_id()
    hold(workspace, called, budget, 900_000, process)
    GatewayProcess.objects.create(id=process, seen_at=JUNE)
    clock = Clock()
    reaper = Reaper(clock)
    assert reap(reaper) == 0
    clock.now = 299
    assert reap(reaper) == 0
    GatewayProcess.objects.update(seen_at=JULY)  # it lives after all
    clock.now = 301
    assert reap(reaper) == 0
    clock.now = 700
    assert reap(reaper, {str(process)}) == 0  # its spool is here, so it is adopted instead
    assert reap(reaper) == 1
    assert period(budget) == (100_000, 0)
    event = UsageEvent.objects.get()
    assert (str(event.id), event.estimated, event.flags) == (called["id"], True, ["orphan"])


def test_a_late_result_is_an_adjustment(workspace: Workspace, tmp_path: Path) -> None:
    budget = month(workspace, reserved=900_000)
    called, process = intent(workspace), new_id()
    hold(workspace, called, budget, 900_000, process)
    clock = Clock()
    reaper = Reaper(clock)
    reap(reaper)
    clock.now = 301
    reap(reaper)
    for folder in ("late", "again"):
        leave(tmp_path / folder, called, result(called))
        record(tmp_path / folder)
    estimate, adjustment = UsageEvent.objects.order_by("source").reverse()
    assert (estimate.cost, adjustment.cost, adjustment.source) == (100_000, COST - 100_000, "adjustment")
    assert (adjustment.input_tokens, adjustment.output_tokens, adjustment.flags) == (750, 200, ["late_result"])
    assert period(budget) == (COST, 0)
    assert rows("SELECT calls, cost, input_tokens FROM daily_usage") == [(1, COST, 1000)]


def test_a_smaller_late_result_takes_away(workspace: Workspace, tmp_path: Path) -> None:
    called = intent(workspace)
    leave(tmp_path / "lost", called)
    record(tmp_path / "lost")
    leave(tmp_path / "found", called, result(called, cost=40_000, usage={"input_tokens": 9}))
    record(tmp_path / "found")
    assert sorted(UsageEvent.objects.values_list("cost", "input_tokens")) == [(-60_000, -241), (100_000, 250)]
    assert rows("SELECT cost, input_tokens FROM daily_usage") == [(40_000, 9)]


def test_a_call_told_twice_is_one_event(workspace: Workspace, tmp_path: Path) -> None:
    told = result(intent(workspace), source="n8n")
    leave(tmp_path / "one", told, told | {"at": NOON + 5})
    record(tmp_path / "one")
    leave(tmp_path / "two", told | {"at": NOON + 10}, result(intent(workspace), source="n8n"))
    record(tmp_path / "two")
    assert totals()["events"] == (2, 2 * COST)
    assert totals()["daily_usage"] == (2, 2 * COST)
