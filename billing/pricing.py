"""What a call costs: a rate card, resolved once, and the arithmetic that charges a call's usage to it.

The counts of a usage are inclusive: `input_tokens` holds cache reads, audio and so on. A card takes each part that it
prices apart out of the count that holds it, once, so that every token is charged at exactly one price.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import compress
from operator import attrgetter, mul
from typing import TYPE_CHECKING, NamedTuple

from billing.money import Attos, atto_text, attos, nano_of_attos, plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from metering.usage import Usage

ZERO = Decimal(0)


Texts = tuple[str, int, str, str]
"""Unit, count, unit price and amount, the money as exact plain text."""


class Line(NamedTuple):
    """One line of the explanation of a cost: `count` of `unit` at `unit_price` USD each make `amount` USD."""

    unit: str
    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody calls on a line
    unit_price: Decimal
    amount: Decimal

    def texts(self) -> Texts:
        """The line as an event keeps it."""
        return self.unit, self.count, plain_text(self.unit_price), plain_text(self.amount)


@dataclass(frozen=True, slots=True)
class Rate:
    """A list price: `price` USD for `per` of `unit`.

    `attos` is the exact price of one, in 10⁻¹⁸ dollars; `unit_price` and its `text` are the same as a decimal, cut to
    28 digits where it has no end: a price an hour, charged by the second.
    """

    unit: str
    price: Decimal
    per: int
    unit_price: Decimal
    attos: Attos
    text: str

    @classmethod
    def of(cls, unit: str, price: Decimal, per: int) -> Rate:
        """The rate of a price."""
        unit_price = price / per
        return cls(unit, price, per, unit_price, attos(price, per), plain_text(unit_price))

    def line(self, count: int) -> Line:
        """The explanation of `count` units at this price."""
        return Line(self.unit, count, self.unit_price, self.price * count / self.per)


class Band(NamedTuple):
    """The rates of a whole call whose input is longer than `over` tokens."""

    over: int
    rates: tuple[Rate, ...]


Charged = tuple[list[Rate], list[int]]
"""The rates of a charge, and how many of its unit are charged at each."""


class Charge(NamedTuple):
    """What a call costs, and why. `cost` is in nano-USD: the sum of the lines' exact amounts, rounded once."""

    cost: int
    charged: Charged
    model: str = ""
    """The model as it was looked up: the last part's, when a call has several."""
    source: str = ""
    version: str = ""

    @property
    def lines(self) -> tuple[Line, ...]:
        """The explanation of the cost, line by line."""
        return tuple([rate.line(count) for rate, count in zip(*self.charged, strict=True)])

    def texts(self) -> list[Texts]:
        """The texts of all lines, without making the lines."""
        rates, counts = self.charged
        amounts = map(atto_text, map(mul, map(_attos, rates), counts))
        return list(zip(map(_unit, rates), counts, map(_text, rates), amounts, strict=True))


@dataclass(frozen=True, slots=True)
class Tariff:
    """An entry of a price list, taken apart once so that a call needs arithmetic only."""

    rates: tuple[Rate, ...]
    """The prices of an ordinary call."""
    bands: tuple[Band, ...]
    """The prices of long calls, the longest first."""
    counts: Callable[[Usage], list[int]] = field(repr=False, compare=False)
    """Reads how much of each rate's unit a usage holds, in the order of `rates`, inclusive."""
    nested: tuple[tuple[int, tuple[int, ...]], ...]
    """(position of a rate, positions of the rates of its parts), the innermost first."""
    families: frozenset[str]
    """What is priced at all: `tokens`, `durations`, `document_pages`, `requests`…"""
    free: bool
    """Whether the model is listed without any price: free of charge."""

    def own_counts(self, usage: Usage) -> list[int]:
        """How much is charged at each rate: every whole less its parts. A part larger than its whole leaves none."""
        counts = self.counts(usage)
        for whole, parts in self.nested:
            rest = counts[whole]
            for part in parts:
                rest -= counts[part]
            counts[whole] = max(rest, 0)
        return counts

    def rates_at(self, input_tokens: int) -> tuple[Rate, ...]:
        """The rates of a call with so many input tokens: passing a threshold changes the price of the whole call."""
        for band in self.bands:
            if input_tokens > band.over:
                return band.rates
        return self.rates


@dataclass(frozen=True, slots=True)
class RateCard:
    """The prices of one model at one moment and in one context (service tier, speed)."""

    provider: str
    """The catalogue's id of the provider."""
    model: str
    """The model as it was asked for."""
    listed_as: str
    """The catalogue's own id of the model."""
    source: str
    """`catalogue`, `override` or `sandbox`."""
    version: str
    """The price list, and what overrides it: `genai-prices 0.2.3`."""
    tariff: Tariff
    window: int = 0
    """Tokens that the model can read, 0 where the price list does not tell."""
    named: bool = False
    """Whether somebody has given this very name a price of its own."""

    def charge(self, usage: Usage) -> Charge:
        """The cost of a usage. Never raises."""
        tariff = self.tariff
        counts = tariff.own_counts(usage)
        rates = tariff.rates_at(usage.input_tokens) if tariff.bands else tariff.rates
        charged = list(compress(rates, counts)), list(filter(None, counts))
        return Charge(cost_of(*charged), charged, self.model, self.source, self.version)

    def input_cost(self, tokens: int) -> int | None:
        """Nano-USD of a plain prompt of so many tokens; None where prompts have no price by the token."""
        for rate in self.tariff.rates_at(tokens):
            if rate.unit == "input_tokens":
                return nano_of_attos(rate.attos * tokens)
        return None

    def prices(self, usage: Usage) -> bool:
        """Whether there is a price for what was used: tokens on a card of hourly prices have none."""
        priced = self.tariff.families
        if (usage.input_tokens or usage.output_tokens) and "tokens" in priced:
            return True
        used = families_of(usage)
        covered = not priced.isdisjoint(used) if used else bool(priced)
        return covered or self.tariff.free or "requests" in priced


def cost_of(rates: Iterable[Rate], counts: Iterable[int]) -> int:
    """The nano-USD of so many of each rate's unit: summed exactly, rounded once."""
    return nano_of_attos(sum(map(mul, map(_attos, rates), counts)))


_unit, _text, _attos = map(attrgetter, ("unit", "text", "attos"))


def families_of(usage: Usage) -> tuple[str, ...]:
    """The kinds of thing that a usage counts and that a price list must know to price it."""
    families = []
    if usage.input_tokens or usage.output_tokens:
        families.append("tokens")
    if usage.audio_seconds:
        families.append("durations")
    if usage.document_pages:
        families.append("document_pages")
    if usage.search_units:
        families.append("rerank")
    return tuple(families)
