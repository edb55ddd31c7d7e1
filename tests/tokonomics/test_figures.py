from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokonomics import figures


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "$0.00"),
        (1, "<$0.01"),
        (-1, "−<$0.01"),
        (5_000_000, "<$0.01"),
        (5_000_001, "$0.01"),
        (15_000_000, "$0.02"),
        (25_000_000, "$0.02"),
        (4_594_110_000_000, "$4,594.11"),
        (-34_830_000_000, "−$34.83"),
    ],
)
def test_total(nano: int, text: str) -> None:
    assert figures.total(nano) == text


@pytest.mark.parametrize(
    ("nano", "text"),
    [(None, "Unpriced"), (0, "$0.000000"), (33_579_600, "$0.033580"), (499, "<$0.000001"), (10**12, "$1,000.000000")],
)
def test_call(nano: int | None, text: str) -> None:
    assert figures.call(nano) == text


def test_exact() -> None:
    assert figures.exact(33_579_600) == "$0.033579600"
    assert figures.exact(1) == "$0.000000001"
    assert figures.exact(None) == "Unpriced"


@given(st.integers(min_value=1, max_value=2**62))
def test_nothing_but_zero_reads_as_zero(nano: int) -> None:
    zeros = {"$0.00", "$0.000000", "$0.000000000"}
    assert not {figures.total(nano), figures.call(nano), figures.exact(nano)} & zeros


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "$0"),
        (200_000_000_000, "$200"),
        (1_200_000_000_000, "$1.2k"),
        (500_000_000, "$0.50"),
        (20_000_000, "$0.02"),
        (2_500_000_000, "$2.50"),
        (2_000, "$0.000002"),
    ],
)
def test_axis(nano: int, text: str) -> None:
    assert figures.axis(nano) == text


@pytest.mark.parametrize(
    ("dollars", "unit", "text"),
    [
        ("0.0000025", "input_tokens", "$2.50 / 1M"),
        ("0.000000075", "cache_read_tokens", "$0.075 / 1M"),
        ("0.0012", "output_tokens", "$1,200.00 / 1M"),
        ("0.01", "web_search_requests", "$0.01"),
        ("0", "input_tokens", "$0.00 / 1M"),
    ],
)
def test_unit_price(dollars: str, unit: str, text: str) -> None:
    assert plain(figures.unit_price(Decimal(dollars), unit)) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (11_604, "11,604"),
        (99_999, "99,999"),
        (100_000, "0.10 M"),
        (1_240_000, "1.24 M"),
        (48_320_000, "48.3 M"),
        (315_000_000, "315.0 M"),
        (1_240_000_000, "1.24 B"),
    ],
)
def test_tokens(number: int, text: str) -> None:
    assert plain(figures.tokens(number)) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (None, "–"),
        (Decimal(0), "0 %"),
        (Decimal("0.0004"), "<0.1 %"),
        (Decimal("0.088"), "8.8 %"),
        (Decimal("0.0996"), "10 %"),
        (Decimal("0.199"), "20 %"),
        (Decimal(1), "100 %"),
    ],
)
def test_percent(ratio: Decimal | None, text: str) -> None:
    assert plain(figures.percent(ratio)) == text


@pytest.mark.parametrize(
    ("now", "before", "text"),
    [
        (112, 100, "▲ 12 %"),
        (982, 1000, "▼ 1.8 %"),
        (0, 100, "▼ 100 %"),
        (100, 100, "0 %"),
        (1400, 100, "▲ 14 ×"),
        (5, 0, "new"),
        (0, 0, "–"),
    ],
)
def test_change(now: int, before: int, text: str) -> None:
    assert plain(figures.change(now, before)) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(None, "–"), (0, "0 ms"), (999, "999 ms"), (2310, "2.31 s"), (12_340, "12.3 s"), (75_000, "1 min 15 s")],
)
def test_duration(milliseconds: int | None, text: str) -> None:
    assert plain(figures.duration(milliseconds)) == text
