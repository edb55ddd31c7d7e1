"""Sign-up: an account, and the workspace that it opens or was invited to."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import SignupForm as AccountForm
from allauth.core import context
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect

from tokonomics import accounts, invitations, members
from tokonomics.forms.account import Plain
from tokonomics.forms.workspace import WorkspaceFields
from tokonomics.models import User


class SignupForm(Plain, WorkspaceFields, AccountForm):  # type: ignore[misc]
    """Address, password, and the new workspace's name and time zone; an invited person gives a password alone."""

    field_order = ("email", "password1", "name", "timezone")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.invitation = invitations.pending(context.request)
        if self.invitation:
            del self.fields["name"], self.fields["timezone"]
            email = self.fields["email"]
            email.initial, email.disabled = self.invitation.email, True

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponseBase | None]:
        """The account and its workspace, both or neither."""
        try:
            with transaction.atomic():
                return super().try_save(request)  # type: ignore[no-any-return]
        except IntegrityError:  # the same form was sent twice at the same time, and the other one won
            return None, redirect("account_login")

    def save(self, request: HttpRequest) -> User:
        """The user, in the workspace that they opened or were invited to."""
        user: User = super().save(request)
        if self.invitation:
            members.accept(invitation=self.invitation, user=user)
            invitations.forget(request)
        else:
            accounts.open_workspace(name=self.cleaned_data["name"], timezone=self.cleaned_data["timezone"], owner=user)
        return user
