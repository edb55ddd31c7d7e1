"""List prices of the sandbox's models: made up, in the range of real small and large models."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from billing import decomposition
from billing.pricing import RateCard

if TYPE_CHECKING:
    from billing.decomposition import Prices

PROVIDER = "sandbox"
VERSION = "sandbox 1"

PRICES: dict[str, Prices] = {
    "sandbox-small": {
        "input_mtok": Decimal("0.15"),
        "cache_read_mtok": Decimal("0.075"),
        "output_mtok": Decimal("0.60"),
    },
    "sandbox-large": {
        "input_mtok": Decimal("2.50"),
        "cache_read_mtok": Decimal("1.25"),
        "output_mtok": Decimal("10.00"),
    },
}
"""USD per million tokens, by the price keys of the catalogue."""


def rate_card(model: str) -> RateCard | None:
    """The prices of a sandbox model at any time and in any context, or None for another name."""
    prices = PRICES.get(model)
    if prices is None:
        return None
    return RateCard(PROVIDER, model, model, PROVIDER, VERSION, decomposition.tariff(prices))
