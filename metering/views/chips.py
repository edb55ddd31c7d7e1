"""The limits of a selection as chips, each with the address of the selection without it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from metering import names
from metering.filters import ONLY, STATUSES, EventFilter


@dataclass(frozen=True, slots=True)
class Chip:
    """One limit: what it is on, its value in words, and the query of the selection without it."""

    name: str
    value: str
    without: str


def chips(workspace_id: UUID, chosen: EventFilter) -> list[Chip]:
    """One for each limit but the period (at most 3 queries)."""
    found = []
    if chosen.client is not None:
        label = names.clients(workspace_id, [chosen.client])[chosen.client].label
        found.append(Chip("client", label, chosen.without("client").query()))
    if chosen.key is not None:
        label = names.keys(workspace_id, [str(chosen.key)]).get(str(chosen.key), str(chosen.key))
        found.append(Chip("key", label, chosen.without("key").query()))
    plain = {
        "provider": chosen.provider,
        "model": chosen.model,
        "status": STATUSES.get(chosen.status, ""),
        "only": ONLY.get(chosen.only, ""),
    }
    found += [Chip(name, value, chosen.without(name).query()) for name, value in plain.items() if value]
    found += [Chip(tag, value, chosen.without("tags", (tag, value)).query()) for tag, value in chosen.tags]
    return found
