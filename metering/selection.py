"""The events that a filter selects: how many, what they cost, and a page of them at a time.

A selection that the rollups can answer is summed there; any other is counted on the events, for a bounded time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db import OperationalError, connection, transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce
from psycopg.errors import QueryCanceled

from metering.cursors import EPOCH, Cursor
from metering.filters import EventFilter
from metering.ledger import DailyTagUsage, DailyUsage, UsageEvent
from metering.recording.late import ADJUSTMENT, PRICED
from metering.recording.tallies import OTHER

PAGE = 50
COUNT_LIMIT = 2000
"""Milliseconds that counting or finding a page may take before the selection is said to be too large."""
ROLLED_UP = {f"of_{name}": Coalesce(Sum(name), 0) for name in ("calls", "cost", "unpriced", "estimated")}
FURTHEST_ZONE = timedelta(hours=24)
"""A day of any time zone lies within a day of the same date in UTC."""
NEAR = timedelta(hours=1)
"""How far the instant in an event's id may be from its admission."""

CALL = ~Q(source=ADJUSTMENT)
"""An adjustment corrects a call, and is none."""
PRICED_LATER = Exists(
    UsageEvent.objects.annotate(of=KeyTextTransform("of", "basis")).filter(
        admitted_at=OuterRef("admitted_at"),
        source=ADJUSTMENT,
        flags__contains=[PRICED],
        of=Cast(OuterRef("id"), TextField()),
    )
)
UNPRICED = CALL & Q(cost=None) & Q(~PRICED_LATER)
"""A call that has no price to this day."""


class TooMuch(Exception):
    """The selection cannot be gone through in the time that a page has: narrow it, or export it."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a selection adds up to; `cost` in nano-USD, without the unpriced calls."""

    calls: int
    cost: int
    unpriced: int
    estimated: int


@dataclass(frozen=True, slots=True)
class Page:
    """Newest first, with the cursors of its neighbours (None: there are none)."""

    events: Sequence[UsageEvent]
    newer: Cursor | None
    older: Cursor | None


def events(workspace_id: UUID, chosen: EventFilter) -> QuerySet[UsageEvent, UsageEvent]:
    """The selected events, in no order.

    The day was frozen on the event at admission, so that sums by day stay true when a workspace moves to another time
    zone; the instants only say in which partitions to look.
    """
    period = chosen.period
    earliest = datetime.combine(period.first, time.min, UTC) - FURTHEST_ZONE
    latest = datetime.combine(period.last, time.max, UTC) + FURTHEST_ZONE
    found = UsageEvent.objects.filter(
        workspace_id=workspace_id, admitted_at__range=(earliest, latest), day__range=(period.first, period.last)
    )
    return found.filter(_limits(chosen), _tags(chosen))


def _limits(chosen: EventFilter) -> Q:
    limits = rollup_limits(chosen)
    if chosen.status:
        limits &= Q(status=chosen.status)
    if chosen.only:
        limits &= UNPRICED if chosen.only == "unpriced" else CALL & Q(estimated=True)
    return limits


def rollup_limits(chosen: EventFilter) -> Q:
    """The limits on what the daily rollup keeps apart: client, provider, model and key."""
    limits = Q() if chosen.client is None else Q(client=chosen.client)
    named: dict[str, Any] = {"provider": chosen.provider, "model": chosen.model, "key_id": chosen.key}
    return limits & Q(**{name: value for name, value in named.items() if value})


def _tags(chosen: EventFilter) -> Q:
    limits: dict[str, Q] = {}
    for name, value in chosen.tags:
        limits[name] = limits.get(name, Q()) | Q(tags__contains={name: value})
    return Q(*limits.values())


def summary(workspace_id: UUID, chosen: EventFilter) -> Summary:
    """What the selection adds up to (at most 2 queries); raises `TooMuch`."""
    found = _rolled_up(workspace_id, chosen)
    if found is None:
        with bounded():
            found = events(workspace_id, chosen).aggregate(
                of_calls=Count("id", filter=CALL),
                of_cost=Coalesce(Sum("cost"), 0),
                of_unpriced=Count("id", filter=UNPRICED),
                of_estimated=Count("id", filter=CALL & Q(estimated=True)),
            )
    return Summary(*(int(found[name]) for name in ROLLED_UP))


