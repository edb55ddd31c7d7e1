from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering import chart

DOLLAR = 10**9
costs = st.integers(min_value=0, max_value=10**15)


def june(days: int) -> list[date]:
    return [date(2026, 6, 1) + timedelta(days=offset) for offset in range(days)]


def none(days: int) -> list[int | None]:
    return [None] * days


@pytest.mark.parametrize(
    ("highest", "dollars"),
    [
        (324 * DOLLAR, ["100", "200", "300", "400"]),
        (8 * DOLLAR + 1, ["2.5", "5", "7.5", "10"]),
        (DOLLAR, ["0.25", "0.5", "0.75", "1"]),
        (4100 * DOLLAR, ["2000", "4000", "6000"]),
        (0, []),
    ],
)
def test_gridlines(highest: int, dollars: list[str]) -> None:
    assert chart.gridlines(highest) == [int(Decimal(text) * DOLLAR) for text in dollars]


@given(st.integers(min_value=1, max_value=10**18))
def test_gridlines_hold_the_highest(highest: int) -> None:
    lines = chart.gridlines(highest)
    assert lines[-1] >= highest
    assert 1 <= len(lines) <= 4


def test_a_stack_stands_on_the_base_with_a_gap_between() -> None:
    drawn = chart.stacked(june(2), [("f1", [50 * DOLLAR, 0]), ("f2", [150 * DOLLAR, 0])], none(2), none(2))
    lower, upper = drawn.bars
    assert [line.label for line in drawn.grid] == ["$50", "$100", "$150", "$200"]
    assert (lower.css, lower.x, lower.width) == ("f1", Decimal("8.50"), Decimal("33.00"))
    assert (lower.y, lower.height) == (Decimal("180.5"), Decimal("54.5"))
    assert (upper.y, upper.height) == (Decimal("14.0"), Decimal("165.5"))
    assert lower.y - (upper.y + upper.height) == chart.GAP


def test_a_day_without_cost_has_no_bar_but_a_ground_to_point_at() -> None:
    drawn = chart.stacked(june(3), [("f1", [0, DOLLAR, 0])], none(3), none(3))
    assert len(drawn.bars) == 1
    assert [hit.x for hit in drawn.hits] == [Decimal("0.00"), Decimal("33.33"), Decimal("66.67")]


def test_a_tiny_cost_can_be_seen() -> None:
    drawn = chart.stacked(june(1), [("f1", [1]), ("f2", [100 * DOLLAR])], none(1), none(1))
    assert drawn.bars[0].height == chart.THINNEST


def test_a_forecast_is_the_dashed_rest() -> None:
    drawn = chart.stacked(june(2), [("f1", [60 * DOLLAR, 0])], none(2), [80 * DOLLAR, 40 * DOLLAR])
    today, tomorrow = drawn.ghosts
    assert (today.y, today.y + today.height) == (Decimal("14.0"), Decimal("68.5"))
    assert tomorrow.y + tomorrow.height == chart.BASE - chart.GAP


def test_a_forecast_that_is_passed_is_not_drawn() -> None:
    assert chart.stacked(june(1), [("f1", [60])], none(1), [50]).ghosts == []


def test_a_marker_for_each_day_that_has_one_before() -> None:
    drawn = chart.stacked(june(2), [("f1", [100 * DOLLAR, 0])], [50 * DOLLAR, None], none(2))
    assert [(marker.x1, marker.x2, marker.y) for marker in drawn.markers] == [
        (Decimal("4.25"), Decimal("45.75"), Decimal("125.0"))
    ]


@pytest.mark.parametrize(
    ("days", "labels"),
    [
        (3, ["1 June", "2", "3"]),
        (30, ["1 June", "8", "15", "22", "29"]),
        (90, ["1 June", "15", "29", "13 July", "27", "10 August", "24"]),
    ],
)
def test_ticks(days: int, labels: list[str]) -> None:
    drawn = chart.stacked(june(days), [("f1", [1] * days)], none(days), none(days))
    assert len(drawn.ticks) == days
    assert [tick.label for tick in drawn.ticks if tick.label] == labels


@given(st.lists(costs, min_size=1, max_size=40), st.lists(costs, min_size=1, max_size=40))
def test_every_mark_stays_on_the_drawing(first: list[int], second: list[int]) -> None:
    days = min(len(first), len(second))
    stack = [("f1", first[:days]), ("f2", second[:days])]
    drawn = chart.stacked(june(days), stack, first[:days], second[:days])
    for bar in [*drawn.bars, *drawn.ghosts]:
        assert chart.TOP - chart.THINNEST - chart.GAP <= bar.y <= bar.y + bar.height <= chart.BASE
        assert 0 <= bar.x <= bar.x + bar.width <= 100


def test_deal_keeps_what_each_prefers_and_never_gives_one_twice() -> None:
    assert chart.deal([0, 3, 0, 7, 7]) == [1, 4, 2, 8, 3]


def test_nothing_spent() -> None:
    drawn = chart.stacked(june(2), [("f1", [0, 0])], none(2), none(2))
    assert (drawn.bars, drawn.grid) == ([], [])
