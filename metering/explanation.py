"""How the cost of one call comes about, line by line, in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing.money import to_nano
from metering.ledger import UsageEvent

UNITS = {
    "input_tokens": "Input",
    "cache_read_tokens": "Input, read from cache",
    "cache_write_tokens": "Input, written to cache",
    "cache_write_5m_tokens": "Input, written to cache for 5 minutes",
    "cache_write_1h_tokens": "Input, written to cache for 1 hour",
    "cache_read_audio_tokens": "Audio input, read from cache",
    "input_audio_tokens": "Audio input",
    "input_image_tokens": "Image input",
    "input_video_tokens": "Video input",
    "input_tool_tokens": "Input from tools",
    "output_tokens": "Output",
    "reasoning_tokens": "Reasoning",
    "output_audio_tokens": "Audio output",
    "output_image_tokens": "Image output",
    "audio_seconds": "Seconds of audio",
    "document_pages": "Pages",
    "search_units": "Searches",
    "web_search_requests": "Web searches",
    "code_interpreter_calls": "Code sessions",
    "requests": "Requests",
    "former_cost": "What it cost before",
}
SOURCES = {
    "catalogue": "List price",
    "override": "Own terms",
    "provider": "The provider’s own figure, which is preferred to ours.",
    "free": "This endpoint is free.",
    "sandbox": "Made-up price of the sandbox",
}
FLAGS = {
    "repriced": "No call: the difference that other prices make to the cost of one, appended later.",
    "priced": "The call had no price until then.",
    "late_result": "No call: the difference between what one used and the estimate of it, which arrived later.",
    "usage_clamped": "One of the provider’s counts is larger than any call can use, and was cut.",
    "usage_anomaly": "The provider’s counts are unusual and were kept as they came.",
    "usage_contradiction": "The provider’s counts contradict each other and were kept as they came.",
    "usage_fallback_unclear": "Another model refused first, and whether that is charged is not known: it is left out.",
    "usage_in_background": "It ran in the background: its usage came later, in an answer that is not metered.",
}
RULE = re.compile(r" [0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The id of a rule of the price book, which a price version names."""
CACHED = ("cache_read_tokens", "cache_write_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")


@dataclass(frozen=True, slots=True)
class Line:
    """`count` × `unit_price` (USD a unit) = `amount` (nano-USD, rounded for this line alone)."""

    unit: str
    label: str
    count: int
    unit_price: Decimal
    amount: int


def lines(event: UsageEvent) -> Sequence[Line]:
    """The lines that were frozen on the event; those of nothing are left out."""
    units = {unit for unit, *_ in event.lines}
    return [
        Line(unit, _label(unit, units, event), count, Decimal(price), to_nano(Decimal(amount)))
        for unit, count, price, amount in event.lines
        if count
    ]


def _label(unit: str, units: set[str], event: UsageEvent) -> str:
    label = UNITS.get(unit, unit.replace("_", " ").capitalize())
    if unit == "input_tokens" and units.intersection(CACHED):
        return f"{label}, not cached"
    if unit == "output_tokens" and event.reasoning_tokens and "reasoning_tokens" not in units:
        return f"{label}, {event.reasoning_tokens:,} of it reasoning"
    return label


def source(event: UsageEvent) -> str:
    """Where the price comes from, or why there is none."""
    if event.cost is None:
        return unpriced(event)
    text = SOURCES.get(event.cost_source, event.cost_source)
    version = RULE.sub("", event.price_version)
    return f"{text} ({version}), frozen on this call." if version else text


def unpriced(event: UsageEvent) -> str:
    """Why a call has no cost."""
    if not event.usage and event.status != "ok":
        return "The call ended before the provider said what it used."
    return (
        f"The price list has no price for {event.model or 'an unnamed model'} at {event.provider}. Nothing was guessed."
    )


def flags(event: UsageEvent) -> list[str]:
    """What else is to be known about the counts, in words."""
    found = [FLAGS.get(flag, flag.replace("_", " ").capitalize() + ".") for flag in event.flags]
    if event.estimated:
        found.insert(0, "Estimated: the call ended before the provider’s own count arrived.")
    return found
