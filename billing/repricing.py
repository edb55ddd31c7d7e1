"""What calls would cost at the prices of today's price book: one call, and the calls of a selection in turn.

A call's present cost is what its event says and what its adjustments moved; its usage likewise. The price that counts
is the one at the moment of the call, as the price book has it now. Costs that are not ours are left alone: those that
a provider reported or a caller declared, and calls that were free.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.postgres.aggregates import JSONBAgg
from django.db.models import F, OuterRef, QuerySet, Subquery, Sum, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, JSONObject

from billing.cards import RateCards
from billing.closing import Closed
from billing.money import usd_text
from billing.pricebook import seller_of
from billing.pricing import Charge
from billing.reading import charge_reading, reading_of
from metering import providers, selection
from metering.corrections import correction
from metering.filters import EventFilter
from metering.ledger import UsageEvent
from metering.recording.late import ADJUSTMENT, PRICED
from metering.usage import Usage

REPRICED = "repriced"
"""Flag: the adjustment is the difference to other prices."""
FORMER = "former_cost"
"""The line of an adjustment that takes away what the call cost before."""
NOT_OURS = ("provider", "declared", "free", "sandbox")
"""Sources of costs that no price list made."""

Position = tuple[datetime, UUID]
"""The moment and id of an event."""


@dataclass(frozen=True, slots=True)
class Change:
    """One call: its cost until now (None: unpriced) and the cost that it would have, with the lines that make it."""

    event: UsageEvent
    old: int | None
    charge: Charge

    @property
    def difference(self) -> int:
        """Nano-USD that an adjustment moves."""
        return self.charge.cost - (self.old or 0)

    def adjustment(self, cause: UUID) -> dict[str, Any]:
        """The event that makes the change, as a result of the spool."""
        lines: list[list[str | int]] = [list(texts) for texts in self.charge.texts()]
        if self.old:
            lines.append([FORMER, -1, usd_text(self.old), usd_text(-self.old)])
        return correction(
            self.event,
            cause,
            cost=self.difference,
            cost_source=self.charge.source,
            price_version=self.charge.version,
            lines=lines,
            flags=[REPRICED] if self.old is not None else [REPRICED, PRICED],
        )


@dataclass(frozen=True, slots=True)
class Look:
    """Some events of a selection: how many, what would change, how many have no price still, and the last of them."""

    seen: int
    changes: Sequence[Change]
    unpriceable: int
    position: Position | None


def candidates(workspace_id: UUID, chosen: EventFilter, closed: Closed) -> QuerySet[UsageEvent, UsageEvent]:
    """The calls of a selection that may be priced anew, in order, each with what adjustments have moved."""
    corrections = (
        UsageEvent.objects.annotate(of=KeyTextTransform("of", "basis"))
        .filter(admitted_at=OuterRef("admitted_at"), source=ADJUSTMENT, of=Cast(OuterRef("id"), TextField()))
        .order_by()
        .values("admitted_at")
    )
    moved = corrections.annotate(moved=Sum("cost")).values("moved")
    told = corrections.exclude(usage={}).annotate(told=JSONBAgg(JSONObject(usage=F("usage"), basis=F("basis"))))
    found = selection.events(workspace_id, chosen).filter(selection.CALL, closed.open_events())
    found = found.exclude(cost_source__in=NOT_OURS)
    annotated = found.annotate(moved=Subquery(moved), told=Subquery(told.values("told")))
    return annotated.order_by("admitted_at", "id")


def look(found: QuerySet[UsageEvent, UsageEvent], after: Position | None, size: int, book: RateCards) -> Look:
    """The next events of `candidates` (1 query)."""
    events = list((found.filter(pk__gt=after) if after else found)[:size])
    changes = list(_changes(events, book))
    unpriceable = sum(change is None for change in changes)
    position = (events[-1].admitted_at, events[-1].id) if events else None
    return Look(len(events), [change for change in changes if change and _moves(change)], unpriceable, position)


def _changes(events: Sequence[UsageEvent], book: RateCards) -> Iterator[Change | None]:
    for event in events:
        moved, told = getattr(event, "moved", None), getattr(event, "told", None) or []
        old = None if event.cost is None and moved is None else (event.cost or 0) + (moved or 0)
        charge = price(event, told, book)
        yield Change(event, old, charge) if charge else None


def _moves(change: Change) -> bool:
    return change.old is None or change.difference != 0


def price(event: UsageEvent, told: Sequence[dict[str, Any]], book: RateCards) -> Charge | None:
    """What a call costs by a price book; None where it has no price, or nobody knows what it used.

    `told` are the usage and the basis of adjustments that came with counts of their own.
    """
    counts, basis = Counter(event.usage), dict(event.basis)
    for later in told:
        counts.update(later["usage"])
        basis |= later["basis"]
    try:
        reading = reading_of(Usage.from_counts(+counts), event.model, basis)
    except TypeError:
        return None
    if reading.usage == Usage():
        return None
    requested = event.requested_model
    provider = providers.find(event.provider)
    if provider is not None and provider.priced_as_asked:
        reading, requested = reading.as_asked(requested), reading.model
    return charge_reading(book, seller_of(event.provider), reading, requested, event.admitted_at)
