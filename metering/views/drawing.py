"""The chart of a page, its legend and its table, from a period's days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from metering import names
from metering.chart import Bar, Chart, stacked
from metering.filters import EventFilter
from metering.names import NONE, OTHERS, UNATTRIBUTED, Names
from metering.periods import Period
from metering.reports import share
from metering.series import Days, Series


@dataclass(frozen=True, slots=True)
class Band:
    """One series: its colour, name, cost (nano-USD) and share of the period, and the address of its calls."""

    css: str
    label: str
    costs: Sequence[int]
    total: int
    share: Decimal | None
    href: str


@dataclass(frozen=True, slots=True)
class DayRow:
    """One day: each band's cost in the order of the stack, the whole cost, the address of its calls."""

    day: date
    costs: Sequence[int]
    total: int
    href: str
    ahead: bool
    partial: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart with its bands (from the ground up) and its rows, one for each day."""

    chart: Chart
    bands: Sequence[Band]
    rows: Sequence[DayRow]
    total: int
    has_previous: bool
    has_forecast: bool

    @property
    def targets(self) -> list[tuple[Bar, DayRow]]:
        """The days that have calls to go to, each with its ground."""
        return [(hit, row) for hit, row in zip(self.chart.hits, self.rows, strict=True) if not row.ahead]


def draw(days: Days, period: Period, group: str, labels: Mapping[str, str], colours: Mapping[str, str]) -> Drawing:
    """The chart of a period by day and group; `labels` and `colours` (classes) are by series name."""
    whole = sum(days.totals)

    def band(series: Series, css: str, label: str, chosen: EventFilter | None) -> Band:
        href = f"?{chosen.query()}" if chosen else ""
        return Band(css, label, series.costs, series.total, share(series.total, whole), href)

    bands = [
        band(series, colours[series.name], labels.get(series.name, series.name), _filter(period, group, series.name))
        for series in days.named
    ]
    if days.others.total or days.other_count:
        word = "1 other" if days.other_count == 1 else f"{days.other_count:,} others"
        bands.append(band(days.others, OTHERS, word, None))
    if days.unattributed.total:
        bands.append(band(days.unattributed, NONE, UNATTRIBUTED, EventFilter(period, client="")))
    return Drawing(
        chart=stacked(days.days, [(item.css, item.costs) for item in bands], days.previous, days.forecast),
        bands=bands,
        rows=[_row(days, bands, index) for index in range(len(days.days))],
        total=whole,
        has_previous=any(cost is not None for cost in days.previous),
        has_forecast=any(cost is not None for cost in days.forecast),
    )


def _filter(period: Period, group: str, name: str) -> EventFilter:
    value: Any = UUID(name) if group == "key" else name
    return replace(EventFilter(period), **{group: value})


def _row(days: Days, bands: Sequence[Band], index: int) -> DayRow:
    day = days.days[index]
    return DayRow(
        day=day,
        costs=[band.costs[index] for band in bands],
        total=days.totals[index],
        href=f"?{EventFilter(Period(day, day)).query()}",
        ahead=day > days.today,
        partial=day == days.today,
    )


def labels_and_colours(
    workspace_id: UUID, days: Days, group: str, clients: Names
) -> tuple[dict[str, str], dict[str, str]]:
    """What the named series are called and how they are coloured (at most 1 query)."""
    found = [series.name for series in days.named]
    if group == "client":
        return {name: clients[name].label for name in found}, {name: clients[name].css for name in found}
    labels = names.keys(workspace_id, found) if group == "key" else {}
    return labels, names.colours(found)
