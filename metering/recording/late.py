"""The exact result of a call that was already given up for lost: appended as an adjustment, since events never change.

An adjustment is an event of its own: moment, client, model and key of the estimate, the difference as counts and cost.
So every sum of events is right, and the estimate stays visible beside what corrected it. Pure but for one query.
"""

from __future__ import annotations

import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any

from metering.recording.orphans import ORPHAN
from metering.recording.rows import moment

if TYPE_CHECKING:
    import psycopg

ADJUSTMENT = "adjustment"
"""The source of an event that corrects another one."""
PRICED = "priced"
"""Flag: the adjustment gives a call its first price, which had none until then."""
LATE = "late_result"
"""Flag: the difference between what a call cost and the estimate that was made when its process was gone."""

ESTIMATES = """
SELECT event.id::text, event.cost, event.usage FROM usage_event event
JOIN unnest(%s::timestamptz[], %s::uuid[]) AS wanted (at, id) ON event.admitted_at = wanted.at AND event.id = wanted.id
WHERE event.flags ? %s
"""


def adjustments(cursor: psycopg.Cursor[Any], dropped: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The adjustments that results call for which were not inserted, as an estimate stood in their place."""
    exact = {result["id"]: result for result in dropped if ORPHAN not in result["flags"]}
    if not exact:
        return []
    moments = [moment(result["at"]) for result in exact.values()]
    estimates = cursor.execute(ESTIMATES, [moments, list(exact), ORPHAN]).fetchall()
    return [adjustment(exact[identifier], cost, usage) for identifier, cost, usage in estimates]


def adjustment(result: dict[str, Any], cost: int | None, usage: dict[str, int]) -> dict[str, Any]:
    """The difference between an exact result and an estimate of `cost` and `usage`; its id follows from the call's."""
    difference = Counter(result["usage"])
    difference.subtract(usage)
    counts = {name: count for name, count in difference.items() if count}
    return result | {
        "id": str(uuid.uuid5(uuid.UUID(result["id"]), LATE)),
        "source": ADJUSTMENT,
        "model": result["requested_model"],
        "flags": [LATE],
        "usage": counts,
        "cost": None if result["cost"] is None else result["cost"] - (cost or 0),
        "lines": [],
        "provider_cost": None,
        "basis": {"of": result["id"]},
    }
