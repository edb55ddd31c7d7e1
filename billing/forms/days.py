"""Days in a form, as moments: midnight in the workspace's zone."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError

FIRST_YEAR, LAST_YEAR = 2000, 2199


class DayField(forms.DateField):
    """A day between 2000 and 2199."""

    def __init__(self, **options: Any) -> None:
        super().__init__(widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"), **options)

    def clean(self, value: Any) -> date | None:
        """The day; None for an empty field that may be so."""
        day: date | None = super().clean(value)
        if day is not None and not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise ValidationError(f"Choose a day from {FIRST_YEAR} to {LAST_YEAR}.")
        return day


def begin(day: date, zone: ZoneInfo) -> datetime:
    """The midnight with which a day begins."""
    return datetime.combine(day, time.min, zone)


def end(day: date, zone: ZoneInfo) -> datetime:
    """The midnight with which a day ends."""
    return begin(day + timedelta(days=1), zone)
