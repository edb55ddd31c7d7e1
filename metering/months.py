"""The months of a budget: from a day of the month, at midnight in a time zone, to the same day of the next. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    Bounds = tuple[datetime, datetime]

MONTHS = 12


def budget_month(moment: datetime, zone: ZoneInfo, first_day: int, last: Bounds | None) -> Bounds:
    """The UTC bounds of the budget's month that holds `moment`; `last` is the latest month that was opened, if any.

    An open month keeps its bounds when the zone or the billing day is changed: the next begins where it ends.
    """
    if last and last[0] <= moment < last[1]:
        return last
    starts, ends = month_bounds(moment, zone, first_day)
    return (last[1], ends) if last and starts < last[1] <= moment else (starts, ends)


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
