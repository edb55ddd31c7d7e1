from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from metering import selection
from metering.cursors import Cursor
from metering.filters import EventFilter
from metering.ledger import UsageEvent
from metering.periods import Period, preset
from metering.selection import Summary, TooMuch
from tests.ledger import NOON, event, record
from tokonomics.ids import new_id
from tokonomics.models import Workspace

MONTH = preset("month", date(2026, 6, 23))
ALL = EventFilter(MONTH)
OTHER_KEY = UUID("01990000-0000-7000-8000-000000000002")


@pytest.fixture
def calls(workspace: Workspace, stranger: Workspace) -> list[UsageEvent]:
    """Newest first."""
    record(event(stranger), event(workspace, admitted_at=NOON - timedelta(days=40)))
    made = record(
        event(workspace, cost=1),
        event(workspace, client="", cost=20, tags={"project": "chatbot"}),
        event(workspace, provider="anthropic", model="claude-sonnet-4-5", cost=300, estimated=True),
        event(workspace, key_id=OTHER_KEY, cost=None, status="aborted", tags={"project": "chatbot", "env": "live"}),
        event(workspace, client="halcyon", cost=50_000, tags={"project": "search", "env": "live"}),
    )
    return sorted(made, key=lambda item: (item.admitted_at, item.id), reverse=True)


def found(workspace: Workspace, chosen: EventFilter) -> set[int | None]:
    return {item.cost for item in selection.page(workspace.id, chosen).events}


@pytest.mark.parametrize(
    ("chosen", "costs"),
    [
        (ALL, {1, 20, 300, None, 50_000}),
        (EventFilter(MONTH, client="halcyon"), {50_000}),
        (EventFilter(MONTH, client=""), {20}),
        (EventFilter(MONTH, provider="anthropic"), {300}),
        (EventFilter(MONTH, model="claude-sonnet-4-5"), {300}),
        (EventFilter(MONTH, key=OTHER_KEY), {None}),
        (EventFilter(MONTH, status="aborted"), {None}),
        (EventFilter(MONTH, only="unpriced"), {None}),
        (EventFilter(MONTH, only="estimated"), {300}),
        (EventFilter(MONTH, tags=(("project", "chatbot"),)), {20, None}),
        (EventFilter(MONTH, tags=(("project", "chatbot"), ("project", "search"))), {20, None, 50_000}),
        (EventFilter(MONTH, tags=(("project", "chatbot"), ("env", "live"))), {None}),
        (EventFilter(MONTH, tags=(("project", "nowhere"),)), set()),
        (EventFilter(Period(date(2026, 6, 22), date(2026, 6, 22))), set()),
    ],
)
def test_a_filter_selects_and_its_summary_agrees(
    workspace: Workspace, calls: list[UsageEvent], chosen: EventFilter, costs: set[int | None]
) -> None:
    assert found(workspace, chosen) == costs
    priced = [cost for cost in costs if cost is not None]
    summary = selection.summary(workspace.id, chosen)
    assert (summary.calls, summary.cost, summary.unpriced) == (len(costs), sum(priced), len(costs) - len(priced))


def test_a_summary_counts_estimates(workspace: Workspace, calls: list[UsageEvent]) -> None:
    assert selection.summary(workspace.id, ALL) == Summary(5, 50_321, 1, 1)
    assert selection.summary(workspace.id, EventFilter(MONTH, status="ok")) == Summary(4, 50_321, 0, 1)


def test_a_tag_with_too_many_values_is_counted_on_the_events(workspace: Workspace) -> None:
    record(event(workspace, cost=5, tags={"request": "r-1"}), event(workspace, cost=6, tags={"request": "r-2"}))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE daily_tag_usage SET tag_value = 'other' WHERE tag_value = 'r-2'")
    assert selection.summary(workspace.id, EventFilter(MONTH, tags=(("request", "r-2"),))) == Summary(1, 6, 0, 0)
    assert selection.summary(workspace.id, EventFilter(MONTH, tags=(("request", "other"),))) == Summary(0, 0, 0, 0)


def test_pages_go_there_and_back(workspace: Workspace, calls: list[UsageEvent]) -> None:
    ids = [item.id for item in calls]
    first = selection.page(workspace.id, ALL, size=2)
    second = selection.page(workspace.id, ALL, first.older, size=2)
    third = selection.page(workspace.id, ALL, second.older, size=2)
    assert [[item.id for item in page.events] for page in (first, second, third)] == [ids[:2], ids[2:4], ids[4:]]
    assert (first.newer, third.older) == (None, None)
    back = selection.page(workspace.id, ALL, third.newer, size=2)
    assert [item.id for item in back.events] == ids[2:4]
    start = selection.page(workspace.id, ALL, back.newer, size=2)
    assert ([item.id for item in start.events], start.newer) == (ids[:2], None)


def test_calls_of_one_microsecond_are_told_apart_by_id(workspace: Workspace) -> None:
    made = record(*(event(workspace) for _ in range(5)))
    seen: list[UUID] = []
    cursor: Cursor | None = None
    for _ in range(5):
        page = selection.page(workspace.id, ALL, cursor, size=1)
        seen += [item.id for item in page.events]
        cursor = page.older
    assert seen == sorted((item.id for item in made), reverse=True)


def test_the_day_is_that_of_admission_after_a_change_of_zone(workspace: Workspace) -> None:
    record(event(workspace, admitted_at=datetime(2026, 5, 31, 22, 30, tzinfo=UTC)))
    workspace.timezone = "America/Toronto"
    workspace.save()
    assert selection.summary(workspace.id, ALL).calls == 1
    assert len(selection.page(workspace.id, ALL).events) == 1


def test_find_is_by_workspace(workspace: Workspace, stranger: Workspace) -> None:
    mine, theirs = record(event(workspace), event(stranger))
    assert selection.find(workspace.id, mine.id) == mine
    assert selection.find(workspace.id, theirs.id) is None
    assert selection.find(workspace.id, new_id()) is None


def test_find_by_the_instant_in_the_id(workspace: Workspace, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    (made,) = record(event(workspace, admitted_at=datetime.now(UTC)))
    with django_assert_num_queries(1):
        assert selection.find(workspace.id, made.id) == made


@pytest.mark.django_db
def test_what_takes_too_long_is_too_much() -> None:
    with pytest.raises(TooMuch), selection.bounded(milliseconds=1), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(60)")


@pytest.mark.django_db
def test_other_failures_are_not_called_too_much() -> None:
    with pytest.raises(ZeroDivisionError), selection.bounded():
        raise ZeroDivisionError
