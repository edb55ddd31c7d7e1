from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

import pytest
from django.db import connection, transaction

from metering import selection
from metering.corrections import append, correction
from metering.filters import EventFilter
from metering.ledger import DailyTagUsage, DailyUsage, UsageEvent
from metering.periods import Period
from metering.recording import names
from metering.snapshot import snapshot
from metering.verify import Scope, differences
from tests.ledger import NOON, event, record
from tokonomics.models import Workspace

pytestmark = pytest.mark.django_db
CAUSE = UUID("01990000-0000-7000-8000-0000000000aa")
MOVED = {"cost": 30, "cost_source": "override", "price_version": "own", "lines": [], "flags": ["repriced"]}


def difference() -> list[str]:
    with snapshot():
        return [str(one) for one in differences(Scope())]


def test_an_adjustment_moves_events_and_rollups_together(workspace: Workspace) -> None:
    [call] = record(event(workspace, estimated=True, status="provider_error"))
    [added] = append([correction(call, CAUSE, **MOVED)])
    assert added["id"] == str(uuid5(call.id, str(CAUSE)))
    found = UsageEvent.objects.get(id=added["id"])
    assert (found.admitted_at, found.cost, found.latency_ms, found.http_status) == (NOON, 30, 0, 200)
    row = DailyUsage.objects.get()
    assert (row.calls, row.errors, row.estimated, row.cost, row.input_tokens) == (1, 1, 1, 720_030, 1000)
    assert DailyTagUsage.objects.get().cost == 720_030
    assert difference() == []


def test_the_same_again_adds_nothing(workspace: Workspace) -> None:
    [call] = record(event(workspace))
    assert len(append([correction(call, CAUSE, **MOVED)])) == 1
    assert append([correction(call, CAUSE, **MOVED)]) == []
    assert append([]) == []
    assert (UsageEvent.objects.count(), DailyUsage.objects.get().cost) == (2, 720_030)


def test_two_in_one_call_count_both(workspace: Workspace) -> None:
    calls = record(event(workspace), event(workspace, client="globex"))
    assert len(append([correction(call, CAUSE, **MOVED) for call in calls])) == 2
    assert difference() == []


def test_what_is_rolled_back_was_never_there(workspace: Workspace) -> None:
    [call] = record(event(workspace))
    with transaction.atomic():
        append([correction(call, CAUSE, **MOVED)])
        transaction.set_rollback(True)
    assert (UsageEvent.objects.count(), DailyUsage.objects.get().cost) == (1, 720_000)


def test_a_first_price_takes_the_call_out_of_the_unpriced(workspace: Workspace) -> None:
    [call, _] = record(event(workspace, cost=None), event(workspace, cost=None))
    append([correction(call, CAUSE, **MOVED | {"flags": ["repriced", "priced"]})])
    assert (DailyUsage.objects.get().unpriced, DailyTagUsage.objects.get().unpriced) == (1, 1)
    assert difference() == []
    june = EventFilter(Period(NOON.date(), NOON.date()), only="unpriced")
    assert [found.id for found in selection.page(workspace.id, june).events] != [call.id]
    assert selection.summary(workspace.id, june).calls == 1


def test_a_tag_beyond_the_limit_is_corrected_where_it_was_counted(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "LIMIT", 1)
    record(event(workspace, tags={"project": "one"}))
    [call] = record(event(workspace, tags={"project": "two"}))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE daily_tag_usage SET tag_value = 'other' WHERE tag_value = 'two'")
    append([correction(call, CAUSE, **MOVED)])
    rows: Any = DailyTagUsage.objects.values_list("tag_value", "cost").order_by("tag_value")
    assert list(rows) == [("one", 720_000), ("other", 720_030)]
