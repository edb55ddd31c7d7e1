"""What a page calls the units, providers, tiers and rules of the price book."""

from __future__ import annotations

from decimal import Decimal

from genai_prices.types import TieredPrices

from billing.cards import Context
from billing.decomposition import UNITS, Unit
from billing.listing import OWN
from billing.money import plain_text
from billing.rules import STANDARD, TIERS
from metering import providers
from metering.explanation import UNITS as LABELS
from tokonomics.figures import NBSP

Price = Decimal | TieredPrices

OTHER_LABELS = {"audio_hours": "Audio"}
"""Where the price is for something else than what a call counts: an hour, not seconds."""
PER = {1_000_000: "1M", 3600: "hour", 1000: "1,000"}
TIER_LABELS = {STANDARD: "Standard"} | {name: name.capitalize() for name in dict.fromkeys(TIERS.values())}
CONTEXTS: dict[str, Context] = {STANDARD: ()} | {name: (pair,) for pair, name in reversed(TIERS.items())}
"""Service tier → the context that a call of it is priced in."""
MAIN_UNITS = ("input_mtok", "cache_read_mtok", "cache_write_mtok", "output_mtok", "requests_kcount")
"""What most models are priced by."""


def unit_label(key: str) -> str:
    """`Input, read from cache` for `cache_read_mtok`, `Audio` for `audio_hours`."""
    name = UNITS[key].name
    return OTHER_LABELS.get(key) or LABELS.get(name) or name.replace("_", " ").capitalize()


def per(key: str) -> str:
    """What a price of this key is for: `1M`, `hour`, `1,000`."""
    return _per(UNITS[key])


def per_words(key: str) -> str:
    """`1M tokens`, `hour`, `1,000`."""
    return f"{per(key)} tokens" if UNITS[key].family == "tokens" else per(key)


def _per(unit: Unit) -> str:
    return PER.get(unit.per, f"{unit.per:,}")


def amount(price: Decimal) -> str:
    """USD as lists write it: `$2.50`, `$0.075`."""
    whole, _, fraction = plain_text(price).partition(".")
    return f"${int(whole):,}.{fraction.ljust(2, '0')}"


def price_text(key: str, price: Price) -> str:
    """`$2.50 / 1M`; of a price with steps its first."""
    base = price.base if isinstance(price, TieredPrices) else price
    return f"{amount(base)}{NBSP}/{NBSP}{per(key)}"


def seller_label(seller: str) -> str:
    """The name of a provider of the price book: `OpenAI`; of a workspace's own server its slug."""
    known = {provider.catalogue: provider.label for provider in reversed(providers.PROVIDERS.values())}
    return known.get(seller) or seller.removeprefix(OWN)
