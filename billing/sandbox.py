"""List prices of the sandbox's models: made up, in the range of real small and large models."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from billing.listing import Listing

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


def listing(model: str) -> Listing | None:
    """The prices of a sandbox model at any time and in any context, or None for another name."""
    prices = PRICES.get(model)
    return None if prices is None else Listing(model, prices, PROVIDER, VERSION)
