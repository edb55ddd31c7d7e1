"""Where the marks of a budget's bar stand: what is spent, what running calls hold, and the scale. Pure geometry.

As in a chart there is no viewBox: x is in per cent of the width, as text, so that no mark needs a style of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing.money import rounded

WHOLE = Decimal(100)
TICKS = (50, 80)
ROOM = Decimal(40)
"""Where the limit stands further left, the labels of the ticks before it have no room."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of the scale at `x`; an empty label has no room."""

    x: str
    label: str


@dataclass(frozen=True, slots=True)
class Meter:
    """A bar as wide as the limit, or as what is spent and reserved where that is more; `limit` is where it stands."""

    settled: str
    reserved: str
    limit: str
    ticks: Sequence[Tick]
    roomy: bool
    """Whether the limit's own label fits left of it."""


def meter(settled: int, reserved: int, limit: int) -> Meter:
    """The marks for amounts of nano-USD."""
    spent, held = max(settled, 0), max(reserved, 0)
    whole = max(limit, spent + held)

    def x(amount: int) -> Decimal:
        return rounded(WHOLE * amount / whole, 2) if whole else WHOLE

    end = x(limit)
    return Meter(
        settled=f"{x(spent):f}",
        reserved=f"{x(spent + held) - x(spent):f}",
        limit=f"{end:f}",
        ticks=[Tick(f"{rounded(end * tick / WHOLE, 2):f}", f"{tick} %" if end >= ROOM else "") for tick in TICKS],
        roomy=end >= ROOM,
    )
