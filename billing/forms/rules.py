"""What is asked for an own price, a discount and an alias, and for the end of one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError

from billing.book import Quote
from billing.decomposition import UNITS
from billing.forms.days import DayField, begin, end
from billing.money import plain_text
from billing.price_words import MAIN_UNITS, TIER_LABELS, per_words, price_text, seller_label, unit_label
from billing.pricebook import MODEL_LENGTH, NOTE_LENGTH

LENGTH = 40
CHOOSE = "Choose a provider"
PATTERN = "A name as calls have it, or a pattern with *: ft:gpt-4o-mini:*."


class PriceInput(forms.TextInput):
    """A text field that carries its currency."""

    template_name = "ui/money.html"


class UnitPriceField(forms.CharField):
    """USD for the unit of a price key, as a person writes it: `2.50`, `$0.075`."""

    widget = PriceInput

    def __init__(self, key: str) -> None:
        super().__init__(label=f"{unit_label(key)}, per {per_words(key)}", required=False, max_length=LENGTH)
        self.widget.attrs |= {"inputmode": "decimal", "autocomplete": "off"}

    def clean(self, value: Any) -> Decimal | None:
        """The price; None for an empty field."""
        text = super().clean(value).replace(",", "").removeprefix("$").strip()
        if not text:
            return None
        try:
            return Decimal(text)
        except InvalidOperation as error:
            raise ValidationError("Write an amount in US dollars, such as 2.50.") from error


class RuleForm(forms.Form):
    """What every rule has: the provider, the days from and to which it holds, and a note."""

    provider = forms.ChoiceField(choices=())
    model = forms.CharField(max_length=MODEL_LENGTH, help_text=PATTERN, widget=forms.TextInput({"spellcheck": "false"}))
    first = DayField(label="First day", required=False, help_text="")
    last = DayField(label="Last day", required=False, help_text="Empty: until another rule takes its place.")
    note = forms.CharField(required=False, max_length=NOTE_LENGTH, help_text="Such as the contract that it stands in.")

    every_provider = False

    def __init__(self, *args: Any, sellers: Sequence[str], zone: ZoneInfo, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone, self.today = zone, today
        self.offer("provider", sellers, "Every provider" if self.every_provider else CHOOSE)
        self.fields[
            "first"
        ].help_text = f"From midnight in {zone.key} on; empty: from now on. What was priced stays as it is."

    def offer(self, name: str, sellers: Sequence[str], empty: str = CHOOSE) -> None:
        """Let one of these providers be chosen, and whichever the address has chosen already; `empty` is for none."""
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        chosen = self.initial.get(name)
        known = [*sellers, chosen] if chosen and chosen not in sellers else sellers
        named = sorted(((seller, seller_label(seller)) for seller in known), key=lambda pair: pair[1].lower())
        field.choices = [("", empty), *named]

    def rule(self) -> dict[str, Any]:
        """What was asked for, as the domain calls it."""
        asked = self.cleaned_data
        first, last = asked["first"], asked["last"]
        return {
            "starts_at": begin(first, self.zone) if first else None,
            "ends_at": end(last, self.zone) if last else None,
            "note": asked["note"],
        }

    def clean(self) -> dict[str, Any]:
        """The last day is none before the first."""
        cleaned = super().clean() or self.cleaned_data
        first, last = cleaned.get("first") or self.today, cleaned.get("last")
        if last and last < first:
            self.add_error("last", "Choose a day that is not before the first.")
        return cleaned


class PriceForm(RuleForm):
    """Unit prices of a model; those of the units that its list price has stand first."""

    tier = forms.ChoiceField(
        label="Service tier", required=False, choices=[("", "Every tier"), *TIER_LABELS.items()], help_text=""
    )

    def __init__(self, *args: Any, quote: Quote | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        priced = set(quote.units) if quote else set()
        self.shown = [key for key in UNITS if key in priced or (not priced and key in MAIN_UNITS)]
        for key in (*self.shown, *(key for key in UNITS if key not in self.shown)):
            self.fields[key] = UnitPriceField(key)
            if quote and key in quote.units:
                self._begin(key, quote)
        names = ("provider", "model", *self.shown, "tier", "first", "last", "note")
        self.order_fields(names)
        self.common = [self[name] for name in names]
        self.rare = [self[key] for key in UNITS if key not in self.shown]

    def _begin(self, key: str, quote: Quote) -> None:
        """Say what the unit costs now; an own price stays unless it is taken out, since the new row stands alone."""
        price, rule = quote.units[key]
        self.fields[key].help_text = f"Now {price_text(key, price)}. Empty: the list price."
        if rule and rule.workspace and rule.names(quote.model) and isinstance(price, Decimal):
            self.fields[key].initial = plain_text(price)

    @property
    def rare_open(self) -> bool:
        """Whether something stands in a field that is usually folded away."""
        return any(field.errors or field.value() for field in self.rare)

    def prices(self) -> dict[str, Decimal]:
        """The prices that were given, by price key."""
        return {key: self.cleaned_data[key] for key in UNITS if self.cleaned_data.get(key) is not None}

    def rule(self) -> dict[str, Any]:
        """What was asked for, as the domain calls it."""
        place = {name: self.cleaned_data[name] for name in ("provider", "model", "tier")}
        return {**place, "prices": self.prices(), **super().rule()}


class DiscountForm(RuleForm):
    """Percents off list prices."""

    every_provider = True
    percent = forms.DecimalField(
        label="Discount in %",
        max_digits=7,
        decimal_places=4,
        help_text="Off list prices; own prices are net. Below zero it is a surcharge: -10 is 10 % more.",
        widget=forms.TextInput({"inputmode": "decimal", "autocomplete": "off"}),
    )
    field_order = ("percent", "provider", "model")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["provider"].required = self.fields["model"].required = False
        self.fields["model"].help_text = f"{PATTERN} Empty: every model."

    def rule(self) -> dict[str, Any]:
        """What was asked for, as the domain calls it."""
        return {name: self.cleaned_data[name] for name in ("provider", "model", "percent")} | super().rule()


class AliasForm(RuleForm):
    """Another model to price a model as."""

    to_provider = forms.ChoiceField(label="Priced as a model of", choices=())
    to_model = forms.CharField(
        label="Its name there", max_length=MODEL_LENGTH, widget=forms.TextInput({"spellcheck": "false"})
    )
    field_order = ("provider", "model", "to_provider", "to_model")

    def __init__(self, *args: Any, listed: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("to_provider", listed)

    def rule(self) -> dict[str, Any]:
        """What was asked for, as the domain calls it."""
        names = ("provider", "model", "to_provider", "to_model")
        return {name: self.cleaned_data[name] for name in names} | super().rule()


class EndForm(forms.Form):
    """When a rule ends."""

    last = DayField(label="Last day", required=False)

    def __init__(self, *args: Any, zone: ZoneInfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = zone
        self.fields["last"].help_text = f"It holds until midnight after it ({zone.key}); empty: it ends now."

    def ends_at(self) -> Any:
        """The midnight after the last day; None: now."""
        last = self.cleaned_data["last"]
        return end(last, self.zone) if last else None
