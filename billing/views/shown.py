"""A quote in words and figures, as the pages show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from genai_prices.types import TieredPrices

from billing.book import Quote
from billing.decomposition import UNITS
from billing.models import PriceRule
from billing.money import plain_text
from billing.price_search import Span
from billing.price_words import amount, per, price_text, unit_label
from billing.rules import Rule

Rows = Mapping[str, PriceRule]


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """A unit, its price for ordinary calls, and those for calls longer than so many input tokens."""

    label: str
    per: str
    price: str
    steps: list[tuple[int, str]]
    origin: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A quote: its units, in brief (`Input $2.50 / 1M, …`), and where it is from."""

    units: list[UnitPrice]
    brief: str
    input: str
    output: str
    origin: str
    priced: bool
    free: bool
    rules: list[tuple[Rule, PriceRule | None, str]]
    """What was laid down, and the words for it."""


def shown_quote(quote: Quote, rows: Rows, zone: ZoneInfo | None) -> Shown:
    """A quote with the rows of its rules, their times in a zone."""
    counted = [key for key in UNITS if key in quote.units]
    prices = {key: price_text(key, quote.units[key][0]) for key in counted}
    return Shown(
        units=[_unit(quote, key) for key in counted],
        brief=", ".join(f"{unit_label(key).lower()} {text}" for key, text in prices.items()),
        input=prices.get("input_mtok", ""),
        output=prices.get("output_mtok", ""),
        origin=_origin(quote),
        priced=bool(quote.units) or quote.listing is not None,
        free=quote.listing is not None and not quote.units,
        rules=[(rule, _local(rows.get(rule.id), zone), rule_words(rule)) for rule in quote.rules],
    )


def shown_span(span: Span, rows: Rows, zone: ZoneInfo) -> tuple[datetime | None, datetime | None, Shown]:
    """A part of a model's history: from and until, in the zone, and its prices."""
    since = span.since.astimezone(zone) if span.since else None
    until = span.until.astimezone(zone) if span.until else None
    return since, until, shown_quote(span.quote, rows, zone)


def rule_words(rule: Rule) -> str:
    """What a rule says: `10 % off list prices`, `priced as openai gpt-4o`, `input $2.00 / 1M`."""
    if rule.to_model:
        return f"priced as {rule.to_model}"
    if rule.percent:
        return percent_words(rule.percent)
    return ", ".join(f"{unit_label(key).lower()} {price_text(key, price)}" for key, price in rule.prices)


def percent_words(percent: Decimal) -> str:
    """`10 % off list prices`, `5 % on top of list prices`."""
    size = plain_text(abs(percent))
    return f"{size} % off list prices" if percent > 0 else f"{size} % on top of list prices"


def _unit(quote: Quote, key: str) -> UnitPrice:
    price, rule = quote.units[key]
    steps = price.tiers if isinstance(price, TieredPrices) else []
    base = price.base if isinstance(price, TieredPrices) else price
    return UnitPrice(
        label=unit_label(key),
        per=per(key),
        price=amount(base),
        steps=[(step.start, amount(step.price)) for step in steps],
        origin=_unit_origin(quote, rule),
    )


def _unit_origin(quote: Quote, rule: Rule | None) -> str:
    if rule is not None:
        return "own price" if rule.workspace else "price for all workspaces"
    listed = quote.listing.version if quote.listing else ""
    return f"{listed}, {percent_words(quote.discount.percent)}" if quote.discount else listed


def _origin(quote: Quote) -> str:
    """`genai-prices 0.2.3 and own price`, in few words."""
    origins = dict.fromkeys(_unit_origin(quote, rule) for _, rule in quote.units.values())
    if not quote.units and quote.listing:
        origins = dict.fromkeys([quote.listing.version])
    return " and ".join(origins)


def _local(row: PriceRule | None, zone: ZoneInfo | None) -> PriceRule | None:
    if row is not None and zone is not None:
        row.created_at, row.starts_at = row.created_at.astimezone(zone), row.starts_at.astimezone(zone)
    return row
