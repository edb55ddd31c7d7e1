"""The second source: LiteLLM's table `model_prices_and_context_window.json`, as data, for what the first source lacks.

Its prices are USD a token, a second, a page or a query, without dates. An entry is left out where we could not charge
it rightly: where it says nothing but zeros (which stands for unknown as often as for free), where it has a price for
something that no answer counts (characters, pixels, finished images), and where it prices the same thing twice.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from genai_prices.types import Tier, TieredPrices

from billing.cards import BEGINNING, END
from billing.listing import Found, Listing
from billing.price_files import BadPriceFile, parse
from billing.rules import STANDARD, tiers_of

if TYPE_CHECKING:
    from datetime import datetime

    from billing.cards import Context

    Price = Decimal | TieredPrices

PROVIDERS = {
    "gemini": "google",
    "xai": "x-ai",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
    "cohere_chat": "cohere",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "voyage": "voyageai",
    "moonshot": "moonshotai",
}
"""LiteLLM's name of a provider → the catalogue's, where they differ; `vertex_ai…` is google too."""

MILLION = 10**6
UNITS = {
    "input_cost_per_token": ("input_mtok", MILLION),
    "cache_read_input_token_cost": ("cache_read_mtok", MILLION),
    "cache_creation_input_token_cost": ("cache_write_mtok", MILLION),
    "cache_creation_input_token_cost_above_1hr": ("cache_write_1h_mtok", MILLION),
    "cache_read_input_audio_token_cost": ("cache_audio_read_mtok", MILLION),
    "input_cost_per_audio_token": ("input_audio_mtok", MILLION),
    "input_cost_per_image_token": ("input_image_mtok", MILLION),
    "input_cost_per_video_token": ("input_video_mtok", MILLION),
    "output_cost_per_token": ("output_mtok", MILLION),
    "output_cost_per_reasoning_token": ("output_reasoning_mtok", MILLION),
    "output_cost_per_audio_token": ("output_audio_mtok", MILLION),
    "output_cost_per_image_token": ("output_image_mtok", MILLION),
    "input_cost_per_second": ("audio_hours", 3600),
    "ocr_cost_per_page": ("input_document_kpages", 1000),
    "input_cost_per_query": ("rerank_searches_kcount", 1000),
    "search_context_cost_per_query": ("web_searches_kcount", 1000),
    "input_cost_per_request": ("requests_kcount", 1000),
}
"""LiteLLM's price → our price key, and how many of theirs make one of ours."""
EXTRAS = re.compile(
    r"(google_maps_grounding|code_interpreter|computer_use|file_search|vector_store|annotation|citation)_.*"
    r"|cache_(read|creation)_input_(image|audio)_token_cost.*|input_cost_per_token_cache_hit"
    r"|cache_creation_input_token_cost_above_12hr.*|.*_(ultrafast|balanced|decisions)"
)
"""Prices beside the main ones, for what no answer counts: left out of a cost, as they are with the first source."""
PRICE = re.compile(r"(?P<name>.+?)(?:_above_(?P<over>\d+)k_tokens)?(?:_(?P<tier>batches|flex|priority))?")
TIERS = {None: STANDARD, "batches": "batch", "flex": "flex", "priority": "priority"}
TALK = frozenset({"chat", "responses", "completion"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A model's prices by tier and price key, USD for the key's unit: the plain price, and those of long inputs."""

    model: str
    window: int
    plain: dict[str, dict[str, Decimal]]
    long: dict[str, dict[str, list[tuple[int, Decimal]]]] = field(default_factory=dict)

    def prices(self, tiers: frozenset[str]) -> dict[str, Price]:
        """The prices in a context: those of its tiers, and the standard ones for what they have none for."""
        found: dict[str, Price] = {}
        for tier in (STANDARD, *sorted(tiers - {STANDARD})):
            for key, price in self.plain.get(tier, {}).items():
                steps = self.long.get(tier, {}).get(key)
                found[key] = TieredPrices(price, [Tier(*step) for step in steps]) if steps else price
        return found


class SecondSource:
    """LiteLLM's table in one version. Raises `BadPriceFile`."""

    def __init__(self, content: bytes, version: str) -> None:
        self.version = f"litellm {version}"
        self._entries: dict[str, dict[str, Entry]] = defaultdict(dict)
        self.left_out: dict[str, str] = {}
        """Why an entry of the table is not used, by its name."""
        document = parse(content)
        if not isinstance(document, dict) or not any(isinstance(entry, dict) for entry in document.values()):
            raise BadPriceFile("This is not LiteLLM's price table: it is an object with an entry for each model.")
        for name, entry in document.items():
            if name != "sample_spec" and isinstance(entry, dict):
                self._take(name, entry)
        if not self._entries:
            raise BadPriceFile("There is no price in this table.")

    def listing(self, provider: str, model: str, moment: datetime, context: Context) -> Found:
        """The prices of a model, at any moment."""
        entry = self._entries.get(provider, {}).get(model.lower())
        if entry is None:
            return Found(BEGINNING, END, None)
        prices = entry.prices(tiers_of(context))
        return Found(BEGINNING, END, Listing(entry.model, prices, "catalogue", self.version, entry.window))

    def changes(self, provider: str, model: str) -> list[datetime]:
        """None: its prices have no dates."""
        return []

    def providers(self) -> list[str]:
        """The catalogue ids of all providers; those that the catalogue lacks under LiteLLM's name."""
        return list(self._entries)

    def models(self, provider: str) -> list[str]:
        """The ids of a provider's models."""
        return [entry.model for entry in self._entries.get(provider, {}).values()]

    def _take(self, name: str, raw: Mapping[str, Any]) -> None:
        theirs = raw.get("litellm_provider")
        if not isinstance(theirs, str):
            self.left_out[name] = "names no provider"
            return
        model = name.removeprefix(f"{theirs.partition('-')[0]}/")
        try:
            entry = _entry(model, raw)
        except BadPriceFile as reason:
            self.left_out[name] = str(reason)
            return
        provider = "google" if theirs.startswith("vertex_ai") else PROVIDERS.get(theirs, theirs)
        if theirs == "gemini":
            self._entries[provider][model.lower()] = entry
        else:
            self._entries[provider].setdefault(model.lower(), entry)


def _entry(model: str, raw: Mapping[str, Any]) -> Entry:
    """An entry, taken apart; raises BadPriceFile with the reason why it cannot be used."""
    plain: dict[str, dict[str, Decimal]] = defaultdict(dict)
    long: dict[str, dict[str, list[tuple[int, Decimal]]]] = defaultdict(lambda: defaultdict(list))
    for name, value in raw.items():
        if "cost" not in name or EXTRAS.fullmatch(name) or _is_same_second(name, raw):
            continue
        match = PRICE.fullmatch(name)
        amount = _amount(value)
        if match is None or amount is None or match["name"] not in UNITS:
            if amount == 0:
                continue
            raise BadPriceFile(f"has a price that cannot be charged: {name}")
        key, per = UNITS[match["name"]]
        tier = TIERS[match["tier"]]
        if match["over"]:
            long[tier][key].append((int(match["over"]) * 1000, amount * per))
        else:
            plain[tier][key] = amount * per
    if not any(price for key, price in plain[STANDARD].items() if key.endswith("_mtok")):
        for prices in plain.values():  # else a search that was not counted would cost its tokens: nothing
            for key in [key for key in prices if key.endswith("_mtok")]:
                del prices[key]
    _check(plain[STANDARD], raw)
    if plain[STANDARD].get("output_reasoning_mtok") == plain[STANDARD].get("output_mtok"):
        plain[STANDARD].pop("output_reasoning_mtok", None)  # else it would stay when another tier's output is cheaper
    window = raw.get("max_input_tokens")
    known = window if type(window) is int and window > 0 and not long else 0
    return Entry(model, known, dict(plain), {tier: dict(steps) for tier, steps in long.items()})


def _is_same_second(name: str, raw: Mapping[str, Any]) -> bool:
    """A transcription's second is often listed twice, as input and as output, but charged once."""
    return name == "output_cost_per_second" and raw[name] == raw.get("input_cost_per_second")


def _amount(value: Any) -> Decimal | None:
    """A price as the table writes it; of several, as for searches by size of context, the dearest."""
    if isinstance(value, Mapping):
        amounts = [_amount(part) for part in value.values()]
        return None if None in amounts else max((part for part in amounts if part is not None), default=None)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    amount = Decimal(value)
    return amount if amount.is_finite() and amount >= 0 else None


def _check(prices: Mapping[str, Decimal], raw: Mapping[str, Any]) -> None:
    if not any(prices.values()):
        raise BadPriceFile("has no price but zero")
    if raw.get("mode") in TALK and not {"input_mtok", "output_mtok"} <= prices.keys():
        raise BadPriceFile("has a price for one direction only")
    tokens = any(price for key, price in prices.items() if key.endswith("_mtok"))
    if tokens and prices.get("audio_hours"):
        raise BadPriceFile("prices the same by the token and by the second")
