"""Amounts of US dollars in a form: typed by a person, nano-USD for the domain."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from billing.money import InvalidAmount, parse_usd, usd_text

LENGTH = 40


class DollarInput(forms.TextInput):
    """A text field that carries its currency."""

    template_name = "ui/money.html"


class DollarField(forms.CharField):
    """Gives nano-USD; takes what people write, `300` or `$1,200.50`, and keeps it as typed when it is wrong."""

    widget = DollarInput

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=LENGTH, **options)
        self.widget.attrs |= {"inputmode": "decimal", "autocomplete": "off"}

    def clean(self, value: Any) -> int | None:
        """The amount; None for an empty field that may be so."""
        text = super().clean(value)
        try:
            return parse_usd(text) if text else None
        except InvalidAmount as error:
            raise ValidationError(str(error)) from error

    def prepare_value(self, value: Any) -> Any:
        """An amount of the domain's as a person would write it, with its cents."""
        if not isinstance(value, int):
            return value
        whole, _, fraction = usd_text(value).partition(".")
        return f"{whole}.{fraction.ljust(2, '0')}"
