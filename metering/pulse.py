"""Whether a page that shows a period would look different now: one cheap question, asked every few seconds."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from django.db.models import Max, Sum

from metering.cursors import EPOCH, MICROSECOND
from metering.periods import DAY, Period
from metering.reports import daily


def pulse(workspace_id: UUID, period: Period, today: date, client: str | None = None) -> str:
    """A text that changes with each recorded call of today or yesterday: calls, cost, the last instant (1 query).

    Of all calls, or of one client's, by its slug. Calls of earlier days, which are recorded when a crash is cleared
    up, show with the next one that is not.
    """
    recent = Period(max(period.first, today - DAY), period.last)
    rows = daily(workspace_id, recent)
    rows = rows if client is None else rows.filter(client=client)
    row = rows.aggregate(calls=Sum("calls"), cost=Sum("cost"), last=Max("last_call_at"))
    last = (row["last"] - EPOCH) // MICROSECOND if row["last"] else 0
    return f"{period.last:%Y%m%d}-{row['calls'] or 0}-{row['cost'] or 0}-{last}"


def last_call(text: str) -> datetime | None:
    """The instant of the last call that a pulse knew of; None for one that knew none, or is no pulse."""
    number = text.rpartition("-")[2]
    if not number.isascii() or not number.isdigit() or not 0 < int(number) < 2**53:
        return None
    return EPOCH + MICROSECOND * int(number)
