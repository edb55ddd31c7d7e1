"""Estimates for a call whose provider never said what it used: by length, rounded up, and always marked as estimated.

Four bytes a token is the usual rule for English text; other scripts and code have fewer bytes a token than that.
"""

from __future__ import annotations

BYTES_A_TOKEN = 4


def estimate_input(body_bytes: int) -> int:
    """Tokens of a request body of so many bytes, its JSON included; at least one."""
    return max(1, -(-body_bytes // BYTES_A_TOKEN))


def estimate_output(characters: int, events: int) -> int:
    """Tokens of the generated text that was seen: a quarter of its characters, yet one at least for each event."""
    return max(events, -(-characters // BYTES_A_TOKEN))
