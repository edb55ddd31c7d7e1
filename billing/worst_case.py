"""The most that a call can cost: what a hard cap reserves. Pure, and at the prices of the moment of admission."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from typing import TYPE_CHECKING, Any

from billing.money import LARGEST, to_nano
from billing.pricing import ZERO
from billing.reading import CONTEXTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from billing.cards import Context, RateCards
    from billing.pricing import Rate, RateCard, Tariff
    from metering.bounds import Bound

WRITES = ("cache_write_tokens", "cache_write_5m_tokens")
CACHED = {"": (), "short": WRITES, "long": (*WRITES, "cache_write_1h_tokens")}
MEDIA = {"audio": "input_audio_tokens", "image": "input_image_tokens", "video": "input_video_tokens"}
BOTH = {("cache_read_tokens", "input_audio_tokens"): "cache_read_audio_tokens"}
"""Two kinds of token with a price of their own together."""
WRITTEN = ("output_tokens", "reasoning_tokens", "output_audio_tokens", "output_image_tokens")
USUAL_TIERS = frozenset({"", "auto", "default"})
HASTE = ("priority", "fast")
"""OpenAI's two names for one tier."""
SEARCH = "web_search_requests"
FEES = {
    SEARCH: "searches",
    "audio_seconds": "audio_seconds",
    "document_pages": "document_pages",
    "requests": "requests",
}
"""What is not charged by the token, and the field of a bound that counts it."""
UNLISTED_SEARCH = Decimal("0.05")
"""USD of a search where the price list has no price for it: twice the dearest, xAI's live search."""


def worst_case(
    catalogue: RateCards, provider: str, model: str, moment: datetime, document: Mapping[str, Any], bound: Bound
) -> int | None:
    """Nano-USD of the dearest call within a bound; None where it has no price.

    `provider` is the catalogue's id, `moment` (aware) the admission, `document` the request parsed: the service tier
    that it asks for counts, as does the usual one, in which the provider may answer nevertheless.
    """
    if not bound.requests:
        return 0
    dearest = ZERO
    for name in (model, *bound.models):
        cards = [catalogue.rate_card(provider, name, moment, context) for context in contexts(document)]
        amounts = [_amount(card, bound) for card in cards if card is not None]
        if not amounts or None in amounts:
            return None
        dearest = max(dearest, *(amount for amount in amounts if amount is not None))
    return min(to_nano(dearest), LARGEST)


def contexts(document: Mapping[str, Any]) -> Iterable[Context]:
    """What beside the model may decide the price of the answer: the usual, and what the request asks for."""
    asked: list[Context] = [()]
    tier = document.get("service_tier") or document.get("serviceTier")
    if type(tier) is str and tier not in USUAL_TIERS:
        name = tier.lower().removeprefix("service_tier_")
        names = HASTE if name in HASTE else (name,)
        asked += [CONTEXTS.get(name, (("service_tier", name),)) for name in names]
    if document.get("speed") == "fast":
        asked += [(*context, ("speed", "fast")) for context in asked]
    return asked


def _amount(card: RateCard, bound: Bound) -> Decimal | None:
    """USD, unrounded, at the dearest rates that a call within the bound can reach."""
    if not _prices(card, bound):
        return None
    return max(_at(rates, bound) for rates in _reachable(card.tariff, bound.input_tokens))


def _prices(card: RateCard, bound: Bound) -> bool:
    families = card.tariff.families
    if card.tariff.free or "requests" in families:
        return True
    used = {
        "tokens": bound.input_tokens or bound.output_tokens,
        "durations": bound.audio_seconds,
        "document_pages": bound.document_pages,
    }
    return any(count and family in families for family, count in used.items())


def _reachable(tariff: Tariff, input_tokens: int) -> Iterable[tuple[Rate, ...]]:
    return (tariff.rates, *(band.rates for band in tariff.bands if input_tokens > band.over))


def _at(rates: tuple[Rate, ...], bound: Bound) -> Decimal:
    prices = {rate.unit: rate.unit_price for rate in rates}
    amount = bound.input_tokens * _read(prices, bound)
    amount += bound.output_tokens * max(prices.get(unit, ZERO) for unit in WRITTEN)
    for rate in rates:
        if rate.unit in FEES:
            amount += rate.line(getattr(bound, FEES[rate.unit])).amount
    return amount if SEARCH in prices else amount + bound.searches * UNLISTED_SEARCH


def _read(prices: dict[str, Decimal], bound: Bound) -> Decimal:
    """The dearest token of the prompt. One that is of two kinds without a price together is charged as both."""
    cached = ("cache_read_tokens", *CACHED[bound.cache])
    media = [MEDIA[kind] for kind in bound.kinds if kind in MEDIA]
    single = [prices.get(unit, ZERO) for unit in ("input_tokens", "input_tool_tokens", *cached, *media)]
    double = [
        prices[BOTH[pair]] if BOTH.get(pair) in prices else prices.get(pair[0], ZERO) + prices.get(pair[1], ZERO)
        for pair in product(cached, media)
    ]
    return max(single + double)
