from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering import periods
from metering.periods import InvalidPeriod, Period

TODAY = date(2026, 6, 23)


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("month", date(2026, 6, 1), date(2026, 6, 23)),
        ("last-month", date(2026, 5, 1), date(2026, 5, 31)),
        ("7d", date(2026, 6, 17), date(2026, 6, 23)),
        ("90d", date(2026, 3, 26), date(2026, 6, 23)),
    ],
)
def test_presets(name: str, first: date, last: date) -> None:
    assert periods.preset(name, TODAY) == Period(first, last, name)


def test_month_to_date_compares_with_the_same_days_before() -> None:
    assert periods.preset("month", TODAY).before == Period(date(2026, 5, 1), date(2026, 5, 23))
    assert periods.preset("month", date(2026, 3, 30)).before == Period(date(2026, 2, 1), date(2026, 2, 28))


def test_a_whole_month_compares_with_the_whole_month_before() -> None:
    assert periods.preset("last-month", TODAY).before == Period(date(2026, 4, 1), date(2026, 4, 30))
    assert periods.preset("month", date(2026, 6, 30)).before == Period(date(2026, 5, 1), date(2026, 5, 31))


@given(st.dates(date(2001, 1, 1), date(2100, 1, 1)), st.sampled_from(sorted(periods.PRESETS)))
def test_the_period_before_ends_before_it_begins(today: date, name: str) -> None:
    period = periods.preset(name, today)
    assert period.before.last < period.first
    assert len(period.days) == period.length


def test_bounds_follow_the_zone_through_the_change_of_clocks() -> None:
    march = Period(date(2026, 3, 1), date(2026, 3, 31))
    assert march.bounds(ZoneInfo("America/Toronto")) == (
        datetime(2026, 3, 1, 5, tzinfo=UTC),
        datetime(2026, 4, 1, 4, tzinfo=UTC),
    )


def test_read() -> None:
    assert periods.read({}, TODAY).preset == "month"
    assert periods.read({"from": "2026-06-05", "to": "2026-06-07"}, TODAY) == Period(date(2026, 6, 5), date(2026, 6, 7))
    assert periods.read({"from": "2026-06-05"}, TODAY) == Period(date(2026, 6, 5), TODAY)
    assert periods.read({"to": "2026-05-07"}, TODAY) == Period(date(2026, 5, 1), date(2026, 5, 7))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"period": "year"}, "Choose one of month, last-month, 7d, 30d, 90d."),
        ({"from": "yesterday"}, "Write a date as 2026-06-23, not 'yesterday'."),
        ({"from": "0001-01-01"}, "Choose a date between the years 2000 and 2199."),
        (
            {"from": "2026-06-09", "to": "2026-06-08"},
            "The period begins on 2026-06-09, after its end on 2026-06-08.",
        ),
        ({"from": "2024-01-01", "to": "2026-06-08"}, "Choose at most 400 days; these are 890."),
        ({"from": "2026-06-01", "period": "7d"}, "Give either a period or its first and last day."),
    ],
)
def test_read_refuses(parameters: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidPeriod) as caught:
        periods.read(parameters, TODAY)
    assert str(caught.value) == message


@given(st.dates(date(2001, 1, 1), date(2100, 1, 1)), st.sampled_from(sorted(periods.PRESETS)))
def test_query_names_the_same_period(today: date, name: str) -> None:
    period = periods.preset(name, today)
    assert periods.read(period.query(), today) == period
    plain = Period(period.first, period.last)
    assert periods.read(plain.query(), today) == plain


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        (date(2026, 6, 1), date(2026, 6, 23), "1 – 23 June"),
        (date(2026, 5, 28), date(2026, 6, 3), "28 May – 3 June"),
        (date(2026, 6, 7), date(2026, 6, 7), "7 June"),
        (date(2025, 6, 1), date(2025, 6, 2), "1 – 2 June 2025"),
        (date(2025, 12, 30), date(2026, 1, 2), "30 December 2025 – 2 January 2026"),
    ],
)
def test_label(first: date, last: date, text: str) -> None:
    assert periods.label(Period(first, last), TODAY) == text


def test_zone_label() -> None:
    assert [periods.zone_label(name) for name in ("America/Toronto", "America/Argentina/Buenos_Aires", "UTC")] == [
        "Toronto",
        "Buenos Aires",
        "UTC",
    ]
