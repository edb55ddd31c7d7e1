from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.meter import Tick, meter

AMOUNTS = st.integers(0, 10**18)


def test_the_marks_of_a_bar() -> None:
    found = meter(738_100_000_000, 1_840_000_000, 900_000_000_000)
    assert (found.settled, found.reserved, found.limit, found.roomy) == ("82.01", "0.21", "100.00", True)
    assert found.ticks == [Tick("50.00", "50 %"), Tick("80.00", "80 %")]


def test_a_limit_that_is_passed_stands_within() -> None:
    found = meter(500, 0, 400)
    assert (found.settled, found.reserved, found.limit) == ("100.00", "0.00", "80.00")
    assert [tick.x for tick in found.ticks] == ["40.00", "64.00"]


def test_a_limit_far_within_has_no_room_for_its_scale() -> None:
    found = meter(10_000, 0, 400)
    assert (found.limit, found.roomy, [tick.label for tick in found.ticks]) == ("4.00", False, ["", ""])


@pytest.mark.parametrize(
    ("settled", "limit", "marks"),
    [(0, 0, ("100.00", "0.00", "100.00")), (0, 5, ("0.00", "0.00", "100.00")), (-5, 5, ("0.00", "0.00", "100.00"))],
)
def test_nothing_is_spent(settled: int, limit: int, marks: tuple[str, str, str]) -> None:
    found = meter(settled, 0, limit)
    assert tuple(Decimal(x) for x in (found.settled, found.reserved, found.limit)) == tuple(map(Decimal, marks))


@given(settled=AMOUNTS, reserved=AMOUNTS, limit=AMOUNTS)
def test_no_mark_leaves_the_bar(settled: int, reserved: int, limit: int) -> None:
    found = meter(settled, reserved, limit)
    assert 0 <= Decimal(found.settled) <= Decimal(found.settled) + Decimal(found.reserved) <= 100
    assert all(0 <= Decimal(tick.x) <= Decimal(found.limit) <= 100 for tick in found.ticks)
    assert all("E" not in text for text in (found.settled, found.reserved, found.limit))
