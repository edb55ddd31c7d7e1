"""What is asked for a new API token."""

from __future__ import annotations

from django import forms

from tokonomics.tokens import NAME_LENGTH, SCOPES


class TokenForm(forms.Form):
    """A name, and what the token may do."""

    name = forms.CharField(max_length=NAME_LENGTH, help_text="What will use it, such as monthly report.")
    scopes = forms.MultipleChoiceField(
        label="It may", choices=list(SCOPES.items()), initial=list(SCOPES), widget=forms.CheckboxSelectMultiple
    )
