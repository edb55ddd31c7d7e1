from __future__ import annotations

import pytest

from metering.tokens import estimate_input


@pytest.mark.parametrize(("body_bytes", "tokens"), [(0, 1), (1, 1), (4, 1), (5, 2), (4000, 1000)])
def test_input_is_a_quarter_of_the_bytes_rounded_up(body_bytes: int, tokens: int) -> None:
    assert estimate_input(body_bytes) == tokens
