"""What is asked about a client: its name and the zone of its months, and for a new one its tag."""

from __future__ import annotations

from typing import Any

from django import forms

from metering.clients import LENGTH
from metering.models import Client
from tokonomics.forms.workspace import time_zone_choices
from tokonomics.models import Workspace


class ClientForm(forms.Form):
    """A client's name and time zone."""

    name = forms.CharField(max_length=LENGTH, help_text="As your team and the client know it.")
    time_zone = forms.ChoiceField(
        required=False,
        help_text="Where the months of its budget begin at midnight. Days on the pages stay the workspace’s.",
    )

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone = self.fields["time_zone"]
        assert isinstance(zone, forms.ChoiceField)
        zone.choices = [("", f"The workspace’s: {workspace.timezone}"), *time_zone_choices()]

    def start_from(self, client: Client) -> None:
        """Show what a client is now."""
        self.initial = {"name": client.name, "time_zone": client.timezone}


class NewClientForm(ClientForm):
    """A client before its first call."""

    slug = forms.CharField(
        label="Tag",
        max_length=LENGTH,
        required=False,
        help_text="What its calls send as their client tag. Made of the name when left empty: acme-corp.",
    )

    field_order = ("name", "slug", "time_zone")
