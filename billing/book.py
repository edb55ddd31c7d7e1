"""The price book: dated price lists, and in front of them what was laid down for all workspaces and for one.

The unit prices of a call come, each unit for itself, from the first of: the workspace's own price, the price for all
workspaces, the list in force at the moment of the call (less a discount), the second source (less a discount).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakSet

from genai_prices.types import Tier, TieredPrices

from billing import decomposition, sandbox
from billing.cards import BEGINNING, END, REMEMBERED, RateCards, Remembered
from billing.listing import Found, Listing
from billing.pricing import RateCard
from billing.rules import ALIAS, DISCOUNT, PRICE, Rule, Rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from billing.cards import Context
    from billing.listing import PriceSource

    Price = Decimal | TieredPrices


class Dated(NamedTuple):
    """A price list in one version, and from when on it counts."""

    starts: datetime
    source: PriceSource


class Lists:
    """The price lists: versions of the first source, and of the second for what the first lacks."""

    def __init__(self, first: Iterable[Dated], second: Iterable[Dated] = ()) -> None:
        self.first = sorted(first, key=lambda dated: dated.starts)
        self.second = sorted(second, key=lambda dated: dated.starts)

    def listing(self, provider: str, model: str, moment: datetime, context: Context) -> Found:
        """The list prices of a model at a moment."""
        first = _find(self.first, provider, model, moment, context)
        if first.listing is not None:
            return first
        second = _find(self.second, provider, model, moment, context)
        return Found(max(first.since, second.since), min(first.until, second.until), second.listing)

    def models(self, moment: datetime) -> Iterator[tuple[str, str]]:
        """Provider and model of all that the lists in force have."""
        for dated in (self.first, self.second):
            for version in [version for version in dated if version.starts <= moment][-1:]:
                for provider in version.source.providers():
                    yield from ((provider, model) for model in version.source.models(provider))

    def changes(self, provider: str, model: str) -> Iterator[datetime]:
        """The moments from which on a model may have another price."""
        for version in (*self.first, *self.second):
            yield version.starts
            yield from version.source.changes(provider, model)


def _find(dated: Sequence[Dated], provider: str, model: str, moment: datetime, context: Context) -> Found:
    begun = [version for version in dated if version.starts <= moment]
    since = begun[-1].starts if begun else BEGINNING
    until = dated[len(begun)].starts if len(begun) < len(dated) else END
    if not begun:
        return Found(since, until, None)
    found = begun[-1].source.listing(provider, model, moment, context)
    return Found(max(since, found.since), min(until, found.until), found.listing)


@dataclass(frozen=True, slots=True)
class Quote:
    """Every unit price of a model at one moment and in one context, and where each comes from.

    `units` by price key: the price, USD for the key's unit, and the rule that set it, None where it is the list's.
    """

    provider: str
    model: str
    since: datetime
    until: datetime
    listing: Listing | None
    """What the price list has, of the model itself or of what it is priced as."""
    alias: Rule | None = None
    discount: Rule | None = None
    units: dict[str, tuple[Price, Rule | None]] = field(default_factory=dict)

    @property
    def rules(self) -> list[Rule]:
        """The rules that made the price."""
        own = {rule.id: rule for _, rule in self.units.values() if rule}
        listed = any(rule is None for _, rule in self.units.values())
        cheaper = [self.discount] if self.discount and listed else []
        return [*([self.alias] if self.alias else []), *cheaper, *own.values()]

    @property
    def version(self) -> str:
        """What an event keeps as its price version: `genai-prices 0.2.3, discount 0199…`."""
        listed = self.listing is not None and (not self.units or any(rule is None for _, rule in self.units.values()))
        parts = [self.listing.version] if listed and self.listing else []
        return ", ".join([*parts, *(f"{rule.kind} {rule.id}" for rule in self.rules)])

    @property
    def source(self) -> str:
        """What an event keeps as the source of its cost."""
        if any(rule.kind != ALIAS for rule in self.rules) or self.listing is None:
            return "override"
        return self.listing.source

    def card(self) -> RateCard:
        """The quote as a rate card."""
        listing = self.listing
        prices = {key: price for key, (price, _) in self.units.items()}
        tariff = decomposition.tariff(prices, listing.least_seconds if listing else 0)
        listed_as, window = (listing.listed_as, listing.window) if listing else (self.model, 0)
        named = any(rule.kind == PRICE and rule.names(self.model) for rule in self.rules)
        return RateCard(self.provider, self.model, listed_as, self.source, self.version, tariff, window, named)


class PriceBook(RateCards):
    """The prices of all workspaces (`rules` are everybody's), or of one that has rules of its own."""

    def __init__(self, lists: Lists, rules: Iterable[Rule] = (), remembered: int = REMEMBERED) -> None:
        super().__init__(remembered)
        self.lists = lists
        self.layers: tuple[Rules, ...] = (Rules(rules),)
        self._books: WeakSet[PriceBook] = WeakSet()

    def for_workspace(self, rules: Iterable[Rule]) -> PriceBook:
        """The book of a workspace with rules of its own; it follows what is replaced in this one."""
        book = PriceBook(self.lists)
        book.layers = (*self.layers, Rules(rules))
        self._books.add(book)
        return book

    def replace(self, lists: Lists, rules: Iterable[Rule]) -> None:
        """Put other lists and rules for all workspaces in place, here and in every workspace's book."""
        common = Rules(rules)
        for book in (self, *self._books):
            book.lists, book.layers = lists, (common, *book.layers[1:])
            book.forget()

    def look_up(self, provider: str, model: str, moment: datetime, context: Context) -> Remembered:
        """The card of a model."""
        quote = self.quote(provider, model, moment, context)
        priced = quote.listing is not None or quote.units
        return Remembered(quote.since, quote.until, quote.card() if priced else None)

    def quote(self, provider: str, model: str, moment: datetime, context: Context = ()) -> Quote:
        """What a model costs and why; a quote without listing and units is of a model that has no price."""
        if provider == sandbox.PROVIDER or not any(self.layers):
            found = self.lists.listing(provider, model, moment, context)
            units = {key: (price, None) for key, price in found.listing.prices.items()} if found.listing else {}
            return Quote(provider, model, *found, units=dict(units))
        return self._ruled(provider, model, moment, context)

    def ruled_models(self, moment: datetime) -> Iterator[tuple[str, str]]:
        """Provider and model of the rules in force that name one, and not a pattern."""
        for layer in self.layers:
            for rule in layer.all:
                if rule.kind != DISCOUNT and rule.holds(moment) and "*" not in rule.model:
                    yield rule.provider, rule.model

    def changes(self, provider: str, model: str) -> set[datetime]:
        """The moments at which a model may have changed its price, or will."""
        places = {(provider, model)}
        for layer in self.layers:
            aliases = layer.of(ALIAS, provider)
            places |= {
                (rule.to_provider, rule.to_model) for rule in aliases if rule.closeness(provider, (model.lower(),))
            }
        listed = {turn for place in places for turn in self.lists.changes(*place)}
        return listed | {turn for layer in self.layers for seller, _ in places for turn in layer.turns(seller)}

    def _ruled(self, provider: str, model: str, moment: datetime, context: Context) -> Quote:
        asked = model.lower()
        alias = self._closest(ALIAS, provider, (asked,), moment, context)
        seller, name = (alias.to_provider, alias.to_model) if alias else (provider, model)
        found = self.lists.listing(seller, name, moment, context)
        listed = [name.lower(), found.listing.listed_as.lower()] if found.listing else [name.lower()]
        own = (asked, *listed) if seller == provider else (asked,)
        discount = self._closest(DISCOUNT, provider, own, moment, context)
        units: dict[str, tuple[Price, Rule | None]] = {}
        for key, price in found.listing.prices.items() if found.listing else ():
            units[key] = (reduced(price, discount.percent) if discount else price, None)
        places = [(seller, listed), (provider, [asked])] if alias else [(provider, own)]
        for place, names in places:
            for rule in self._prices(place, names, moment, context):
                units |= {key: (price, rule) for key, price in rule.prices}
        since, until = self._bounds(found, moment, {provider, seller})
        return Quote(provider, model, since, until, found.listing, alias, discount, units)

    def _closest(
        self, kind: str, provider: str, names: Sequence[str], moment: datetime, context: Context
    ) -> Rule | None:
        """The rule that counts where only one can: the workspace's before everybody's."""
        for layer in reversed(self.layers):
            if found := layer.in_force(kind, provider, names, moment, context):
                return found[-1]
        return None

    def _prices(self, provider: str, names: Sequence[str], moment: datetime, context: Context) -> list[Rule]:
        """The price rules for a model; a later one's units count before an earlier one's."""
        return [rule for layer in self.layers for rule in layer.in_force(PRICE, provider, names, moment, context)]

    def _bounds(self, found: Found, moment: datetime, providers: set[str]) -> tuple[datetime, datetime]:
        turns = [turn for layer in self.layers for provider in providers for turn in layer.turns(provider)]
        since = max([found.since, *(turn for turn in turns if turn <= moment)])
        until = min([found.until, *(turn for turn in turns if turn > moment)])
        return since, until


def reduced(price: Price, percent: Decimal) -> Price:
    """A price less so many percent, exactly."""
    rest = (100 - percent).scaleb(-2)
    if isinstance(price, TieredPrices):
        return TieredPrices(price.base * rest, [Tier(tier.start, tier.price * rest) for tier in price.tiers])
    return price * rest
