"""The months of the event table, and that nothing in them can be changed."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from metering.ledger import UsageEvent
from metering.partitions import ahead, existing, following, make_partitions, name_of
from tests import ledger
from tests.spooled import parameters, rows
from tokonomics.models import Workspace


def test_this_month_and_the_next_two_are_made_ahead() -> None:
    assert ahead(date(2026, 11, 25)) == [date(2026, 11, 1), date(2026, 12, 1), date(2027, 1, 1)]


def test_december_is_followed_by_january() -> None:
    assert following(date(2026, 12, 1)) == date(2027, 1, 1)
    assert following(date(2026, 1, 1)) == date(2026, 2, 1)
    assert name_of(date(2026, 2, 17)) == "usage_event_2026_02"


@pytest.mark.django_db
def test_a_partition_holds_its_month_to_the_microsecond(workspace: Workspace) -> None:
    with connection.cursor() as cursor:
        made = make_partitions(cursor, [date(2031, 5, 20), date(2031, 6, 1), date(2031, 5, 1)])
    assert made == ["usage_event_2031_05", "usage_event_2031_06"]
    last = datetime(2031, 5, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    UsageEvent.objects.bulk_create(
        [
            ledger.event(workspace, admitted_at=last),
            ledger.event(workspace, admitted_at=datetime(2031, 6, 1, tzinfo=UTC)),
        ]
    )
    assert rows("SELECT admitted_at FROM usage_event_2031_05") == [(last,)]
    assert rows("SELECT count(*) FROM usage_event_2031_06") == [(1,)]


@pytest.mark.django_db
def test_making_a_partition_again_does_nothing() -> None:
    with connection.cursor() as cursor:
        assert make_partitions(cursor, [date(2031, 7, 1)]) == ["usage_event_2031_07"]
        assert make_partitions(cursor, [date(2031, 7, 1)]) == []
        assert "usage_event_2031_07" in existing(cursor)


@pytest.mark.django_db
def test_a_partition_has_the_keys_and_checks_of_the_table(workspace: Workspace) -> None:
    with connection.cursor() as cursor:
        make_partitions(cursor, [date(2026, 6, 1)])
    item = ledger.event(workspace)
    UsageEvent.objects.bulk_create([item])
    with pytest.raises(IntegrityError, match="duplicate key"), transaction.atomic():
        UsageEvent.objects.bulk_create([item])
    count = "SELECT count(*) FROM pg_indexes WHERE tablename = %s"
    assert rows(count, ["usage_event_2026_06"]) == rows(count, ["usage_event"])
    for change in ({"cost": -1}, {"provider_cost": -1}, {"input_tokens": -1}, {"status": "maybe"}):
        with pytest.raises(IntegrityError, match="violates check constraint"), transaction.atomic():
            UsageEvent.objects.bulk_create([ledger.event(workspace, **change)])


@pytest.mark.django_db
@pytest.mark.parametrize("table", ["usage_event", "usage_event_2026_06"])
@pytest.mark.parametrize("change", ["UPDATE {} SET cost = 0", "DELETE FROM {}"])
def test_events_can_be_neither_changed_nor_deleted(workspace: Workspace, table: str, change: str) -> None:
    ledger.record(ledger.event(workspace))
    with connection.cursor() as cursor, pytest.raises(DatabaseError, match="is append-only"), transaction.atomic():
        cursor.execute(change.format(table))
    assert UsageEvent.objects.get().cost == 720_000


@pytest.mark.django_db
def test_an_old_month_can_go_as_a_whole(workspace: Workspace) -> None:
    with connection.cursor() as cursor:
        make_partitions(cursor, [date(2026, 6, 1), date(2026, 7, 1)])
        UsageEvent.objects.bulk_create([ledger.event(workspace)])
        cursor.execute("ALTER TABLE usage_event DETACH PARTITION usage_event_2026_06")
        cursor.execute("DROP TABLE usage_event_2026_06")
    assert not UsageEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_many_may_make_the_same_partitions_at_once() -> None:
    months = [date(2032, month, 1) for month in range(1, 13)]
    made: list[str] = []

    def make() -> None:
        with psycopg.connect(**parameters()) as own, own.cursor() as cursor:
            made.extend(make_partitions(cursor, months))

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(made) == [name_of(month) for month in months]
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {', '.join(made)}")


@pytest.mark.django_db(transaction=True)
def test_readers_and_writers_do_not_hold_it_up(workspace: Workspace) -> None:
    with connection.cursor() as cursor:
        make_partitions(cursor, [date(2026, 6, 1)])
    with psycopg.connect(**parameters()) as busy, psycopg.connect(**parameters()) as own:
        busy.execute("SELECT count(*) FROM usage_event")
        busy.execute("LOCK TABLE usage_event IN ROW EXCLUSIVE MODE")
        own.execute("SET lock_timeout = '5s'")
        assert make_partitions(own.cursor(), [date(2033, 1, 1)]) == ["usage_event_2033_01"]
        own.rollback()
