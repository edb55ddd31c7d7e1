"""What a caller is told about the caps of its call: headers, and refusals that say what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.money import usd_text
from metering.errors import Refusal

if TYPE_CHECKING:
    from metering.gateway.reservations import Verdict

ADMITTED = "admitted"
RETRY_SECONDS = 1
ENDINGS = {
    "budget_exhausted": "Raise the cap, or wait until it resets.",
    "request_exceeds_budget": "This call may cost more than is left: ask for less output, or raise the cap.",
    "budget_reserved": "Running calls hold the rest: try again in a moment.",
}


def budget_head(verdict: Verdict) -> bytes:
    """The header lines X-Budget-Limit-Usd, -Remaining-Usd and -Reset of the cap with the least left."""
    if not verdict.limit and verdict.code == ADMITTED:
        return b""
    return b"x-budget-limit-usd: %b\r\nx-budget-remaining-usd: %b\r\nx-budget-reset: %b\r\n" % (
        usd_text(verdict.limit).encode(),
        usd_text(verdict.left).encode(),
        _reset(verdict).encode(),
    )


def budget_refusal(verdict: Verdict, status: int) -> Refusal:
    """The refusal of a cap: budget, spent, limit and reset in words. `status` is the workspace's choice, 429 or 402."""
    spent, limit, reserved = map(usd_text, (verdict.settled, verdict.limit, verdict.reserved))
    message = (
        f"The cap of {verdict.cap.name} has ${spent} of ${limit} spent and ${reserved} reserved by running calls; "
        f"it resets at {_reset(verdict)}. {ENDINGS[verdict.code]}"
    )
    return Refusal(verdict.code, message, status=status, retry_after=RETRY_SECONDS)


def _reset(verdict: Verdict) -> str:
    return verdict.resets.isoformat().replace("+00:00", "Z")
