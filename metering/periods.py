"""Stretches of whole days that a page reports on, in the workspace's time zone. Pure: no Django, no clock."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tokonomics.figures import day_name

DAY = timedelta(days=1)
LONGEST = 400
"""Days: the longest period a page or an export takes on, a year and its comparison."""

PRESETS = {
    "month": "This month",
    "last-month": "Last month",
    "7d": "7 days",
    "30d": "30 days",
    "90d": "90 days",
}


class InvalidPeriod(ValueError):
    """No period, or one that nothing can be reported on; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Period:
    """Days `first` to `last`, both included, and the preset that named them (empty: chosen days)."""

    first: date
    last: date
    preset: str = ""

    @property
    def length(self) -> int:
        """In days."""
        return (self.last - self.first).days + 1

    @property
    def days(self) -> list[date]:
        """Every day of it, in order."""
        return [self.first + DAY * offset for offset in range(self.length)]

    @property
    def is_month(self) -> bool:
        """Whether it is a calendar month, or one to date."""
        return self.preset in ("month", "last-month")

    @property
    def whole(self) -> Period:
        """With the days of its month that are yet to come; other periods are whole already."""
        return Period(self.first, month_end(self.first), self.preset) if self.is_month else self

    @property
    def before(self) -> Period:
        """What it is compared with: the same days of the month before, else as many days right before it."""
        if not self.is_month:
            return Period(self.first - DAY * self.length, self.first - DAY)
        first = (self.first - DAY).replace(day=1)
        complete = self.last == month_end(self.last)
        end = month_end(first)
        return Period(first, end if complete else min(first.replace(day=min(self.last.day, end.day)), end))

    def bounds(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Its first instant and the first one after it, in UTC."""
        start = datetime.combine(self.first, time.min, zone)
        end = datetime.combine(self.last + DAY, time.min, zone)
        return start.astimezone(UTC), end.astimezone(UTC)

    def query(self) -> dict[str, str]:
        """The parameters that name it in an address; none for this month, which is the default."""
        if self.preset == "month":
            return {}
        if self.preset:
            return {"period": self.preset}
        return {"from": self.first.isoformat(), "to": self.last.isoformat()}


def month_end(day: date) -> date:
    """The last day of a day's month."""
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def preset(name: str, today: date) -> Period:
    """A preset as of `today`; raises `InvalidPeriod` for a name that is none."""
    first = today.replace(day=1)
    if name == "month":
        return Period(first, today, name)
    if name == "last-month":
        return Period((first - DAY).replace(day=1), first - DAY, name)
    if name in PRESETS:
        return Period(today - DAY * (int(name[:-1]) - 1), today, name)
    raise InvalidPeriod(f"Choose one of {', '.join(PRESETS)}.")


def chosen(first: str, last: str, today: date) -> Period:
    """The period from ISO 8601 dates as typed; one left out is open: the month's first day, or today.

    Raises `InvalidPeriod` for what is no date, a beginning after the end and more than `LONGEST` days.
    """
    end = _date(last) if last else today
    begin = _date(first) if first else end.replace(day=1)
    if begin > end:
        raise InvalidPeriod(f"The period begins on {begin}, after its end on {end}.")
    period = Period(begin, end)
    if period.length > LONGEST:
        raise InvalidPeriod(f"Choose at most {LONGEST} days; these are {period.length}.")
    return period


def _date(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidPeriod(f"Write a date as 2026-06-23, not {text[:40]!r}.") from None
    if not 2000 <= day.year <= 2199:
        raise InvalidPeriod("Choose a date between the years 2000 and 2199.")
    return day


def read(parameters: dict[str, str], today: date) -> Period:
    """The period that `period`, or `from` and `to`, name; this month when none does. Raises `InvalidPeriod`."""
    first, last, name = (parameters.get(field, "") for field in ("from", "to", "period"))
    if first or last:
        if name:
            raise InvalidPeriod("Give either a period or its first and last day.")
        return chosen(first, last, today)
    return preset(name or "month", today)


def label(period: Period, today: date) -> str:
    """`1 – 23 June`, `28 May – 3 June`, `7 June`, with the year where it is not this one."""
    first, last = period.first, period.last
    year = "" if first.year == last.year == today.year else f" {last.year}"
    if first == last:
        return f"{day_name(last)}{year}"
    if first.year != last.year:
        return f"{day_name(first)} {first.year} – {day_name(last)} {last.year}"
    if first.month == last.month:
        return f"{first.day} – {day_name(last)}{year}"
    return f"{day_name(first)} – {day_name(last)}{year}"


def zone_label(name: str) -> str:
    """The city of an IANA time zone: `Toronto`, `Buenos Aires`, `UTC`."""
    return name.rpartition("/")[2].replace("_", " ")
