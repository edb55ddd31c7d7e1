from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from metering import reports, series
from metering.ledger import UsageEvent
from metering.periods import Period, preset
from metering.sums import Sums
from tests.ledger import event, record
from tokonomics.models import Workspace

TODAY = date(2026, 6, 23)
MONTH = preset("month", TODAY)


def at(day: int, month: int = 6, hour: int = 12) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


@pytest.fixture
def june(workspace: Workspace, stranger: Workspace) -> list[UsageEvent]:
    record(event(stranger, cost=10**12), event(workspace, admitted_at=at(7, month=4), cost=5 * 10**11))
    return record(
        event(workspace, admitted_at=at(3), client="acme-corp", cost=300_000_000_001),
        event(workspace, admitted_at=at(3), client="acme-corp", model="gpt-4.1", cost=99_999_999_999),
        event(workspace, admitted_at=at(4), client="halcyon", provider="anthropic", model="claude-sonnet-4-5", cost=5),
        event(workspace, admitted_at=at(5), client="", cost=100_000_000_000, estimated=True),
        event(workspace, admitted_at=at(5), client="halcyon", model="mystery", cost=None, cost_source="", lines=[]),
        event(workspace, admitted_at=at(2, month=5), client="acme-corp", cost=320_000_000_000),
        event(workspace, admitted_at=at(28, month=5), client="acme-corp", cost=1),
    )


def test_overview_adds_up_to_the_nano_dollar(workspace: Workspace, june: list[UsageEvent]) -> None:
    found = reports.overview(workspace.id, MONTH)
    assert found.total.cost == sum(item.cost or 0 for item in june[:5]) == 500_000_000_005
    parts = [*found.clients, found.other_clients, found.unattributed]
    assert sum((row.sums for row in parts), Sums()) == found.total
    assert sum((row.sums for row in (*found.models, found.other_models)), Sums()) == found.total


def test_overview_by_client(workspace: Workspace, june: list[UsageEvent]) -> None:
    found = reports.overview(workspace.id, MONTH)
    rows = [(row.name, row.sums.calls, row.sums.cost, row.before, row.share) for row in found.clients]
    assert rows == [
        ("acme-corp", 2, 400_000_000_000, 320_000_000_000, Decimal(400_000_000_000) / 500_000_000_005),
        ("halcyon", 2, 5, 0, Decimal(5) / 500_000_000_005),
    ]
    assert found.client_count == 2
    assert (found.unattributed.sums.calls, found.unattributed.sums.cost) == (1, 100_000_000_000)


def test_overview_compares_the_same_days(workspace: Workspace, june: list[UsageEvent]) -> None:
    assert reports.overview(workspace.id, MONTH).cost_before == 320_000_000_000


def test_overview_counts_what_is_not_exact(workspace: Workspace, june: list[UsageEvent]) -> None:
    total = reports.overview(workspace.id, MONTH).total
    assert (total.calls, total.unpriced, total.estimated, total.tokens) == (5, 1, 1, 5 * 1200)


def test_overview_by_model(workspace: Workspace, june: list[UsageEvent]) -> None:
    found = reports.overview(workspace.id, MONTH)
    assert [(row.provider, row.name, row.sums.unpriced) for row in found.models] == [
        ("openai", "gpt-4.1-mini", 0),
        ("openai", "gpt-4.1", 0),
        ("anthropic", "claude-sonnet-4-5", 0),
        ("openai", "mystery", 1),
    ]
    assert found.model_count == 4


def test_overview_sums_the_clients_it_does_not_name(workspace: Workspace) -> None:
    many = reports.SHOWN["client"] + 3
    record(*(event(workspace, client=f"client-{number:02}", cost=1000 - number) for number in range(many)))
    found = reports.overview(workspace.id, MONTH)
    assert (len(found.clients), found.client_count) == (reports.SHOWN["client"], many)
    assert (found.other_clients.sums.calls, found.other_clients.sums.cost) == (3, 975 + 974 + 973)


def test_overview_without_calls(workspace: Workspace) -> None:
    found = reports.overview(workspace.id, MONTH)
    assert (found.total, found.clients, found.unattributed.share) == (Sums(), [], None)


