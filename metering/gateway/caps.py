"""The hard budgets of a workspace as the gateway knows them: what to reserve on, and in which month."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import NamedTuple

from metering.months import budget_month


class CapRow(NamedTuple):
    """A hard, unpaused budget with the last of its periods that was opened."""

    workspace: str
    id: str
    key: str | None
    client: str | None
    zone: str
    billing_day: int
    starts: dt.datetime | None
    ends: dt.datetime | None


class Cap:
    """A hard budget. Its limit and what is used of it stand in PostgreSQL alone."""

    __slots__ = ("_last", "billing_day", "id", "name", "zone")

    def __init__(self, row: CapRow) -> None:
        self.id = row.id
        self.name = "this key" if row.key else row.client or "the workspace"
        self.zone = zoneinfo.ZoneInfo(row.zone)
        self.billing_day = row.billing_day
        self._last = (row.starts, row.ends) if row.starts and row.ends else None

    def period(self, moment: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
        """The UTC bounds of the month that a call of this moment belongs to."""
        self._last = budget_month(moment, self.zone, self.billing_day, self._last)
        return self._last


class Caps:
    """All caps of one workspace."""

    __slots__ = ("clients", "keys", "workspace")

    def __init__(self, rows: list[CapRow]) -> None:
        self.workspace: Cap | None = None
        self.clients: dict[str, Cap] = {}
        self.keys: dict[str, Cap] = {}
        for row in rows:
            cap = Cap(row)
            if row.key is not None:
                self.keys[row.key] = cap
            elif row.client is not None:
                self.clients[row.client] = cap
            else:
                self.workspace = cap

    def of(self, key: str, client: str) -> list[Cap]:
        """The caps of a call: of its key, of its client, of the workspace."""
        found = (self.keys.get(key), self.clients.get(client), self.workspace)
        return [cap for cap in found if cap is not None]


NO_CAPS = Caps([])
