"""allauth's forms in this product's manner: a label above each field, and no placeholder that stands for one."""

from __future__ import annotations

from typing import Any, ClassVar

from allauth.account import forms as account_forms
from django import forms

LABELS = {
    "login": "E-mail address",
    "email": "E-mail address",
    "oldpassword": "Password now",
}
NEW = {"password1": "New password", "password2": "New password again"}


class Plain(forms.Form):
    """Takes the placeholders out, and calls a field what the rest of the product calls it."""

    labels: ClassVar[dict[str, str]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs.pop("placeholder", None)
            field.label = {**LABELS, **self.labels}.get(name, field.label)
        if "password1" in self.fields:
            self.fields["password1"].help_text = "At least 8 characters."


class LoginForm(Plain, account_forms.LoginForm):  # type: ignore[misc]
    """Address and password."""


class ResetPasswordForm(Plain, account_forms.ResetPasswordForm):  # type: ignore[misc]
    """The address that a reset link goes to."""


class ResetPasswordKeyForm(Plain, account_forms.ResetPasswordKeyForm):  # type: ignore[misc]
    """A new password, by a reset link."""

    labels: ClassVar = NEW


class ChangePasswordForm(Plain, account_forms.ChangePasswordForm):  # type: ignore[misc]
    """A new password, by the one that holds now."""

    labels: ClassVar = NEW


class ReauthenticateForm(Plain, account_forms.ReauthenticateForm):  # type: ignore[misc]
    """The password once more, before something that matters."""


class AddEmailForm(Plain, account_forms.AddEmailForm):  # type: ignore[misc]
    """Another address to log in with."""

    labels: ClassVar = {"email": "New e-mail address"}
