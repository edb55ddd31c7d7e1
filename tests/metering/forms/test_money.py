from __future__ import annotations

import pytest
from django import forms

from metering.forms.money import DollarField


class AmountForm(forms.Form):
    amount = DollarField(required=False)


@pytest.mark.parametrize(
    ("typed", "nano"),
    [
        ("300", 300_000_000_000),
        (" $1,200.50 ", 1_200_500_000_000),
        ("0.000000001", 1),
        ("-5", -5_000_000_000),
        ("", None),
    ],
)
def test_what_people_write(typed: str, nano: int | None) -> None:
    form = AmountForm({"amount": typed})
    assert form.is_valid()
    assert form.cleaned_data == {"amount": nano}


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ("much", "such as 1200.50"),
        ("1.200,50", "such as 1200.50"),
        ("1e3", "such as 1200.50"),
        ("0.0000000001", "at most nine decimals"),
        ("99999999999", "more than the ledger can hold"),
        ("1" * 41, "at most 40 characters"),
    ],
)
def test_what_is_no_amount_stays_as_typed(typed: str, error: str) -> None:
    form = AmountForm({"amount": typed})
    assert error in form.errors["amount"][0]
    assert f'value="{typed}"' in str(form["amount"])


@pytest.mark.parametrize(
    ("nano", "shown"), [(900_000_000_000, "900.00"), (738_100_000_000, "738.10"), (1, "0.000000001"), (0, "0.00")]
)
def test_an_amount_is_shown_with_its_cents_and_currency(nano: int, shown: str) -> None:
    field = str(AmountForm(initial={"amount": nano})["amount"])
    assert f'value="{shown}"' in field
    assert "US$" in field