@pytest.mark.parametrize("clients", [1, 3])
def test_overview_takes_one_query(
    workspace: Workspace, clients: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    record(*(event(workspace, client=f"client-{number}") for number in range(clients)))
    with django_assert_num_queries(1):
        reports.overview(workspace.id, MONTH)


def test_a_day_is_the_workspace_s_own(workspace: Workspace) -> None:
    record(
        event(workspace, admitted_at=datetime(2026, 5, 31, 21, 59, tzinfo=UTC), cost=7),
        event(workspace, admitted_at=datetime(2026, 5, 31, 22, 0, tzinfo=UTC), cost=11),
    )
    may = Period(date(2026, 5, 31), date(2026, 5, 31))
    assert reports.overview(workspace.id, may).total.cost == 7
    assert reports.overview(workspace.id, MONTH).total.cost == 11


def test_by_day(workspace: Workspace, june: list[UsageEvent]) -> None:
    found = series.by_day(workspace.id, MONTH, "client", TODAY)
    assert (found.days[0], found.days[-1]) == (date(2026, 6, 1), date(2026, 6, 30))
    assert [(named.name, named.total) for named in found.named] == [("acme-corp", 400_000_000_000), ("halcyon", 5)]
    assert found.unattributed.costs[4] == 100_000_000_000
    assert sum(found.totals) == 500_000_000_005


def test_by_day_puts_the_smaller_groups_together(workspace: Workspace) -> None:
    names = [f"client-{number}" for number in range(series.SHOWN + 2)]
    record(*(event(workspace, client=name, cost=100 - number) for number, name in enumerate(names)))
    found = series.by_day(workspace.id, MONTH, "client", TODAY)
    assert [named.name for named in found.named] == names[: series.SHOWN]
    assert (found.other_count, found.others.total) == (2, 94 + 93)


@pytest.mark.parametrize(
    ("group", "names"),
    [
        ("model", ["gpt-4.1-mini", "gpt-4.1"]),
        ("provider", ["openai"]),
        ("key", ["01990000-0000-7000-8000-000000000001"]),
    ],
)
def test_by_day_and_group(workspace: Workspace, group: str, names: list[str]) -> None:
    record(event(workspace, cost=3), event(workspace, client="", model="gpt-4.1", cost=2))
    found = series.by_day(workspace.id, MONTH, group, TODAY)
    assert [named.name for named in found.named] == names
    assert (sum(found.totals), found.unattributed.total) == (5, 0)


def test_the_same_weekday_of_the_month_before(workspace: Workspace) -> None:
    record(
        event(workspace, admitted_at=at(4, month=5), cost=40), event(workspace, admitted_at=at(25, month=5), cost=90)
    )
    previous = series.by_day(workspace.id, MONTH, "client", TODAY).previous
    assert (previous[0], previous[1], previous[21], previous[28]) == (40, 0, 90, None)


def test_no_markers_without_calls_before(workspace: Workspace) -> None:
    record(event(workspace))
    assert set(series.by_day(workspace.id, MONTH, "client", TODAY).previous) == {None}


def test_a_forecast_repeats_the_last_full_week(workspace: Workspace) -> None:
    record(*(event(workspace, admitted_at=at(day), cost=day) for day in range(14, 24)))
    forecast = series.by_day(workspace.id, MONTH, "client", TODAY).forecast
    assert forecast[21] is None
    assert list(forecast[22:]) == [16, 17, 18, 19, 20, 21, 22, 16]


def test_no_forecast_from_less_than_a_week(workspace: Workspace) -> None:
    record(*(event(workspace, admitted_at=at(day)) for day in range(20, 24)))
    assert set(series.by_day(workspace.id, MONTH, "client", TODAY).forecast) == {None}


@pytest.mark.parametrize("clients", [1, 3])
def test_by_day_takes_two_queries(
    workspace: Workspace, clients: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    record(*(event(workspace, client=f"client-{number}") for number in range(clients)))
    with django_assert_num_queries(2):
        series.by_day(workspace.id, MONTH, "client", TODAY)
