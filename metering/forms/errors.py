"""What the domain refuses, put where it was typed."""

from __future__ import annotations

from django import forms
from django.core.exceptions import ValidationError


def show(form: forms.Form, error: ValidationError) -> None:
    """Add the domain's objections to the form: to the field that each names, else to the form as a whole."""
    if not hasattr(error, "error_dict"):
        form.add_error(None, error)
        return
    for field, errors in error.error_dict.items():
        form.add_error(field if field in form.fields else None, errors)
