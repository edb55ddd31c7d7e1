"""E-mails: one function each, and the links in them."""

from __future__ import annotations

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse

from tokonomics.models import Invitation

logger = logging.getLogger(__name__)


def absolute(path: str) -> str:
    """The full URL of a path of this site, on the host that PUBLIC_URL names."""
    return settings.PUBLIC_URL + path


def invitation_url(token: str) -> str:
    """The link that an invited person follows."""
    return absolute(reverse("invitation", args=[token]))


def send_invitation(invitation: Invitation, token: str) -> bool:
    """Tell somebody that they are invited; False when the mail server did not take it."""
    context = {"invitation": invitation, "url": invitation_url(token)}
    return send("mail/invitation", invitation.email, context)


def send(template: str, to: str, context: dict[str, object]) -> bool:
    """Send `<template>_subject.txt` and `<template>_message.txt`; False when the mail server did not take it."""
    subject = " ".join(render_to_string(f"{template}_subject.txt", context).split())
    try:
        send_mail(subject, render_to_string(f"{template}_message.txt", context), None, [to])
    except (OSError, SMTPException):
        logger.exception("An e-mail could not be sent.", extra={"template": template})
        return False
    return True
