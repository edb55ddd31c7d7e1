"""A workspace's name and time zone."""

from __future__ import annotations

from django import forms

from tokonomics.accounts import NAME_LENGTH, time_zones


def time_zone_choices() -> list[tuple[str, str]]:
    """The time zones as a select shows them."""
    return [(name, name.replace("_", " ")) for name in time_zones()]


class WorkspaceFields(forms.Form):
    """What opens a workspace. The browser's own time zone is put in by a script, where there is one."""

    name = forms.CharField(
        label="Workspace",
        max_length=NAME_LENGTH,
        help_text="Your agency's name, as your team knows it.",
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    timezone = forms.ChoiceField(
        label="Time zone",
        choices=time_zone_choices,
        initial="UTC",
        help_text="Days and months begin at its midnight.",
        widget=forms.Select(attrs={"data-time-zone": ""}),
    )
