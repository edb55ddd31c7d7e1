"""How figures read on a page. Pure: numbers in, short text out, with one precision for each place a number stands in.

Money is in nano-USD. Zero is printed for zero alone, an unknown amount says so, and all rounding is billing.money's.
"""

from __future__ import annotations

import calendar
from datetime import date
from decimal import Decimal

from billing.money import plain_text, rounded, usd

NBSP = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
UNPRICED = "Unpriced"
NOT_APPLICABLE = "\N{EN DASH}"
UNIT_STEPS = ((10**12, "T"), (10**9, "B"), (10**6, "M"))


def total(nano: int) -> str:
    """A sum of calls, to the cent: `$4,594.11`; less than half a cent is `<$0.01`."""
    return _dollars(nano, 2)


def call(nano: int | None) -> str:
    """One call in a table, always six decimals so that points align: `$0.033580`; None is `Unpriced`."""
    return UNPRICED if nano is None else _dollars(nano, 6)


def exact(nano: int | None) -> str:
    """All nine decimals: `$0.033579600`; None is `Unpriced`."""
    return UNPRICED if nano is None else _dollars(nano, 9)


def _dollars(nano: int, digits: int) -> str:
    amount = rounded(usd(abs(nano)), digits)
    sign = MINUS if nano < 0 else ""
    if nano and not amount:
        return f"{sign}<${Decimal(1).scaleb(-digits):f}"
    return f"{sign}${amount:,.{digits}f}"


def axis(nano: int) -> str:
    """A gridline's label: `$0.05`, `$200`, `$1.2k`."""
    dollars = usd(nano)
    if dollars >= 1000:
        return f"${plain_text(dollars / 1000)}k"
    whole, point, cents = plain_text(dollars).partition(".")
    return f"${whole}.{cents.ljust(2, '0')}" if point else f"${whole}"


def unit_price(dollars: Decimal, unit: str) -> str:
    """USD a unit, of a million where tokens are counted: `$2.50 / 1M`, `$0.01`."""
    price, of = (dollars.scaleb(6), f"{NBSP}/{NBSP}1M") if unit.endswith("tokens") else (dollars, "")
    text = plain_text(price)
    whole, _, fraction = text.partition(".")
    return f"${int(whole):,}.{fraction.ljust(2, '0')}{of}"


def count(number: int) -> str:
    """All digits, in groups: `11,604`."""
    return f"{number:,}"


def tokens(number: int) -> str:
    """`11,604`; from 100,000 on three figures of millions: `0.12 M`, `48.3 M`, `1.24 B`."""
    if abs(number) < 100_000:
        return count(number)
    step, unit = next(((step, unit) for step, unit in UNIT_STEPS if abs(number) >= step), UNIT_STEPS[-1])
    scaled = Decimal(number) / step
    digits = 2 if abs(scaled) < 10 else 1
    return f"{rounded(scaled, digits):,.{digits}f}{NBSP}{unit}"


def percent(ratio: Decimal | int | None) -> str:
    """A share: `19 %`, `8.8 %`, `<0.1 %`; None is a dash."""
    if ratio is None:
        return NOT_APPLICABLE
    scaled = Decimal(ratio) * 100
    if 0 < scaled < Decimal("0.05"):
        return f"<0.1{NBSP}%"
    return f"{_short(scaled)}{NBSP}%"


def change(now: int, before: int) -> str:
    """Now against before: `▲ 12 %`, `▼ 1.8 %`, `▲ 14 ×` from ten times on, `new` after nothing, a dash for neither."""
    if before == 0:
        return "new" if now else NOT_APPLICABLE
    ratio = Decimal(now - before) / before
    if ratio >= 9:
        return f"▲{NBSP}{count(int(rounded(ratio + 1, 0)))}{NBSP}×"
    size = _short(abs(ratio) * 100)
    arrow = "▲" if ratio > 0 else "▼"
    return f"{arrow}{NBSP}{size}{NBSP}%" if size != "0" else f"0{NBSP}%"


def _short(scaled: Decimal) -> str:
    if scaled == 0:
        return "0"
    one = rounded(scaled, 1)
    if abs(one) >= 10:
        return f"{rounded(scaled, 0):,f}"
    return "0" if not one else f"{one:f}"


def duration(milliseconds: int | None) -> str:
    """`412 ms`, `2.31 s`, `12.3 s`, `1 min 15 s`; None is a dash."""
    if milliseconds is None:
        return NOT_APPLICABLE
    if milliseconds < 1000:
        return f"{milliseconds}{NBSP}ms"
    seconds = Decimal(milliseconds) / 1000
    if seconds < 60:
        return f"{rounded(seconds, 2 if seconds < 10 else 1)}{NBSP}s"
    minutes, rest = divmod(milliseconds // 1000, 60)
    return f"{minutes:,}{NBSP}min{NBSP}{rest}{NBSP}s"


def day_name(day: date) -> str:
    """`23 June`."""
    return f"{day.day} {calendar.month_name[day.month]}"
