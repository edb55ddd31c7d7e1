"""From a price list's entry to a tariff: which prices there are, which of them is part of which, which tier applies.

The units (what a price key is per, and what is part of what) are the tables of genai-prices: a unit is part of every
unit whose dimensions it has. `input_tokens` {tokens, input} holds `cache_read_tokens` {tokens, input, cache_read}.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING

from genai_prices.data_units import unit_data
from genai_prices.types import TieredPrices

from billing.pricing import Band, Rate, Tariff

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from metering.usage import Usage

    Prices = Mapping[str, Decimal | TieredPrices]

# The unit of the price list → the field of our usage that counts it, in the order in which an explanation lists them.
# Not here: what no answer counts (characters, pixels, cached images). Counted on the event but in no cost: file
# searches (`storage_searches`), as in the reference costs; Google's grounding, whose free daily share no answer tells.
FIELDS = {
    "input_tokens": "input_tokens",
    "cache_read_tokens": "cache_read_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "cache_write_5m_tokens": "cache_write_5m",
    "cache_write_1h_tokens": "cache_write_1h",
    "cache_audio_read_tokens": "cache_read_audio_tokens",
    "input_audio_tokens": "input_audio_tokens",
    "input_image_tokens": "input_image_tokens",
    "input_video_tokens": "input_video_tokens",
    "input_tool_tokens": "input_tool_tokens",
    "output_tokens": "output_tokens",
    "output_reasoning_tokens": "reasoning_tokens",
    "output_audio_tokens": "output_audio_tokens",
    "output_image_tokens": "output_image_tokens",
    "audio_seconds": "audio_seconds",
    "input_document_pages": "document_pages",
    "rerank_searches": "search_units",
    "web_searches": "web_search_requests",
    "code_executions": "code_interpreter_calls",
    "requests": "requests",
}


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of the price list that a usage counts in `field`; `name` is what a line of an explanation calls it."""

    name: str
    field: str
    per: int
    dimensions: frozenset[tuple[str, str]]
    family: str

    def holds(self, other: Unit) -> bool:
        """Whether everything counted in `other` is counted in this unit as well."""
        return self.dimensions < other.dimensions


def _unit(key: str) -> Unit:
    data, field = unit_data[key], FIELDS[key]
    family = data["dimensions"]["family"]
    name = f"{field}_tokens" if family == "tokens" and not field.endswith("_tokens") else field
    return Unit(name, field, data["per"], frozenset(data["dimensions"].items()), family)


UNITS: dict[str, Unit] = {unit_data[key]["price_key"]: _unit(key) for key in FIELDS}
"""Price key (`input_mtok`) → unit, in the order of `FIELDS`."""


def tariff(prices: Prices, least_seconds: int = 0) -> Tariff:
    """An entry ready for arithmetic; `prices` by price key, USD per the key's unit.

    `least_seconds` is what the provider bills for a shorter recording.
    """
    units = tuple(counted(prices).values())
    return Tariff(
        rates=rates(prices),
        bands=bands(prices),
        counts=counter(units, least_seconds),
        nested=nesting(units),
        families=frozenset(unit.family for unit in units),
        free=not prices,
    )


def counted(prices: Prices) -> dict[str, Unit]:
    """The units that an entry prices and a usage counts, by price key."""
    return {key: unit for key, unit in UNITS.items() if key in prices}


def nesting(units: tuple[Unit, ...]) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """For each unit with parts among `units`: its position and theirs; the innermost units first."""
    nested = [
        (whole, tuple(part for part, inner in enumerate(units) if unit.holds(inner)))
        for whole, unit in enumerate(units)
    ]
    nested.sort(key=lambda entry: -len(units[entry[0]].dimensions))
    return tuple((whole, parts) for whole, parts in nested if parts)


def counter(units: tuple[Unit, ...], least_seconds: int = 0) -> Callable[[Usage], list[int]]:
    """A function that reads the count of each unit from a usage, as it is: inclusive. Of `requests` a call is one."""
    fields = [unit.field for unit in units if unit.field != "requests"]
    requests = [1] if len(fields) < len(units) else []
    # The last two only make attrgetter answer with a tuple where one field or none is priced.
    read: Callable[[Usage], tuple[int, ...]] = attrgetter(*fields, "input_tokens", "output_tokens")

    def counts(usage: Usage) -> list[int]:
        values = [*read(usage)]
        values[-2:] = requests
        return values

    def billed_counts(usage: Usage) -> list[int]:
        values = counts(usage)
        values[seconds] = values[seconds] and max(values[seconds], least_seconds)
        return values

    seconds = fields.index("audio_seconds") if least_seconds else 0
    return billed_counts if least_seconds else counts


def rates(prices: Prices) -> tuple[Rate, ...]:
    """The rates of an ordinary call."""
    return tuple(_rate(unit, _price_over(prices[key], 0)) for key, unit in counted(prices).items())


def bands(prices: Prices) -> tuple[Band, ...]:
    """The rates of long calls, the longest first, one band for each threshold of the entry."""
    tiers = [price.tiers for price in prices.values() if isinstance(price, TieredPrices)]
    starts = sorted({tier.start for entry in tiers for tier in entry}, reverse=True)
    return tuple(
        Band(start, tuple(_rate(unit, _price_over(prices[key], start + 1)) for key, unit in counted(prices).items()))
        for start in starts
    )


def _price_over(price: Decimal | TieredPrices, input_tokens: int) -> Decimal:
    if isinstance(price, Decimal):
        return price
    passed = [tier.price for tier in price.tiers if input_tokens > tier.start]
    return passed[-1] if passed else price.base


def _rate(unit: Unit, price: Decimal) -> Rate:
    return Rate.of(unit.name, price, unit.per)
