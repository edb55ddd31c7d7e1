from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from metering.budgets import budgets_of
from metering.ledger import BudgetPeriod, Reservation
from metering.models import Budget
from metering.standings import Standing, current, running_calls, tightest
from tests.factories import ApiKeyFactory, BudgetFactory, ClientFactory, WorkspaceFactory
from tests.ledger import NOON, event, record
from tokonomics.figures import percent
from tokonomics.ids import new_id
from tokonomics.models import Workspace

DOLLAR = 10**9


def only(workspace: Workspace, moment: datetime = NOON) -> Standing:
    [standing] = current(budgets_of(workspace), moment).values()
    return standing


def standing(settled: int, limit: int = 1000, *, hard: bool = True, paused: bool = False, **fields: Any) -> Standing:
    budget = Budget(workspace=Workspace(), limit=limit, hard=hard, paused_at=NOON if paused else None)
    values: dict[str, Any] = {"starts": NOON, "ends": NOON, "raised_by": 0, "reserved": 0}
    return Standing(budget=budget, limit=limit, settled=settled, **(values | fields))


def test_each_budget_sees_its_own_calls(workspace: Workspace) -> None:
    acme = ClientFactory.create(workspace=workspace, slug="acme-corp")
    key = ApiKeyFactory.create(workspace=workspace)
    whole, of_client, of_key = (
        BudgetFactory.create(workspace=workspace, **target) for target in ({}, {"client": acme}, {"key": key})
    )
    record(
        event(workspace, cost=1),
        event(workspace, cost=20, client="other", key_id=key.pk),
        event(workspace, cost=300, key_id=key.pk),
        event(workspace, cost=None),
        event(workspace, cost=4000, admitted_at=NOON - timedelta(days=31)),
        event(WorkspaceFactory.create(), cost=50_000),
    )
    found = current(budgets_of(workspace), NOON)
    assert {budget: row.settled for budget, row in found.items()} == {whole.pk: 321, of_client.pk: 301, of_key.pk: 320}
    assert only_month(found[whole.pk]) == ("2026-06-01T00:00:00+02:00", "2026-07-01T00:00:00+02:00")


def only_month(row: Standing) -> tuple[str, str]:
    return row.starts.isoformat(), row.ends.isoformat()


def test_months_are_of_the_client_s_zone(workspace: Workspace) -> None:
    tokyo = ClientFactory.create(workspace=workspace, slug="tokyo", timezone="Asia/Tokyo")
    BudgetFactory.create(workspace=workspace, client=tokyo, billing_day=15)
    record(
        event(workspace, client="tokyo", cost=1, admitted_at=datetime(2026, 6, 14, 14, 59, tzinfo=UTC)),
        event(workspace, client="tokyo", cost=20, admitted_at=datetime(2026, 6, 14, 15, tzinfo=UTC)),
    )
    found = only(workspace)
    assert only_month(found) == ("2026-06-15T00:00:00+09:00", "2026-07-15T00:00:00+09:00")
    assert found.settled == 20


def test_a_key_s_month_is_the_workspace_s(workspace: Workspace) -> None:
    tokyo = ClientFactory.create(workspace=workspace, timezone="Asia/Tokyo")
    BudgetFactory.create(workspace=workspace, key=ApiKeyFactory.create(workspace=workspace, client=tokyo))
    assert only_month(only(workspace))[0] == "2026-06-01T00:00:00+02:00"


def test_an_open_month_keeps_its_bounds(workspace: Workspace) -> None:
    budget = BudgetFactory.create(workspace=workspace)
    only(workspace)
    workspace.timezone = "America/Toronto"
    workspace.save()
    Budget.objects.update(billing_day=10)
    assert only_month(only(workspace))[0] == "2026-05-31T18:00:00-04:00"
    july = only(workspace, datetime(2026, 7, 5, tzinfo=UTC))
    assert only_month(july) == ("2026-06-30T18:00:00-04:00", "2026-07-10T00:00:00-04:00")
    assert BudgetPeriod.objects.filter(budget_id=budget.pk).count() == 2


