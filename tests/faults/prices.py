"""What a call costs, worked out apart from the product: list prices written down by hand, and one sum."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from tests.faults.plans import Usage

PRICES = {
    "gpt-4.1-mini": (Decimal("0.40"), Decimal("0.10"), Decimal("1.60")),
    "gpt-4o-mini": (Decimal("0.15"), Decimal("0.075"), Decimal("0.60")),
}
"""USD for a million tokens of input, of cached input and of output (OpenAI's price list, 2025)."""

NANO = 10**9


def cost(model: str, usage: Usage) -> int:
    """Nano-USD, half-even."""
    fresh, cached, output = PRICES[model]
    dollars = ((usage.input - usage.cached) * fresh + usage.cached * cached + usage.output * output) / 1_000_000
    return int((dollars * NANO).to_integral_value(ROUND_HALF_EVEN))
