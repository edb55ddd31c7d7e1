"""genai-prices' JSON (its `data.json`): read into a catalogue, and written from the installed package."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from datetime import date, time
from decimal import Decimal
from typing import Any

from genai_prices.data import providers as installed_providers
from genai_prices.data_snapshot import DataSnapshot
from genai_prices.types import ModelPrice, Provider, _providers_from_raw

from billing.catalogue import Catalogue

PROVIDER_FIELDS = ("id", "name", "api_pattern", "fallback_model_providers")
MODEL_FIELDS = ("id", "match", "context_window", "prices", "price_variants")
"""What a price needs; comments and the package's own readers of answers are left out."""
MOST_BYTES = 64 * 1024 * 1024


class BadPriceFile(ValueError):
    """A file that is no price list; its message tells the operator why."""


def installed() -> bytes:
    """The JSON of the package that is installed: the same bytes for the same package."""
    document = [_provider(provider) for provider in installed_providers]
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def catalogue(content: bytes, version: str) -> Catalogue:
    """A catalogue of the JSON's prices. Raises `BadPriceFile`."""
    raw = parse(content)
    if not isinstance(raw, list) or not raw:
        raise BadPriceFile("This is not genai-prices' data.json: it is a list of providers.")
    try:
        providers: list[Provider] = _providers_from_raw([_known(provider) for provider in raw])
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise BadPriceFile(f"This is not genai-prices' data.json: {_first_line(error)}") from error
    _check(providers)
    return Catalogue(DataSnapshot(providers, from_auto_update=False), version=f"genai-prices {version}")


def parse(content: bytes) -> Any:
    """A document with its numbers as they are written. Raises `BadPriceFile`."""
    if len(content) > MOST_BYTES:
        raise BadPriceFile(f"The file is larger than {MOST_BYTES // 1024 // 1024} MiB.")
    try:
        return json.loads(content, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise BadPriceFile(f"This is not JSON: {_first_line(error)}") from error


def _provider(provider: Provider) -> dict[str, Any]:
    found = {name: getattr(provider, name) for name in PROVIDER_FIELDS if getattr(provider, name) is not None}
    models = [{name: _plain(getattr(model, name)) for name in MODEL_FIELDS} for model in provider.models]
    return found | {"models": [{name: value for name, value in model.items() if value is not None} for model in models]}


def _plain(value: Any) -> Any:
    """A part of the package's tables as JSON has it."""
    if isinstance(value, ModelPrice):
        return {key: _plain(price) for key, price in vars(value).items() if price is not None}
    if is_dataclass(value):
        named = {field.name.rstrip("_"): getattr(value, field.name) for field in fields(value)}
        return {name: _plain(part) for name, part in named.items() if part is not None}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, date | time) else value


def _known(provider: dict[str, Any]) -> dict[str, Any]:
    """A provider's prices, without what this product has no use for."""
    models = [{name: model[name] for name in MODEL_FIELDS if name in model} for model in provider["models"]]
    return {name: provider[name] for name in PROVIDER_FIELDS if name in provider} | {"models": models}


def _check(providers: list[Provider]) -> None:
    for provider in providers:
        for model in provider.models:
            listed = (
                [model.prices] if isinstance(model.prices, ModelPrice) else [entry.prices for entry in model.prices]
            )
            if not listed:
                raise BadPriceFile(f"{provider.id} {model.id} has no prices.")
            for prices in [*listed, *(variant.prices for variant in model.price_variants or ())]:
                for price in vars(prices).values():
                    _check_price(price, f"{provider.id} {model.id}")


def _check_price(price: Any, place: str) -> None:
    amounts = [price.base, *(tier.price for tier in price.tiers)] if hasattr(price, "tiers") else [price]
    for amount in amounts:
        if amount is not None and not (isinstance(amount, Decimal) and amount.is_finite() and amount >= 0):
            raise BadPriceFile(f"{place} has a price of {amount}.")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