def _rolled_up(workspace_id: UUID, chosen: EventFilter) -> dict[str, Any] | None:
    """The sums of the rollup rows that hold exactly the selection; None where there are no such rows."""
    days = {"workspace_id": workspace_id, "day__range": (chosen.period.first, chosen.period.last)}
    if chosen.status or chosen.only:
        return None
    if not chosen.tags:
        return DailyUsage.objects.filter(rollup_limits(chosen), **days).aggregate(**ROLLED_UP)
    if len(chosen.tags) > 1 or chosen != EventFilter(chosen.period, tags=chosen.tags):
        return None
    name, value = chosen.tags[0]
    rows = DailyTagUsage.objects.filter(**days, tag_key=name, tag_value__in=[value, OTHER])
    # Beyond a thousand values a day a tag's rest is counted as `other`: then only the events know.
    folded = rows.filter(tag_value=OTHER).exists()
    return None if folded else rows.aggregate(**ROLLED_UP)


def page(workspace_id: UUID, chosen: EventFilter, cursor: Cursor | None = None, size: int = PAGE) -> Page:
    """A page of the selection (1 query, 2 with unpriced calls); raises `TooMuch`."""
    found = events(workspace_id, chosen)
    newer = cursor is not None and cursor.newer
    if cursor is not None:
        edge = (cursor.admitted_at, cursor.id)
        found = found.filter(pk__gt=edge) if newer else found.filter(pk__lt=edge)
    order = ("admitted_at", "id") if newer else ("-admitted_at", "-id")
    with bounded():
        rows = list(found.order_by(*order)[: size + 1])
    more, rows = len(rows) > size, rows[:size]
    if newer:
        rows.reverse()
    _look_for_prices(workspace_id, rows)
    if not rows:
        return Page(rows, None, None)
    return Page(
        rows,
        newer=_edge(rows[0], newer=True) if (more if newer else cursor is not None) else None,
        older=_edge(rows[-1], newer=False) if (True if newer else more) else None,
    )


def _look_for_prices(workspace_id: UUID, rows: Sequence[UsageEvent]) -> None:
    """Tell the calls without a price what they were given later (1 query if there are such calls)."""
    unpriced = {str(row.id): row for row in rows if row.cost is None}
    if not unpriced:
        return
    moments = [row.admitted_at for row in unpriced.values()]
    found = corrections(workspace_id).filter(admitted_at__in=moments, of__in=list(unpriced))
    for of, moved in found.values_list("of").annotate(moved=Sum("cost")):
        unpriced[of].priced_later = moved


def corrections(workspace_id: UUID) -> QuerySet[Any, Any]:
    """The adjustments of a workspace, each with `of`: the id of the call that it corrects, as text."""
    found = UsageEvent.objects.filter(workspace_id=workspace_id, source=ADJUSTMENT)
    return found.annotate(of=KeyTextTransform("of", "basis"))


def find(workspace_id: UUID, event_id: UUID) -> UsageEvent | None:
    """One event of the workspace, found at once where its id tells when it was admitted, as those made here do."""
    mine = UsageEvent.objects.filter(workspace_id=workspace_id, id=event_id)
    made = _made_at(event_id)
    near = made and mine.filter(admitted_at__range=(made - NEAR, made + NEAR)).first()
    if near:
        return near
    try:
        with bounded():
            return next(iter(mine[:1]), None)
    except TooMuch:
        return None


def _made_at(event_id: UUID) -> datetime | None:
    """The instant in a UUIDv7 (RFC 9562, section 5.7): its first 48 bits are milliseconds."""
    return EPOCH + timedelta(milliseconds=event_id.int >> 80) if event_id.version == 7 else None


def _edge(event: UsageEvent, *, newer: bool) -> Cursor:
    return Cursor(event.admitted_at, event.id, newer)


@contextmanager
def bounded(milliseconds: int | None = None) -> Iterator[None]:
    """Let the queries within take so long and no longer; raises `TooMuch`."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(milliseconds or COUNT_LIMIT)])
            yield
            cursor.execute("SELECT set_config('statement_timeout', '0', true)")
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise TooMuch("The selection is too large to go through while somebody waits.") from error
        raise
