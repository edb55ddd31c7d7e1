"""From what a reader learnt of an answer to what the call costs."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from billing.pricing import Charge, cost_of
from metering.usage import Part, Reading, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    from billing.cards import Context, RateCards
    from billing.pricing import Rate

# Service tiers as answers name them (lower case) → the catalogue's context; every other tier stands for itself.
# Google: `trafficType` of Vertex AI. Anthropic: a batch is a service tier in its answers.
CONTEXTS: dict[str, Context] = {
    "": (),
    "batch": (("processing", "batch"),),
    "on_demand_flex": (("service_tier", "flex"),),
    "on_demand_priority": (("service_tier", "priority"),),
}


USUAL = frozenset({(), *((("service_tier", tier),) for tier in ("default", "standard", "auto", "on_demand"))})
"""Contexts at whose prices a call is charged that names none."""


def basis_of(reading: Reading) -> dict[str, Any]:
    """What an event keeps so that `reading_of` can price it again: its context and its parts, where there are any."""
    context = price_context(reading)
    basis: dict[str, Any] = {} if context in USUAL else {"context": context}
    if reading.parts:
        basis["parts"] = [(part.model, part.usage.counts()) for part in reading.parts]
    return basis


def reading_of(usage: Usage, model: str, basis: Mapping[str, Any]) -> Reading:
    """The answer of an event as far as its price is concerned. Raises TypeError for counts that are none of ours."""
    parts = tuple([Part(name, Usage.from_counts(counts)) for name, counts in basis.get("parts", ())])
    return Reading(usage, model, parts, context=tuple((name, value) for name, value in basis.get("context", ())))


def charge_reading(
    catalogue: RateCards, provider: str, reading: Reading, requested_model: str, moment: datetime
) -> Charge | None:
    """The cost of an answer of a provider (its catalogue id), each part at its own model; None where it is unpriced.

    The model that answered decides; where the catalogue does not know it, the model that was asked for. `moment` is
    aware: when the call was admitted.
    """
    context = price_context(reading)
    if reading.usage is not None and not reading.parts:
        card = catalogue.card_of(provider, (reading.model, requested_model), moment, context)
        return card.charge(reading.usage) if card is not None and card.prices(reading.usage) else None
    charges = []
    for models, usage in _parts(reading, requested_model):
        card = catalogue.card_of(provider, models, moment, context)
        if card is None or not card.prices(usage):
            return None
        charges.append(card.charge(usage))
    return _together(charges)


def price_context(reading: Reading) -> Context:
    """What beside model and moment decides the price of an answer: its service tier, and what the reader names."""
    context = _tier_context(reading.service_tier)
    return (*context, *reading.context) if reading.context else context


@lru_cache(maxsize=256)
def _tier_context(tier: str) -> Context:
    tier = tier.lower()
    return CONTEXTS.get(tier, (("service_tier", tier),))


def _parts(reading: Reading, requested_model: str) -> list[tuple[tuple[str, ...], Usage]]:
    """Each part's usage with the names to look for, the best first. A part of another model has that name only."""
    answered = (reading.model, requested_model)
    own = ("", reading.model)
    return [(answered if part.model in own else (part.model,), part.usage) for part in reading.parts]


def _together(charges: list[Charge]) -> Charge | None:
    """The charges of the parts as one: counts of the same unit at the same price are one line."""
    if len(charges) < 2:
        return charges[0] if charges else None
    merged: dict[tuple[str, Decimal], tuple[Rate, int]] = {}
    for charge in charges:
        for rate, count in zip(*charge.charged, strict=True):
            same, before = merged.get((rate.unit, rate.unit_price), (rate, 0))
            merged[rate.unit, rate.unit_price] = same, before + count
    charged = [rate for rate, _ in merged.values()], [count for _, count in merged.values()]
    return charges[-1]._replace(cost=cost_of(*charged), charged=charged)
