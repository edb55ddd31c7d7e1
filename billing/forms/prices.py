"""What the address of a page of prices asks for."""

from __future__ import annotations

from datetime import date

from django import forms
from django.http import HttpRequest

from billing.forms.days import DayField
from billing.price_words import TIER_LABELS


class Asked(forms.Form):
    """A search, or a model with a day and a service tier; what the address gets wrong is left out."""

    q = forms.CharField(required=False, max_length=100)
    provider = forms.CharField(required=False, max_length=64)
    model = forms.CharField(required=False, max_length=256)
    day = DayField(required=False)
    tier = forms.ChoiceField(required=False, choices=[(name, name) for name in TIER_LABELS])

    @classmethod
    def of(cls, request: HttpRequest) -> Asked:
        """Read from the address."""
        form = cls({name: str(request.GET[name]).replace("\0", "") for name in cls.base_fields if name in request.GET})
        form.is_valid()
        return form

    def text(self, name: str) -> str:
        """A value without the blanks around it, empty where there is none."""
        return str(self.cleaned_data.get(name) or "").strip()

    @property
    def chosen_day(self) -> date | None:
        """The day, if one is named."""
        day: date | None = self.cleaned_data.get("day")
        return day
