"""The invitation that a visitor came with, kept in their session from its link to their account."""

from __future__ import annotations

from django.http import HttpRequest

from tokonomics.members import find_invitation
from tokonomics.models import Invitation

SESSION_KEY = "invitation"


def keep(request: HttpRequest, token: str) -> None:
    """Remember the token of an invitation's link."""
    request.session[SESSION_KEY] = token


def pending(request: HttpRequest | None) -> Invitation | None:
    """The invitation that this visitor came with, while it can be accepted."""
    token = request.session.get(SESSION_KEY, "") if request is not None else ""
    return find_invitation(token) if token else None


def forget(request: HttpRequest) -> None:
    """Drop it, used or not."""
    request.session.pop(SESSION_KEY, None)
