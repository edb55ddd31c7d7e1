"""A period's cost day by day, split into the dearest groups and the rest: what the chart draws and its table says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db.models import Case, CharField, Count, F, Sum, When, Window
from django.db.models.functions import Cast

from metering.periods import DAY, Period
from metering.reports import daily

GROUPS = {"client": "Client", "model": "Model", "provider": "Provider", "key": "Key"}
"""What the days can be split by, in the words of the page."""
SHOWN = 6
"""Named series: more cannot be told apart."""
WEEK = 7


@dataclass(frozen=True, slots=True)
class Series:
    """One group's cost in nano-USD on each day; `name` is its value in the ledger (a key's id as text)."""

    name: str
    costs: Sequence[int]

    @property
    def total(self) -> int:
        """Over all days."""
        return sum(self.costs)


@dataclass(frozen=True, slots=True)
class Days:
    """A period by day: the dearest groups `named`, and the rest; together the whole cost.

    `previous` is what the same weekday of the period before cost in all (None: that period has none, or the day is
    to come). `forecast` is for today and the days to come: what that weekday cost in the last 7 full days (None:
    elsewhere, or no full week yet).
    """

    days: Sequence[date]
    today: date
    named: Sequence[Series]
    others: Series
    other_count: int
    unattributed: Series
    previous: Sequence[int | None]
    forecast: Sequence[int | None]

    @property
    def series(self) -> list[Series]:
        """All of them in the order of the stack, from the ground up."""
        return [*self.named, self.others, self.unattributed]

    @property
    def totals(self) -> list[int]:
        """The whole cost of each day."""
        return [sum(costs) for costs in zip(*(series.costs for series in self.series), strict=True)]


def by_day(workspace_id: UUID, period: Period, group: str, today: date) -> Days:
    """The period's cost by day and by `group`, a key of `GROUPS` (2 queries)."""
    names, count = _dearest(workspace_id, period, group)
    costs = _costs(workspace_id, period, group, names, today)
    days = period.whole.days
    whole: defaultdict[date, int] = defaultdict(int)
    for (day, _), cost in costs.items():
        whole[day] += cost

    def column(name: str | None) -> Series:
        return Series(name or "", [costs.get((day, name), 0) if day <= period.last else 0 for day in days])

    return Days(
        days=days,
        today=today,
        named=[column(name) for name in names],
        others=column(None),
        other_count=count - len(names),
        unattributed=column(""),
        previous=_previous(whole, period, days, today),
        forecast=_forecast(whole, days, today),
    )


def _name(group: str) -> Cast | F:
    return Cast("key_id", CharField()) if group == "key" else F(group)


def _dearest(workspace_id: UUID, period: Period, group: str) -> tuple[list[str], int]:
    """The names of the dearest groups, and how many groups there are."""
    rows = daily(workspace_id, period).annotate(name=_name(group)).exclude(name="")
    sums = rows.values("name").annotate(sum=Sum("cost"), groups=Window(Count("*"))).order_by("-sum", "name")
    found = list(sums[:SHOWN])
    return [row["name"] for row in found], found[0]["groups"] if found else 0


def _costs(
    workspace_id: UUID, period: Period, group: str, names: Sequence[str], today: date
) -> dict[tuple[date, str | None], int]:
    """Cost by (day, name), from the period before on and of the last full week; under None what is not named."""
    first = min(period.whole.before.first, today - DAY * WEEK)
    rows = daily(workspace_id, Period(first, max(period.last, today))).annotate(name=_name(group))
    shown = Case(When(name__in=[*names, ""], then=F("name")), default=None, output_field=CharField())
    found = rows.values("day", shown=shown).annotate(sum=Sum("cost"))
    return {(row["day"], row["shown"]): int(row["sum"]) for row in found}


def _previous(whole: Mapping[date, int], period: Period, days: Sequence[date], today: date) -> list[int | None]:
    before = period.whole.before
    if not any(before.first <= day <= before.last for day in whole):
        return [None] * len(days)

    shift = DAY * WEEK * ((period.first - before.first).days // WEEK)

    def same_weekday(day: date) -> int | None:
        candidate = day - shift
        while candidate > before.last:
            candidate -= DAY * WEEK
        return whole.get(candidate, 0) if candidate >= before.first and day <= today else None

    return [same_weekday(day) for day in days]


def _forecast(whole: Mapping[date, int], days: Sequence[date], today: date) -> list[int | None]:
    if not any(day <= today - DAY * WEEK for day in whole):
        return [None] * len(days)

    def usual(day: date) -> int | None:
        weeks = (day - today).days // WEEK + 1
        return whole.get(day - DAY * WEEK * weeks, 0) if day >= today else None

    return [usual(day) for day in days]
