"""The price catalogue: genai-prices as pinned data, asked once for a model and remembered as a rate card.

Of the package only the tables and the matching of names and dates are used, from a snapshot of our own: neither its
global snapshot nor its updates from the network can change a price here.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from importlib.metadata import version
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from genai_prices.data import providers as listed_providers
from genai_prices.data_snapshot import DataSnapshot
from genai_prices.types import ModelPrice, StartDateConstraint, TimeOfDateConstraint

from billing import decomposition, sandbox
from billing.pricing import RateCard, Tariff
from billing.reading import charge_reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_prices.types import ModelInfo, Provider

    from billing.decomposition import Prices

Context = tuple[tuple[str, str], ...]
"""What beside the model decides a price: `(("service_tier", "flex"),)`, `(("speed", "fast"),)`."""

__all__ = ["Catalogue", "Context", "charge_reading"]

VERSION = f"genai-prices {version('genai-prices')}"
LONGEST_NAME = 200
REMEMBERED = 4096

BEGINNING = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)

# Groq bills at least ten seconds of audio a request (https://groq.com/pricing).
LEAST_SECONDS = {("groq", "whisper-large-v3"): 10, ("groq", "whisper-large-v3-turbo"): 10}


class Remembered(NamedTuple):
    """A card, or None for an unknown model, and the time in which that answer holds: `since` ≤ moment < `until`."""

    since: datetime
    until: datetime
    card: RateCard | None


class Catalogue:
    """Rate cards by provider, model, moment and context. Bounded, and safe to share between threads."""

    def __init__(self, snapshot: DataSnapshot | None = None, remembered: int = REMEMBERED) -> None:
        self._snapshot = snapshot or DataSnapshot(providers=listed_providers, from_auto_update=False)
        self._providers = {provider.id: provider for provider in self._snapshot.providers}
        self._remembered: dict[tuple[str, str, Context], Remembered] = {}
        self._room = remembered
        self._lock = Lock()

    def rate_card(self, provider: str, model: str, moment: datetime, context: Context = ()) -> RateCard | None:
        """The prices at a moment (aware), or None where the catalogue does not know the provider or the model.

        `provider` is the catalogue's id: `openai`, `google`, `x-ai`, `sandbox`.
        """
        key = (provider, model, context)
        found = self._remembered.get(key)
        if found is None or not found.since <= moment < found.until:
            found = self._look_up(provider, model, moment, context)
            self._remember(key, found)
        return found.card

    def _remember(self, key: tuple[str, str, Context], found: Remembered) -> None:
        with self._lock:
            self._remembered.pop(key, None)
            while len(self._remembered) >= self._room:
                del self._remembered[next(iter(self._remembered))]
            self._remembered[key] = found

    def _look_up(self, provider: str, model: str, moment: datetime, context: Context) -> Remembered:
        if provider == sandbox.PROVIDER:
            return Remembered(BEGINNING, END, sandbox.rate_card(model))
        seller = self._providers.get(provider)
        info = self._find(seller, model) if seller else None
        if seller is None or info is None:
            return Remembered(BEGINNING, END, None)
        prices = _prices(seller, info, moment, context)
        since, until = _validity(info, moment)
        tariff = decomposition.tariff(prices, LEAST_SECONDS.get((seller.id, info.id), 0))
        card = RateCard(provider, model, info.id, "catalogue", VERSION, tariff, _window(info, tariff))
        return Remembered(since, until, card)

    def _find(self, seller: Provider, model: str) -> ModelInfo | None:
        if not model or len(model) > LONGEST_NAME:
            return None
        return seller.find_model(model, all_providers=self._snapshot.providers)


def _window(info: ModelInfo, tariff: Tariff) -> int:
    """The context of a model; not told where longer calls have a price: then there is a beta for them."""
    told = info.context_window or 0
    return 0 if any(band.over >= told for band in tariff.bands) else told


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
    conditional = [] if isinstance(info.prices, ModelPrice) else info.prices
    today = moment.astimezone(UTC).date()
    for entry in (*conditional, *(info.price_variants or ())):
        if isinstance(entry.constraint, StartDateConstraint):
            yield datetime.combine(entry.constraint.start_date, time(), UTC)
        elif isinstance(entry.constraint, TimeOfDateConstraint):
            for hour in (entry.constraint.start_time, entry.constraint.end_time):
                for days in (-1, 0, 1):
                    yield datetime.combine(today + timedelta(days), hour, hour.tzinfo or UTC)
