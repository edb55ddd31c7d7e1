"""What the address of a report asks for: a period, how its chart is split, and whether the page moves by itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from metering import clock, periods, series
from metering.periods import InvalidPeriod, Period
from tokonomics.access import WorkspaceRequest


@dataclass(frozen=True, slots=True)
class Choice:
    """An unreadable period is this month, with its error. `today` is the workspace's day."""

    period: Period
    today: date
    group: str
    live: bool
    error: str = ""

    @property
    def kept(self) -> list[tuple[str, str]]:
        """The parameters beside the period."""
        pairs = [("group", self.group if self.group != "client" else ""), ("live", "" if self.live else "off")]
        return [pair for pair in pairs if pair[1]]

    @property
    def running(self) -> bool:
        """Whether calls may still come into the period."""
        return self.period.last >= self.today

    def query(self, **other: str) -> str:
        """The address's parameters, some of them changed."""
        pairs = {**self.period.query(), **dict(self.kept), **other}
        return urlencode({name: value for name, value in pairs.items() if value})


def read_choice(request: WorkspaceRequest) -> Choice:
    """From the request's address."""
    today, group = clock.today(request.workspace), request.GET.get("group", "client")
    group = group if group in series.GROUPS else "client"
    try:
        return Choice(periods.read(request.GET.dict(), today), today, group, is_live(request))
    except InvalidPeriod as error:
        return Choice(periods.preset("month", today), today, group, is_live(request), str(error))


def is_live(request: WorkspaceRequest) -> bool:
    """Whether the page is to move by itself: pausing it is an address, `?live=off`."""
    return request.GET.get("live") != "off"


def frame(request: WorkspaceRequest, choice: Choice, beat: str) -> dict[str, Any]:
    """What a report says about itself; `beat` is its pulse."""
    period = choice.period
    return {
        "period": period,
        "period_query": choice.query(live=""),
        "label": periods.label(period, choice.today),
        "before": periods.label(period.before, choice.today),
        "today": choice.today,
        "running": choice.running,
        "live": choice.live and choice.running,
        "poll": choice.query(known=beat),
        "pause": f"?{choice.query(live='off')}",
        "resume": f"?{choice.query(live='')}",
        "as_of": clock.now(request.workspace),
    }
