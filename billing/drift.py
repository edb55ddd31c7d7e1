"""How far two price lists differ: the first source from the second, or one version from another. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from genai_prices.types import TieredPrices

from billing.decomposition import UNITS
from billing.listing import PriceSource
from billing.money import plain_text

Price = Decimal | TieredPrices | None
Steps = tuple[tuple[int, Decimal], ...]
"""From how many input tokens on, and the price: of an ordinary price one step from 0."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One unit of one model that two lists price differently; None: a list has no price for it."""

    provider: str
    model: str
    key: str
    one: Price
    other: Price

    def __str__(self) -> str:
        return f"{self.provider} {self.model} {self.key}: {price_text(self.one)} → {price_text(self.other)}"


@dataclass(frozen=True, slots=True)
class Missing:
    """A model that only one of the lists has."""

    provider: str
    model: str
    version: str

    def __str__(self) -> str:
        return f"{self.provider} {self.model}: only in {self.version}"


def drift(one: PriceSource, other: PriceSource, moment: datetime, provider: str = "") -> Iterator[Difference | Missing]:
    """What differs at a moment in the usual service tier, of the providers that both lists have or of one of them."""
    shared = sorted(set(one.providers()) & set(other.providers()))
    for seller in shared:
        if provider in ("", seller):
            yield from _of_provider(one, other, seller, moment)


def _of_provider(
    one: PriceSource, other: PriceSource, provider: str, moment: datetime
) -> Iterator[Difference | Missing]:
    for model in sorted(set(one.models(provider)) | set(other.models(provider))):
        left = one.listing(provider, model, moment, ()).listing
        right = other.listing(provider, model, moment, ()).listing
        if left is None and right is None:
            continue  # an id that its own list does not match
        if left is None or right is None:
            yield Missing(provider, model, one.version if right is None else other.version)
            continue
        for key in UNITS:
            before, after = left.prices.get(key), right.prices.get(key)
            if not _alike(_steps(before), _steps(after)):
                yield Difference(provider, model, key, before, after)


def price_text(price: Price) -> str:
    """A price as a report has it: `2.5`, `1.25 (over 200000: 2.5)`, `none`."""
    if price is None:
        return "none"
    if isinstance(price, TieredPrices):
        steps = ", ".join(f"over {tier.start}: {plain_text(tier.price)}" for tier in price.tiers)
        return f"{plain_text(price.base)} ({steps})"
    return plain_text(price)


def _alike(one: Steps, other: Steps) -> bool:
    """Whether two prices are the same but for a millionth: one list keeps prices in a form that is not exact.

    A price of zero is none.
    """
    if not any(price for _, price in (*one, *other)):
        return True
    return len(one) == len(other) and all(
        start == also and abs(price - same) * 10**6 <= max(price, same)
        for (start, price), (also, same) in zip(one, other, strict=True)
    )


def _steps(price: Price) -> Steps:
    if price is None:
        return ()
    if isinstance(price, TieredPrices):
        return ((0, price.base), *((tier.start, tier.price) for tier in price.tiers))
    return ((0, price),)
