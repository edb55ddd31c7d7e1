"""What is asked for a budget, for a raise of one, and for what a caller is told when a cap is used up."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError

from metering.budgets import LAST_BILLING_DAY, REASON_LENGTH, STATUSES
from metering.forms.money import DollarField
from metering.models import Budget

KINDS = (
    ("cap", "Cap: a call that may cost more than is left is refused"),
    ("budget", "Budget: calls go on, it only warns"),
)
LATEST_YEAR = 2199


class BudgetForm(forms.Form):
    """A limit a month, and whether it stops calls."""

    limit = DollarField(label="Limit a month", help_text="Of what the providers charge. Calls made this month count.")
    kind = forms.ChoiceField(label="When it is used up", choices=KINDS, widget=forms.RadioSelect, initial="cap")
    billing_day = forms.IntegerField(
        label="The month begins on day",
        min_value=1,
        max_value=LAST_BILLING_DAY,
        initial=1,
        help_text=f"1 to {LAST_BILLING_DAY}. A month that has begun keeps its end.",
    )

    def start_from(self, budget: Budget) -> None:
        """Show what a budget is now."""
        kind = "cap" if budget.hard else "budget"
        self.initial = {"limit": budget.limit, "kind": kind, "billing_day": budget.billing_day}

    def terms(self) -> dict[str, Any]:
        """What was chosen, as the domain calls it."""
        asked = self.cleaned_data
        return {"limit": asked["limit"], "hard": asked["kind"] == "cap", "billing_day": asked["billing_day"]}


class RaiseForm(forms.Form):
    """An amount on top of the limit, for a while and for a reason; days are those of the budget's zone."""

    amount = DollarField(label="Raise it by")
    until = forms.DateField(label="Last day", widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    reason = forms.CharField(max_length=REASON_LENGTH, help_text="Stays with the raise and in the audit log.")

    def __init__(self, *args: Any, zone: ZoneInfo, month_ends: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = zone
        last = (month_ends - timedelta(microseconds=1)).astimezone(zone).date()
        self.fields["until"].initial = last
        self.fields["until"].help_text = f"The raise ends at midnight after it ({zone.key})."

    def clean_until(self) -> datetime:
        """The midnight after the last day."""
        last: date = self.cleaned_data["until"]
        if last.year > LATEST_YEAR:
            raise ValidationError("Choose a day that is not over, at most a year from now.")
        return datetime.combine(last + timedelta(days=1), time.min, self.zone)


class RefusalForm(forms.Form):
    """The status of a call that no cap has room for."""

    status = forms.TypedChoiceField(
        label="A refused call is answered with",
        coerce=int,
        choices=[(STATUSES[0], "429 Too Many Requests"), (STATUSES[1], "402 Payment Required: no SDK tries it again")],
        widget=forms.RadioSelect,
    )
