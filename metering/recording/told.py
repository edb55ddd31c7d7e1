"""Calls made elsewhere that were told more than once under the same id: the first counts.

Their moment is that of the telling, so that the table's key cannot find them; their ids have an index of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metering.recording.late import ADJUSTMENT

if TYPE_CHECKING:
    import psycopg

    from metering.recording.batch import Batch

OURS = {"proxy", ADJUSTMENT}
TURN = """
SELECT pg_advisory_xact_lock(number)
FROM (SELECT DISTINCT hashtextextended(id, 1) AS number FROM unnest(%s::text[]) id ORDER BY 1) AS ordered
"""
KNOWN = """
SELECT id::text, workspace_id::text FROM usage_event
WHERE id = ANY(%s::uuid[]) AND source NOT IN ('proxy', 'adjustment')
"""


def drop_told_before(cursor: psycopg.Cursor[Any], batch: Batch) -> None:
    """Take out of the batch what its workspace has told before."""
    if batch.sources <= OURS:
        return
    ids = sorted({result["id"] for result in batch.results if result["source"] not in OURS})
    cursor.execute(TURN, [ids])
    known = set(cursor.execute(KNOWN, [ids]).fetchall())
    kept = []
    for result in batch.results:
        name = (result["id"], result["workspace"])
        if result["source"] in OURS:
            kept.append(result)
        elif name not in known:
            known.add(name)
            kept.append(result)
    batch.replace(kept)
