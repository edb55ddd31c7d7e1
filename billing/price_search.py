"""Finding models in the price book, and how a model's price has come to be what it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Sum

from billing.book import PriceBook, Quote
from billing.cards import END, Context
from billing.pricebook import seller_of
from metering import clock
from metering.credentials import in_use
from metering.models import DailyUsage
from metering.providers import PROVIDERS
from tokonomics.models import Workspace

Model = tuple[str, str]
"""Provider, as the price book calls it, and model."""

RECENT_DAYS = 30
MOST_RECENT = 50
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""No price was ever before it."""


def used_models(workspace: Workspace) -> list[Model]:
    """What the workspace called in the last 30 days, the dearest first, at most 50; one query."""
    since = clock.today(workspace) - timedelta(days=RECENT_DAYS)
    rows = (
        DailyUsage.objects.filter(workspace_id=workspace.pk, day__gte=since)
        .exclude(provider="sandbox")
        .values("provider", "model")
        .annotate(spent=Sum("cost"))
        .order_by("-spent", "provider", "model")[:MOST_RECENT]
    )
    return [(seller_of(row["provider"]), row["model"]) for row in rows]


def find_models(
    book: PriceBook, text: str, provider: str, moment: datetime, reachable: Sequence[str] = ()
) -> list[Model]:
    """The models of the lists and rules whose name holds a text, those of exactly that name first.

    Of two with the same name the one of a provider that is `reachable` comes first.
    """
    wanted, near = text.lower(), set(reachable)
    found = {
        (seller, model)
        for seller, model in [*book.lists.models(moment), *book.ruled_models(moment)]
        if provider in ("", seller) and wanted in model.lower()
    }
    return sorted(found, key=lambda pair: (pair[1].lower() != wanted, pair[1].lower(), pair[0] not in near, pair[0]))


def sellers(workspace: Workspace) -> list[str]:
    """The providers that the workspace's calls can go to; one query."""
    own = [seller_of(row.slug) for row in in_use(workspace)]
    known = [provider.catalogue for provider in PROVIDERS.values() if provider.catalogue != "sandbox"]
    return list(dict.fromkeys([*own, *known, seller_of("other")]))


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which a price held: `since` ≤ moment < `until`; None: from or for ever."""

    since: datetime | None
    until: datetime | None
    quote: Quote


def history(book: PriceBook, provider: str, model: str, context: Context = ()) -> list[Span]:
    """Each price that a model had, has or will have by what is known now, the newest first.

    Prices by the hour of the day are those at the moment of each change.
    """
    moments = sorted({EARLIEST, *(moment for moment in book.changes(provider, model) if moment > EARLIEST)})
    spans: list[Span] = []
    for moment, following in zip(moments, [*moments[1:], END], strict=True):
        if following == moment:
            continue
        quote = book.quote(provider, model, moment, context)
        since = None if moment == EARLIEST else moment
        until = None if following == END else following
        if spans and _same(spans[-1].quote, quote):
            since, quote = spans[-1].since, spans.pop().quote
        spans.append(Span(since, until, quote))
    return spans[::-1]


def _same(one: Quote, other: Quote) -> bool:
    return (one.units, one.version) == (other.units, other.version)


def differing_tiers(book: PriceBook, model: Model, moment: datetime, tiers: Sequence[tuple[str, Context]]) -> list[str]:
    """The tiers in which a model has prices of their own."""
    provider, name = model
    usual: dict[str, Any] = book.quote(provider, name, moment).units
    return [tier for tier, context in tiers if book.quote(provider, name, moment, context).units != usual]
