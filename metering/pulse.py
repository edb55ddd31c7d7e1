"""Whether a page that shows a period would look different now: one cheap question, asked every few seconds."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db.models import Max, Sum

from metering.cursors import EPOCH, MICROSECOND
from metering.periods import Period
from metering.reports import daily


def pulse(workspace_id: UUID, period: Period) -> str:
    """A text that changes with each recorded call of the period: calls, cost and the last call's instant (1 query)."""
    row = daily(workspace_id, period).aggregate(calls=Sum("calls"), cost=Sum("cost"), last=Max("last_call_at"))
    last = (row["last"] - EPOCH) // MICROSECOND if row["last"] else 0
    return f"{period.last:%Y%m%d}-{row['calls'] or 0}-{row['cost'] or 0}-{last}"


def last_call(text: str) -> datetime | None:
    """The instant of the last call that a pulse knew of; None for one that knew none, or is no pulse."""
    number = text.rpartition("-")[2]
    if not number.isascii() or not number.isdigit() or not 0 < int(number) < 2**53:
        return None
    return EPOCH + MICROSECOND * int(number)
