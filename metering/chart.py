"""Where the marks of a chart stand: money by day as stacked bars. Pure geometry, no Django and no float.

There is no viewBox: x is in per cent of the width and y in pixels from the top, so that text keeps its size at every
width and no mark needs a style of its own. A template turns the marks into SVG.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from billing.money import rounded
from tokonomics.figures import axis, day_name

HEIGHT = 260
BASE = 236
TOP = 14
GAP = 1
"""Pixels of ground between the segments of a bar."""
THINNEST = Decimal("0.6")
FILL = Decimal("0.66")
"""The part of a day's width that its bar takes."""
MOST_LINES = 4
STEPS = (10, 20, 25, 50)
SLOTS = 8


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle: `x` and `width` in per cent, `y` and `height` in pixels; `css` is the class that fills it."""

    css: str
    x: Decimal
    y: Decimal
    width: Decimal
    height: Decimal


@dataclass(frozen=True, slots=True)
class Marker:
    """A short level line, from `x1` to `x2` per cent at `y` pixels."""

    x1: Decimal
    x2: Decimal
    y: Decimal


@dataclass(frozen=True, slots=True)
class Gridline:
    """A round amount of the y axis, at `y` pixels; its label stands on the line."""

    y: Decimal
    label: str

    @property
    def label_y(self) -> Decimal:
        """Where the label's foot is."""
        return self.y - 4


@dataclass(frozen=True, slots=True)
class Tick:
    """A day on the x axis, at `x` per cent; most have no label."""

    x: Decimal
    label: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Chart:
    """All marks of one chart. `hits` are the grounds that a pointer or a key meets, one a day."""

    bars: Sequence[Bar]
    ghosts: Sequence[Bar]
    markers: Sequence[Marker]
    grid: Sequence[Gridline]
    ticks: Sequence[Tick]
    hits: Sequence[Bar]
    height: int = HEIGHT
    base: int = BASE


def stacked(
    days: Sequence[date],
    stack: Sequence[tuple[str, Sequence[int]]],
    previous: Sequence[int | None],
    forecast: Sequence[int | None],
) -> Chart:
    """Bars of costs in nano-USD, a stack of (class, cost a day) from the ground up.

    `previous` becomes a marker a day; `forecast` a dashed rest, from what there is so far up to the forecast.
    """
    totals = [sum(costs) for costs in zip(*(costs for _, costs in stack), strict=True)]
    plot = _Plot(len(days), max([*totals, *(n or 0 for n in previous), *(n or 0 for n in forecast)]))
    return Chart(
        bars=[bar for index in range(len(days)) for bar in plot.stack(index, [(css, c[index]) for css, c in stack])],
        ghosts=[
            plot.bar("forecast", index, totals[index], expected)
            for index, expected in enumerate(forecast)
            if expected is not None and expected > totals[index]
        ],
        markers=[plot.marker(index, cost) for index, cost in enumerate(previous) if cost],
        grid=[Gridline(plot.y(cost), axis(cost)) for cost in plot.lines],
        ticks=_ticks(plot, days),
        hits=[plot.hit(index) for index in range(len(days))],
    )


class _Plot:
    """The scale of a chart: days across, nano-USD up to a round top."""

    def __init__(self, days: int, highest: int) -> None:
        self.days = days
        self.lines = gridlines(highest)
        self.top = self.lines[-1] if self.lines else 1

    def x(self, index: int, part: Decimal = Decimal(0)) -> Decimal:
        return rounded((index + part) * 100 / self.days, 2)

    def y(self, cost: int) -> Decimal:
        return BASE - rounded(Decimal(cost) * (BASE - TOP) / self.top, 1)

    def bar(self, css: str, index: int, low: int, high: int) -> Bar:
        bottom, top = self.y(low) - GAP, self.y(high)
        inset = (1 - FILL) / 2
        width = rounded(FILL * 100 / self.days, 2)
        return Bar(css, self.x(index, inset), min(top, bottom - THINNEST), width, max(bottom - top, THINNEST))

    def stack(self, index: int, segments: Sequence[tuple[str, int]]) -> list[Bar]:
        bars, reached = [], 0
        for css, cost in segments:
            if cost:
                bars.append(self.bar(css, index, reached, reached + cost))
            reached += cost
        return bars

    def marker(self, index: int, cost: int) -> Marker:
        edge = (1 - FILL) / 4
        return Marker(self.x(index, edge), self.x(index, 1 - edge), self.y(cost))

    def hit(self, index: int) -> Bar:
        return Bar(
            "hit", self.x(index), Decimal(TOP - 6), rounded(Decimal(100) / self.days, 2), Decimal(BASE - TOP + 6)
        )


def gridlines(highest: int) -> list[int]:
    """At most four round amounts above zero, the last at or above the highest cost; none where nothing was spent."""
    if highest <= 0:
        return []
    power = 1
    while True:
        for base in STEPS:
            step = max(base * power // 10, 1)
            count = -(-highest // step)
            if count <= MOST_LINES:
                return [step * number for number in range(1, count + 1)]
        power *= 10


def _ticks(plot: _Plot, days: Sequence[date]) -> list[Tick]:
    """A tick a day; every one of a week labelled, every 7th of a month, fewer of more; the month where it is new."""
    every = 1 if len(days) <= 7 else 7 * -(-len(days) // 63)
    ticks, month = [], 0
    for index, day in enumerate(days):
        x, label = plot.x(index, Decimal("0.5")), ""
        if index % every == 0:
            label = str(day.day) if day.month == month else day_name(day)
            month = day.month
        ticks.append(Tick(x, label, "end" if x > 96 else "middle"))
    return ticks


def deal(preferred: Sequence[int]) -> list[int]:
    """A colour slot from 1 to 8 for each series: the one it prefers, or the next that is free."""
    dealt: list[int] = []
    for wish in preferred:
        order = [(wish + step) % SLOTS + 1 for step in range(SLOTS)]
        dealt.append(next((slot for slot in order if slot not in dealt), order[0]))
    return dealt
