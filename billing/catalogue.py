"""The price catalogue: genai-prices as pinned data, asked once for a model and remembered as a rate card.

Of the package only the tables and the matching of names and dates are used, from a snapshot of our own: neither its
global snapshot nor its updates from the network can change a price here.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING

from genai_prices.data import providers as listed_providers
from genai_prices.data_snapshot import DataSnapshot
from genai_prices.types import ModelPrice, StartDateConstraint, TimeOfDateConstraint

from billing import decomposition, sandbox
from billing.cards import BEGINNING, END, REMEMBERED, Context, RateCards, Remembered
from billing.listing import Found, Listing
from billing.pricing import RateCard
from billing.reading import charge_reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_prices.types import ModelInfo, Provider

    from billing.decomposition import Prices

__all__ = ["Catalogue", "Context", "charge_reading"]

VERSION = f"genai-prices {version('genai-prices')}"
LONGEST_NAME = 200

# Groq bills at least ten seconds of audio a request (https://groq.com/pricing).
LEAST_SECONDS = {("groq", "whisper-large-v3"): 10, ("groq", "whisper-large-v3-turbo"): 10}


class Catalogue(RateCards):
    """One version of genai-prices: the pinned package's own, unless a snapshot of another one is given."""

    def __init__(
        self, snapshot: DataSnapshot | None = None, remembered: int = REMEMBERED, version: str = VERSION
    ) -> None:
        super().__init__(remembered)
        self.version = version
        self._snapshot = snapshot or DataSnapshot(providers=listed_providers, from_auto_update=False)
        self._providers = {provider.id: provider for provider in self._snapshot.providers}

    def look_up(self, provider: str, model: str, moment: datetime, context: Context) -> Remembered:
        """The card of a model at its list price."""
        since, until, listing = self.listing(provider, model, moment, context)
        return Remembered(since, until, None if listing is None else card(provider, model, listing))

    def listing(self, provider: str, model: str, moment: datetime, context: Context) -> Found:
        """The list prices of a model."""
        if provider == sandbox.PROVIDER:
            return Found(BEGINNING, END, sandbox.listing(model))
        seller = self._providers.get(provider)
        info = self._find(seller, model) if seller else None
        if seller is None or info is None:
            return Found(BEGINNING, END, None)
        prices = _prices(seller, info, moment, context)
        least = LEAST_SECONDS.get((seller.id, info.id), 0)
        listing = Listing(info.id, prices, "catalogue", self.version, _window(info, prices), least)
        return Found(*_validity(info, moment), listing)

    def changes(self, provider: str, model: str) -> list[datetime]:
        """The midnights (UTC) from which on a model has other prices."""
        seller = self._providers.get(provider)
        info = self._find(seller, model) if seller else None
        return [] if info is None else list(_starts(info))

    def providers(self) -> list[str]:
        """The ids of all providers."""
        return list(self._providers)

    def models(self, provider: str) -> list[str]:
        """The ids of a provider's own models that are names of calls as well; none for an unknown provider."""
        if provider == sandbox.PROVIDER:
            return list(sandbox.PRICES)
        seller = self._providers.get(provider)
        return [model.id for model in seller.models if model.is_match(model.id)] if seller else []

    def _find(self, seller: Provider, model: str) -> ModelInfo | None:
        if not model or len(model) > LONGEST_NAME:
            return None
        # Vertex AI's endpoint for OpenAI's clients names Gemini with its maker.
        name = model.removeprefix("google/") if seller.id == "google" else model
        return seller.find_model(name, all_providers=self._snapshot.providers)


def card(provider: str, model: str, listing: Listing) -> RateCard:
    """The card of a model that is charged as listed."""
    tariff = decomposition.tariff(listing.prices, listing.least_seconds)
    return RateCard(provider, model, listing.listed_as, listing.source, listing.version, tariff, listing.window)


def _window(info: ModelInfo, prices: Prices) -> int:
    """The context of a model; not told where longer calls have a price: then there is a beta for them."""
    told = info.context_window or 0
    return 0 if any(band.over >= told for band in decomposition.bands(prices)) else told


def _prices(seller: Provider, info: ModelInfo, moment: datetime, context: Context) -> Prices:
    # A model that the seller borrows from another list (Azure from OpenAI) has the standard prices of that list only.
    own = any(info is model for model in seller.models)
    listed = info.get_prices(moment, dict(context) if own else None)
    return {key: price for key, price in vars(listed).items() if price is not None}


def _validity(info: ModelInfo, moment: datetime) -> tuple[datetime, datetime]:
    """The time around `moment` in which no constraint of the entry begins or ends to hold."""
    turns = list(_turns(info, moment))
    since = max((turn for turn in turns if turn <= moment), default=BEGINNING)
    until = min((turn for turn in turns if turn > moment), default=END)
    return since, until


def _turns(info: ModelInfo, moment: datetime) -> Iterator[datetime]:
    """When the prices may change: all start dates, and the daily hours on the days around `moment`."""
    yield from _starts(info)
    today = moment.astimezone(UTC).date()
    for constraint in _constraints(info):
        if isinstance(constraint, TimeOfDateConstraint):
            for hour in (constraint.start_time, constraint.end_time):
                for days in (-1, 0, 1):
                    yield datetime.combine(today + timedelta(days), hour, hour.tzinfo or UTC)


def _starts(info: ModelInfo) -> Iterator[datetime]:
    for constraint in _constraints(info):
        if isinstance(constraint, StartDateConstraint):
            yield datetime.combine(constraint.start_date, time(), UTC)


def _constraints(info: ModelInfo) -> Iterator[StartDateConstraint | TimeOfDateConstraint | None]:
    conditional = [] if isinstance(info.prices, ModelPrice) else info.prices
    for entry in (*conditional, *(info.price_variants or ())):
        yield entry.constraint
