from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.usage import COUNTS, LARGEST_COUNT, Usage

USAGES = st.builds(Usage, *[st.integers(0, LARGEST_COUNT)] * len(COUNTS))


def test_total_is_tokens_in_and_out() -> None:
    assert Usage(input_tokens=7, output_tokens=5, reasoning_tokens=4, web_search_requests=2).total_tokens == 12


def test_counts_hold_what_is_not_zero() -> None:
    assert Usage(input_tokens=3, audio_seconds=9).counts() == {"input_tokens": 3, "audio_seconds": 9}
    assert Usage().counts() == {}


@given(USAGES)
def test_counts_come_back(usage: Usage) -> None:
    assert Usage.from_counts(usage.counts()) == usage


@given(USAGES, USAGES)
def test_addition_adds_each_count(one: Usage, other: Usage) -> None:
    both = one + other
    assert all(getattr(both, name) == getattr(one, name) + getattr(other, name) for name in COUNTS)


def test_unknown_count_is_refused() -> None:
    with pytest.raises(TypeError):
        Usage.from_counts({"tokens": 1})
