"""How allauth speaks here: whether one may sign up, and which host the links in its e-mails name."""

from __future__ import annotations

import logging
from smtplib import SMTPException
from typing import Any, ClassVar
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest

from tokonomics import invitations
from tokonomics.mail import absolute

logger = logging.getLogger(__name__)


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Links are built from PUBLIC_URL, never from a request's Host header."""

    error_messages: ClassVar = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": "The address or the password is not right.",
        "too_many_login_attempts": "Too many wrong passwords. Wait five minutes, or reset the password.",
        "email_taken": "This address cannot be used. If it is yours, log in or reset the password.",
        "rate_limited": "Too many attempts. Wait a few minutes and try again.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Everybody, or with CLOSED_SIGNUP only who was invited."""
        return not settings.CLOSED_SIGNUP or invitations.pending(request) is not None

    def is_email_verified(self, request: HttpRequest, email: str) -> bool:
        """An invitation's link was read in that mailbox, which is all that a verification would show."""
        invitation = invitations.pending(request)
        invited = invitation is not None and invitation.email == email.lower()
        return invited or bool(super().is_email_verified(request, email))

    def get_reset_password_from_key_url(self, key: str) -> str:
        """Where a reset e-mail leads."""
        return _public(super().get_reset_password_from_key_url(key))

    def get_email_confirmation_url(self, request: HttpRequest, emailconfirmation: Any) -> str:
        """Where a verification e-mail leads."""
        return _public(super().get_email_confirmation_url(request, emailconfirmation))

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send one of allauth's e-mails; a mail server that does not answer is logged, and never an error page."""
        links = {"public_url": settings.PUBLIC_URL}
        try:
            super().send_mail(template_prefix, email, {**context, **links})
        except (OSError, SMTPException):
            logger.exception("An account e-mail could not be sent.", extra={"template": template_prefix})


def _public(url: str) -> str:
    parts = urlsplit(url)
    return absolute(parts.path + (f"?{parts.query}" if parts.query else ""))
