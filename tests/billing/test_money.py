from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import money

NANO = st.integers(min_value=-money.LARGEST, max_value=money.LARGEST)


@pytest.mark.parametrize(
    ("amount", "nano"),
    [
        ("0.0335796", 33_579_600),
        ("0.0000000005", 0),
        ("0.0000000015", 2),
        ("0.0000000025", 2),
        ("0.00000000250001", 3),
        ("-0.0000000015", -2),
        ("9000000000", 9 * 10**18),
    ],
)
def test_to_nano_rounds_half_even(amount: str, nano: int) -> None:
    assert money.to_nano(Decimal(amount)) == nano


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity"])
def test_to_nano_refuses_what_is_no_number(amount: str) -> None:
    with pytest.raises(money.InvalidAmount, match="not an amount"):
        money.to_nano(Decimal(amount))
    with pytest.raises(money.InvalidAmount, match="not an amount"):
        money.to_minor(Decimal(amount), "USD")


@given(NANO)
def test_usd_loses_nothing(nano: int) -> None:
    assert money.to_nano(money.usd(nano)) == nano
    assert Decimal(money.usd_text(nano)) == money.usd(nano)


@pytest.mark.parametrize(
    ("nano", "text"),
    [(0, "0"), (1, "0.000000001"), (33_579_600, "0.0335796"), (300 * money.NANO, "300"), (-12_500_000_000, "-12.5")],
)
def test_usd_text(nano: int, text: str) -> None:
    assert money.usd_text(nano) == text


@given(NANO)
def test_usd_text_reads_back_as_written(nano: int) -> None:
    text = money.usd_text(nano)
    assert set(text) <= set("-.0123456789")
    assert money.parse_usd(text) == nano


@pytest.mark.parametrize(
    ("number", "text"), [("2.5E-6", "0.0000025"), ("1E+3", "1000"), ("10.00", "10"), ("-0.0", "0"), ("0E-9", "0")]
)
def test_plain_text(number: str, text: str) -> None:
    assert money.plain_text(Decimal(number)) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, places=18, min_value=-1000, max_value=1000))
def test_plain_text_is_exact(number: Decimal) -> None:
    assert Decimal(money.plain_text(number)) == number


@pytest.mark.parametrize(
    ("text", "nano"),
    [
        ("300", 300_000_000_000),
        (" $1,200.50 ", 1_200_500_000_000),
        (".5", 500_000_000),
        ("5.", 5_000_000_000),
        ("0.000000001", 1),
        ("1.1000000000000", 1_100_000_000),
        ("-5", -5_000_000_000),
        ("−5", -5_000_000_000),
        ("+5", 5_000_000_000),
        ("000000000000300", 300_000_000_000),
    ],
)
def test_parse_usd(text: str, nano: int) -> None:
    assert money.parse_usd(text) == nano


@pytest.mark.parametrize("text", ["", "$", ".", "abc", "1.200,50", "12,00", "1e3", "NaN", "1 000", "٣", "5 USD", "--5"])
def test_parse_usd_refuses_what_is_no_amount(text: str) -> None:
    with pytest.raises(money.InvalidAmount, match=r"such as 1200\.50"):
        money.parse_usd(text)


def test_parse_usd_refuses_what_the_ledger_cannot_hold() -> None:
    assert money.parse_usd("9223372036.854775807") == money.LARGEST
    with pytest.raises(money.InvalidAmount, match="more than the ledger can hold"):
        money.parse_usd("9223372036.854775808")
    with pytest.raises(money.InvalidAmount, match="more than the ledger can hold"):
        money.parse_usd("9" * 10_000)
    with pytest.raises(money.InvalidAmount, match="at most nine decimals"):
        money.parse_usd("0.0000000001")


@pytest.mark.parametrize(
    ("amount", "currency", "units"),
    [
        ("10.005", "USD", 1000),
        ("10.015", "USD", 1002),
        ("10.025", "EUR", 1002),
        ("1050.5", "JPY", 1050),
        ("1051.5", "JPY", 1052),
        ("1.0005", "BHD", 1000),
        ("-10.015", "USD", -1002),
    ],
)
def test_a_statement_is_rounded_to_the_minor_unit(amount: str, currency: str, units: int) -> None:
    assert money.to_minor(Decimal(amount), currency) == units


@given(st.integers(min_value=-(10**15), max_value=10**15), st.sampled_from(["USD", "JPY", "BHD", "CLF"]))
def test_minor_units_lose_nothing(units: int, currency: str) -> None:
    assert money.to_minor(money.from_minor(units, currency), currency) == units


@pytest.mark.parametrize(
    ("number", "digits", "shown"), [("2.345", 2, "2.34"), ("2.355", 2, "2.36"), ("0.5", 0, "0"), ("12345", -3, "12000")]
)
def test_rounded(number: str, digits: int, shown: str) -> None:
    assert money.rounded(Decimal(number), digits) == Decimal(shown)
