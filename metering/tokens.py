"""A quick estimate of a request, for the moment of admission: by length, rounded up. `estimates` counts properly.

Four bytes a token is the usual rule for English text; other scripts and code have fewer bytes a token than that.
"""

from __future__ import annotations

BYTES_A_TOKEN = 4


def estimate_input(body_bytes: int) -> int:
    """Tokens of a request body of so many bytes, its JSON included; at least one."""
    return max(1, -(-body_bytes // BYTES_A_TOKEN))
