"""Money: integers of nano-USD (10⁻⁹ dollars) in the ledger, `Decimal` in arithmetic, no float anywhere.

Every rounding of an amount happens in this file and is half-even, as Python's `round` of a Decimal is: a call's cost
and price to a nano-dollar, a statement's lines to the minor unit of its currency, what a page shows to the digits it
has room for.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

NANO = 1_000_000_000
HALF = NANO // 2
MINUS = "−"
ATTO = 10**18
Attos = int | Fraction
"""A number of 10⁻¹⁸ dollars: nearly every price and amount is a whole one, so that integers do for arithmetic."""
LARGEST = 2**63 - 1
"""The largest amount of nano-USD that the ledger's bigint columns hold: 9.2 billion dollars."""

# ISO 4217: currencies whose minor unit is not a hundredth.
_WHOLE = ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV")
_FRANCS = ("XAF", "XOF", "XPF")
_THOUSANDTHS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
MINOR_DIGITS = dict.fromkeys(_WHOLE + _FRANCS, 0) | dict.fromkeys(_THOUSANDTHS, 3) | dict.fromkeys(("CLF", "UYW"), 4)

_AMOUNT = re.compile(r"(?P<sign>[-−+]?)\$?(?P<whole>\d{1,3}(?:,\d{3})+|\d+)?(?:\.(?P<fraction>\d*))?", re.ASCII)


class InvalidAmount(ValueError):
    """A text that is no amount of US dollars; its message tells the person who typed it what to change."""


def to_nano(amount: Decimal) -> int:
    """An amount of USD in nano-USD, rounded half-even. Raises `InvalidAmount` for NaN and infinities."""
    if not amount.is_finite():
        raise InvalidAmount(f"{amount} is not an amount of money.")
    return round(amount * NANO)


def attos(amount: Decimal, share: int = 1) -> Attos:
    """An amount of USD, or a share of it, in 10⁻¹⁸ dollars. Raises `InvalidAmount` for NaN and infinities."""
    if not amount.is_finite():
        raise InvalidAmount(f"{amount} is not an amount of money.")
    exact = Fraction(amount) * ATTO / share
    return exact.numerator if exact.denominator == 1 else exact


def nano_of_attos(amount: Attos) -> int:
    """10⁻¹⁸ dollars in nano-USD, rounded as `to_nano` does, without a Decimal."""
    nano, rest = divmod(amount, NANO)
    if rest < HALF or (rest == HALF and not nano & 1):
        return nano
    return nano + 1


def atto_text(amount: Attos) -> str:
    """10⁻¹⁸ dollars as USD in plain digits, as `plain_text` writes them; 28 digits of what has no end."""
    if type(amount) is int and 0 < amount < ATTO:  # nearly always, and worth to be written without a Decimal
        return f"0.{amount:018d}".rstrip("0")
    return plain_text(Decimal(amount.numerator) / (amount.denominator * ATTO))


def usd(nano: int) -> Decimal:
    """Nano-USD as exact USD."""
    return Decimal(nano).scaleb(-9)


def usd_text(nano: int) -> str:
    """Nano-USD as exact USD in plain digits: `0.0335796`, `-12.5`, `300`; no exponent, no trailing zeros."""
    if 0 < nano < NANO:
        return f"0.{nano:09d}".rstrip("0")
    whole, fraction = divmod(abs(nano), NANO)
    digits = f"{whole}.{fraction:09d}".rstrip("0").rstrip(".")
    return f"-{digits}" if nano < 0 else digits


def plain_text(number: Decimal) -> str:
    """A decimal number exactly, in plain digits: `0.0000025`, never `2.5E-6`."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def parse_usd(text: str) -> int:
    """The nano-USD that a person wrote: `300`, `$1,200.50`, `0.000001`, `-5`.

    Raises `InvalidAmount` for anything else, for more than nine decimals and for what the ledger cannot hold.
    """
    match = _AMOUNT.fullmatch(text.strip())
    if match is None or not (match["whole"] or match["fraction"]):
        raise InvalidAmount("Write an amount in US dollars with a point for the cents, such as 1200.50.")
    fraction = match["fraction"] or ""
    if len(fraction.rstrip("0")) > 9:
        raise InvalidAmount("Use at most nine decimals: a nano-dollar is the smallest amount.")
    nano = _nano_of_digits((match["whole"] or "0").replace(",", ""), fraction)
    return -nano if match["sign"] in ("-", MINUS) else nano


def _nano_of_digits(whole: str, fraction: str) -> int:
    if len(whole.lstrip("0")) > 10:
        raise InvalidAmount("That is more than the ledger can hold.")
    nano = int(whole) * NANO + int(fraction[:9].ljust(9, "0"))
    if nano > LARGEST:
        raise InvalidAmount("That is more than the ledger can hold.")
    return nano


def minor_digits(currency: str) -> int:
    """How many decimals a currency (ISO 4217 code) has: 2 for USD, 0 for JPY, 3 for BHD."""
    return MINOR_DIGITS.get(currency, 2)


def to_minor(amount: Decimal, currency: str) -> int:
    """An amount of a currency in its minor unit (cents for USD), rounded half-even: a statement's lines.

    Raises `InvalidAmount` for NaN and infinities.
    """
    if not amount.is_finite():
        raise InvalidAmount(f"{amount} is not an amount of money.")
    return round(amount.scaleb(minor_digits(currency)))


def from_minor(units: int, currency: str) -> Decimal:
    """Minor units of a currency as an exact amount of it."""
    return Decimal(units).scaleb(-minor_digits(currency))


def rounded(number: Decimal, digits: int) -> Decimal:
    """A number to so many decimals, half-even: for what a page shows, never for what the ledger keeps."""
    return Decimal(round(number.scaleb(digits))).scaleb(-digits)
