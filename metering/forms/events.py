"""The filter bar of the events: fields that a person fills in, read by metering.filters."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from django import forms
from django.http import QueryDict

from metering import filters
from metering.filters import ONLY, STATUSES, TAG, EventFilter, InvalidFilter
from metering.options import Options
from metering.tags import LONGEST_VALUE

ANY = ("", "Any")


class Suggested(forms.TextInput):
    """A text field that suggests what there is, and takes anything else too."""

    template_name = "ui/suggested.html"
    suggestions: Iterable[tuple[str, str]] = ()

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """With the suggestions, as (value, label)."""
        context = super().get_context(name, value, attrs)
        context["widget"]["suggestions"] = self.suggestions
        return context


def _text(label: str) -> forms.CharField:
    return forms.CharField(required=False, label=label, max_length=LONGEST_VALUE, widget=Suggested)


def _choice(label: str, choices: Iterable[tuple[str, str]] = ()) -> forms.CharField:
    return forms.CharField(required=False, label=label, widget=forms.Select(choices=[ANY, *choices]))


class EventFilterForm(forms.Form):
    """Bound to an address; a new tag comes as `tag_key` and `tag_value`.

    What is wrong with the period, which has a menu of its own, is in `period_error`.
    """

    client = _text("Client’s tag")
    provider = _text("Provider")
    model = _text("Model")
    key = _choice("API key")
    status = _choice("Status", STATUSES.items())
    only = _choice("Only calls", ONLY.items())
    tag_key = _text("Another tag")
    tag_value = forms.CharField(required=False, label="Its value", max_length=LONGEST_VALUE)
    unattributed = forms.BooleanField(required=False, label="Without a client")

    chosen: EventFilter
    period_error = ""

    def __init__(self, data: QueryDict, today: date) -> None:
        super().__init__(data)
        self.address = {name: [str(value) for value in values] for name, values in data.lists()}
        self.today = today

    def suggest(self, options: Options) -> None:
        """Say what the fields can be set to."""
        for name, values in options.items():
            widget = self.fields[name].widget
            if isinstance(widget, Suggested):
                widget.suggestions = values
            elif isinstance(widget, forms.Select):
                widget.choices = [ANY, *values]

    def reads(self) -> bool:
        """Whether the address names a selection, which is then `chosen`."""
        return self.is_valid() and not self.period_error

    def clean(self) -> None:
        """Read the whole address; each error stands at its field, or above the form."""
        parameters = {name: list(values) for name, values in self.address.items()}
        key, value = self.cleaned_data.get("tag_key", ""), self.cleaned_data.get("tag_value", "")
        if key:
            parameters.setdefault(TAG + key, []).append(value)
        elif value:
            self.add_error("tag_key", "Name the tag that has this value.")
        try:
            self.chosen = filters.read(parameters, self.today)
        except InvalidFilter as error:
            for name, message in error.errors.items():
                self._place("tag_key" if name == TAG + key else name, message)

    def _place(self, name: str, message: str) -> None:
        if name == "period":
            self.period_error = message
        elif name not in self.fields:
            self.add_error(None, f"{name}: {message}")
        elif name not in self.errors:
            self.add_error(name, message)
