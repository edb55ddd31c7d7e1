"""The months of a budget: from a day of the month, at midnight in a time zone, to the same day of the next. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

MONTHS = 12


def month_bounds(moment: datetime, zone: ZoneInfo, first_day: int = 1) -> tuple[datetime, datetime]:
    """The UTC bounds, half-open, of the month that holds `moment` (aware); `first_day` is 1 to 28.

    A midnight that a change of clocks skips is the instant of the change; one that comes twice is the first.
    """
    local = moment.astimezone(zone)
    year, month = local.year, local.month
    start = _midnight(year, month, first_day, zone)
    if moment < start:
        return _midnight(*_shift(year, month, -1), first_day, zone), start
    return start, _midnight(*_shift(year, month, 1), first_day, zone)


def _midnight(year: int, month: int, day: int, zone: ZoneInfo) -> datetime:
    return datetime(year, month, day, tzinfo=zone).astimezone(UTC)


def _shift(year: int, month: int, months: int) -> tuple[int, int]:
    number = year * MONTHS + month - 1 + months
    return number // MONTHS, number % MONTHS + 1
