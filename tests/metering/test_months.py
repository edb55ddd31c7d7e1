"""Months of budgets, in zones that are far, odd, or skip a midnight."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.months import budget_month, month_bounds

ZONES = [
    "Pacific/Kiritimati",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Europe/Berlin",
    "Africa/Casablanca",
    "America/Havana",
]


@pytest.mark.parametrize(
    ("zone", "moment", "starts", "ends"),
    [
        ("Pacific/Kiritimati", "2026-06-30T10:30", "2026-06-30T10:00", "2026-07-31T10:00"),
        ("America/St_Johns", "2026-07-01T02:00", "2026-06-01T02:30", "2026-07-01T02:30"),
        ("Asia/Kathmandu", "2026-12-31T18:15", "2026-12-31T18:15", "2027-01-31T18:15"),
        ("Europe/Berlin", "2026-03-31T21:59", "2026-02-28T23:00", "2026-03-31T22:00"),
        ("UTC", "2028-02-29T23:59", "2028-02-01T00:00", "2028-03-01T00:00"),
    ],
)
def test_month_in_a_zone(zone: str, moment: str, starts: str, ends: str) -> None:
    assert month_bounds(_utc(moment), ZoneInfo(zone)) == (_utc(starts), _utc(ends))


def test_month_from_another_day() -> None:
    assert month_bounds(_utc("2026-06-14T23:59"), ZoneInfo("UTC"), 15) == (
        _utc("2026-05-15T00:00"),
        _utc("2026-06-15T00:00"),
    )
    assert month_bounds(_utc("2026-01-01T00:00"), ZoneInfo("UTC"), 28) == (
        _utc("2025-12-28T00:00"),
        _utc("2026-01-28T00:00"),
    )


def test_midnight_that_does_not_exist_is_the_instant_of_the_change() -> None:
    zone = ZoneInfo("America/Havana")  # on 8 March 2026 the clocks go from 0:00 to 1:00
    assert month_bounds(_utc("2026-03-10T00:00"), zone, 8)[0] == _utc("2026-03-08T05:00")


@given(
    moment=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    zone=st.sampled_from(ZONES),
    day=st.integers(1, 28),
)
def test_months_cover_time_without_gap_or_overlap(moment: datetime, zone: str, day: int) -> None:
    starts, ends = month_bounds(moment, ZoneInfo(zone), day)
    assert starts <= moment < ends
    assert timedelta(days=27) < ends - starts < timedelta(days=32)
    assert month_bounds(ends, ZoneInfo(zone), day)[0] == ends
    assert month_bounds(starts - timedelta(microseconds=1), ZoneInfo(zone), day)[1] == starts


JUNE = (datetime(2026, 5, 31, 22, tzinfo=UTC), datetime(2026, 6, 30, 22, tzinfo=UTC))
"""June in Vienna."""


@pytest.mark.parametrize(
    ("zone", "day", "moment", "starts", "ends"),
    [
        ("Asia/Tokyo", 15, "2026-06-20T12:00", "2026-05-31T22:00", "2026-06-30T22:00"),
        ("UTC", 1, "2026-06-30T23:00", "2026-06-30T22:00", "2026-07-01T00:00"),
        ("UTC", 15, "2026-07-02T00:00", "2026-06-30T22:00", "2026-07-15T00:00"),
        ("America/Toronto", 1, "2026-07-01T05:00", "2026-07-01T04:00", "2026-08-01T04:00"),
        ("Europe/Vienna", 1, "2026-06-30T22:00", "2026-06-30T22:00", "2026-07-31T22:00"),
        ("Europe/Vienna", 1, "2026-05-01T00:00", "2026-04-30T22:00", "2026-05-31T22:00"),
    ],
)
def test_open_month_keeps_its_bounds_and_the_next_begins_where_it_ends(
    zone: str, day: int, moment: str, starts: str, ends: str
) -> None:
    assert budget_month(_utc(moment), ZoneInfo(zone), day, JUNE) == (_utc(starts), _utc(ends))


def test_first_month_of_a_budget() -> None:
    assert budget_month(JUNE[0], ZoneInfo("Europe/Vienna"), 1, None) == JUNE


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
