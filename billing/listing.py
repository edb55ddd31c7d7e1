"""A model as a price list has it at one moment: what the lists give and the rate cards are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from billing.cards import Context
    from billing.decomposition import Prices

OWN = "own/"
"""What no price list knows as a seller, such as a workspace's own server, is called by this and its route slug."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The prices of a model at one moment and in one context; `prices` by price key, USD for the key's unit."""

    listed_as: str
    """The list's own id of the model."""
    prices: Prices
    source: str
    """`catalogue` or `sandbox`."""
    version: str
    """The price list: `genai-prices 0.2.3`."""
    window: int = 0
    """Tokens that the model can read, 0 where the list does not tell."""
    least_seconds: int = 0
    """What the provider bills for a shorter recording."""


class Found(NamedTuple):
    """A listing, or None for an unknown model, and the time in which that answer holds: `since` ≤ moment < `until`."""

    since: datetime
    until: datetime
    listing: Listing | None


class PriceSource(Protocol):
    """A price list: genai-prices in one version, or the second source."""

    version: str

    def listing(self, provider: str, model: str, moment: datetime, context: Context) -> Found:
        """The prices of a model of a provider (its catalogue id) at a moment (aware)."""

    def changes(self, provider: str, model: str) -> list[datetime]:
        """The midnights (UTC) from which on a model has other prices."""

    def models(self, provider: str) -> list[str]:
        """The ids of all models of a provider."""

    def providers(self) -> list[str]:
        """The catalogue ids of all providers."""
