"""Usage of a period by one dimension, for the API: a workspace's by client, model, day or tag, and one key's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet, Sum

from metering import selection
from metering.filters import TAG, EventFilter
from metering.ledger import DailyRefusals, DailyTagUsage
from metering.models import ApiKey
from metering.periods import Period
from metering.reports import daily
from metering.snapshot import snapshot
from metering.sums import Sums, grouped, total
from metering.tags import KEY
from tokonomics.crypto import KEY_PREFIX, digest
from tokonomics.models import Workspace

GROUPS = {
    "client": ("client",),
    "model": ("provider", "model"),
    "provider": ("provider",),
    "key": ("key_id",),
    "day": ("day",),
}
"""What usage can be grouped by, beside `tag.<key>` → the columns that tell the groups apart."""
MOST = 1000
"""Groups in one answer."""
LONGEST_KEY = 100


class InvalidGroup(ValueError):
    """Nothing that usage can be grouped by, or not together with these limits; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A period's sums, and those of its dearest groups by their columns; `more` says that some were left out."""

    total: Sums
    groups: Sequence[tuple[dict[str, Any], Sums]]
    more: bool


def breakdown(workspace: Workspace, chosen: EventFilter, group: str) -> Breakdown:
    """A selection by `group` (2 queries). Raises `InvalidGroup`."""
    if group.startswith(TAG):
        return _by_tag(workspace, chosen, group.removeprefix(TAG))
    if group not in GROUPS:
        raise InvalidGroup(f"Choose one of {', '.join(GROUPS)} or tag.<key>.")
    if chosen.tags or chosen.status or chosen.only:
        raise InvalidGroup("Usage can be limited by client, provider, model and key; export the calls for the rest.")
    rows = daily(workspace.id, chosen.period).filter(selection.rollup_limits(chosen))
    return _broken_down(rows, GROUPS[group])


def _by_tag(workspace: Workspace, chosen: EventFilter, tag: str) -> Breakdown:
    if not KEY.fullmatch(tag):
        raise InvalidGroup("Name a tag, as in tag.project.")
    if chosen.narrowed:
        raise InvalidGroup("Usage by tag cannot be limited further; export the calls for that.")
    days = (chosen.period.first, chosen.period.last)
    rows = DailyTagUsage.objects.filter(workspace_id=workspace.id, day__range=days, tag_key=tag)
    return _broken_down(rows, ("tag_value",))


def _broken_down(rows: QuerySet[Any, Any], columns: Sequence[str]) -> Breakdown:
    with snapshot():
        groups = grouped(rows, *columns, limit=MOST + 1)
        return Breakdown(total(rows), groups[:MOST], len(groups) > MOST)


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """What one key used in a period, by model and by day, and how many of its calls were refused, by code."""

    total: Sums
    models: Sequence[tuple[dict[str, Any], Sums]]
    days: Sequence[tuple[dict[str, Any], Sums]]
    refused: dict[str, int]


def key_usage(key: ApiKey, period: Period) -> KeyUsage:
    """A key's own usage (4 queries)."""
    rows = daily(key.workspace_id, period).filter(key_id=key.id)
    with snapshot():
        by_day = sorted(grouped(rows, "day"), key=lambda row: row[0]["day"])
        return KeyUsage(total(rows), grouped(rows, "provider", "model", limit=MOST), by_day, _refused(key, period))


def _refused(key: ApiKey, period: Period) -> dict[str, int]:
    days = (period.first, period.last)
    rows = DailyRefusals.objects.filter(workspace_id=key.workspace_id, key_id=key.id, day__range=days)
    return {row["code"]: int(row["sum"]) for row in rows.values("code").annotate(sum=Sum("calls")).order_by("code")}


def find_key(text: str) -> ApiKey | None:
    """The key's row with its workspace and client, by the key itself; revoked ones as well."""
    if not text.startswith(KEY_PREFIX) or len(text) > LONGEST_KEY:
        return None
    return ApiKey.objects.select_related("workspace", "client").filter(digest=digest(text)).first()
