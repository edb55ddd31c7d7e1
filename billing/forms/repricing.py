"""Which calls are to be priced anew."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms

from billing.forms.days import DayField
from metering.periods import LONGEST
from metering.tags import LONGEST_VALUE


class RepricingForm(forms.Form):
    """Days, and which calls on them."""

    first = DayField(label="First day")
    last = DayField(label="Last day", help_text=f"At most {LONGEST} days. Days on a statement are left alone.")
    provider = forms.CharField(required=False, max_length=64, help_text="As Events shows it, such as openai.")
    model = forms.CharField(
        required=False,
        max_length=LONGEST_VALUE,
        help_text="Its exact name; empty: every model.",
        widget=forms.TextInput({"spellcheck": "false"}),
    )
    unpriced_only = forms.BooleanField(label="Only calls that have no price", required=False)

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, day in (("first", today.replace(day=1)), ("last", today)):
            self.initial.setdefault(name, day)
