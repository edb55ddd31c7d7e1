"""allauth's forms in this product's manner: a label above each field, and no placeholder that stands for one."""

from __future__ import annotations

from typing import Any

from allauth.account import forms as account_forms
from django import forms

LABELS = {
    "login": "E-mail address",
    "email": "E-mail address",
    "oldpassword": "Password now",
    "password1": "Password",
    "password2": "Password again",
}


class Plain(forms.Form):
    """Takes the placeholders out, and calls a field what the rest of the product calls it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs.pop("placeholder", None)
            field.label = LABELS.get(name, field.label)
            if name in ("password1", "password2"):
                field.help_text = "At least 8 characters." if name == "password1" else ""


class LoginForm(Plain, account_forms.LoginForm):  # type: ignore[misc]
    """Address and password."""


class ResetPasswordForm(Plain, account_forms.ResetPasswordForm):  # type: ignore[misc]
    """The address that a reset link goes to."""


class ResetPasswordKeyForm(Plain, account_forms.ResetPasswordKeyForm):  # type: ignore[misc]
    """A new password, by a reset link."""


class ChangePasswordForm(Plain, account_forms.ChangePasswordForm):  # type: ignore[misc]
    """A new password, by the one that holds now."""


class ReauthenticateForm(Plain, account_forms.ReauthenticateForm):  # type: ignore[misc]
    """The password once more, before something that matters."""