def test_a_month_that_is_open_is_not_summed_again(workspace: Workspace) -> None:
    BudgetFactory.create(workspace=workspace)
    only(workspace)
    BudgetPeriod.objects.update(settled=7, reserved=3)
    record(event(workspace, cost=1000))
    found = only(workspace)
    assert (found.settled, found.reserved, found.left, found.free) == (7, 3, 900 * DOLLAR - 7, 900 * DOLLAR - 10)


def test_a_raise_counts_until_it_ends(workspace: Workspace) -> None:
    BudgetFactory.create(workspace=workspace, limit=900, raised_by=300, raised_until=NOON)
    before, at = only(workspace, NOON - timedelta(microseconds=1)), only(workspace, NOON)
    assert [(row.limit, row.raised_by) for row in (before, at)] == [(1200, 300), (900, 0)]


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (standing(799), "ok"),
        (standing(800), "near"),
        (standing(999), "near"),
        (standing(1000), "used_up"),
        (standing(1001), "used_up"),
        (standing(0, limit=0), "used_up"),
        (standing(999, hard=False), "near"),
        (standing(1000, hard=False), "near"),
        (standing(1001, hard=False), "over"),
        (standing(5000, paused=True), "paused"),
    ],
)
def test_state(found: Standing, state: str) -> None:
    assert found.state == state


@pytest.mark.parametrize(
    ("settled", "limit", "printed"),
    [
        (0, 900, "0 %"),
        (1, 10_000, "<0.1 %"),
        (88, 1000, "8.8 %"),
        (9_999, 100_000, "9.9 %"),
        (82_011, 100_000, "82 %"),
        (99_999, 100_000, "99 %"),
        (100_000, 100_000, "100 %"),
        (107_999, 100_000, "107 %"),
        (5, 0, "100 %"),
    ],
)
def test_a_hundred_per_cent_is_said_when_it_is_so(settled: int, limit: int, printed: str) -> None:
    assert percent(standing(settled, limit).used).replace("\N{NO-BREAK SPACE}", " ") == printed


def test_what_is_left_and_what_is_too_much() -> None:
    beyond = standing(1001, reserved=5)
    assert (beyond.left, beyond.free, beyond.excess) == (0, 0, 1)
    within = standing(990, reserved=50)
    assert (within.left, within.free, within.excess, within.used) == (10, 0, 0, Decimal("0.99"))


def test_the_pulse_changes_with_what_is_shown() -> None:
    rows = [
        standing(1),
        standing(2),
        standing(1, reserved=1),
        standing(1, limit=1001),
        standing(1, paused=True),
        standing(1, starts=NOON + timedelta(days=31)),
    ]
    assert len({row.pulse for row in rows}) == len(rows)
    assert rows[0].pulse == standing(1).pulse


def test_running_calls(workspace: Workspace) -> None:
    budget, other = BudgetFactory.create(workspace=workspace), BudgetFactory.create()
    found = only(workspace)
    assert running_calls(found) == 0
    for target in (budget, budget, other):
        Reservation.objects.create(
            id=new_id(),
            workspace_id=target.workspace_id,
            process=new_id(),
            budgets=[target.pk],
            starts=[found.starts],
            amount=5,
            intent={},
            created_at=timezone.now(),
        )
    BudgetPeriod.objects.update(reserved=10)
    assert running_calls(only(workspace)) == 2


def test_the_tightest_holds_calls_back_first() -> None:
    wide, narrow, paused = standing(10), standing(900), standing(999, paused=True)
    assert tightest([wide, narrow, paused]) == narrow
    assert tightest([paused]) == paused
    assert tightest([]) is None


def test_a_budget_that_is_gone_is_left_out(workspace: Workspace) -> None:
    budgets = list(budgets_of(BudgetFactory.create(workspace=workspace).workspace))
    Budget.objects.all().delete()
    assert current(budgets, NOON) == {}


@pytest.mark.parametrize("clients", [1, 3])
def test_queries(workspace: Workspace, clients: int, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for client in ClientFactory.create_batch(clients, workspace=workspace):
        BudgetFactory.create(workspace=workspace, client=client)
    budgets = list(budgets_of(workspace))
    with django_assert_num_queries(3):
        current(budgets, NOON)
    with django_assert_num_queries(1):
        current(budgets, NOON)
    with django_assert_num_queries(0):
        current([], NOON)
