"""Tokens of the REST API: what they may do, minting and revoking them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from tokonomics import audit
from tokonomics.crypto import digest, new_api_token
from tokonomics.models import ApiToken, User, Workspace

SCOPES: Final = {
    "events:read": "Read and export calls",
    "usage:read": "Read usage and cost",
}
NAME_LENGTH = 100
NOTE_SECONDS = 60
"""How exact the last use is kept, so that a busy token does not write its row at each request."""


@transaction.atomic
def mint_token(*, workspace: Workspace, name: str, scopes: Iterable[str], actor: User) -> tuple[ApiToken, str]:
    """Make a token; returns its row and the token itself, which is not kept. Raises ValidationError."""
    name, wanted = " ".join(name.split()), sorted(set(scopes))
    if not name or len(name) > NAME_LENGTH:
        raise ValidationError(f"Give the token a name of at most {NAME_LENGTH} characters.")
    if not wanted or not set(wanted) <= SCOPES.keys():
        raise ValidationError(f"A token needs one or more of these scopes: {', '.join(SCOPES)}.")
    token = new_api_token()
    row = ApiToken.objects.create(
        workspace=workspace,
        name=name,
        digest=digest(token),
        last_four=token[-4:],
        scopes=wanted,
        created_by=actor,
    )
    audit.record("made", row, workspace=workspace, actor=actor, scopes=wanted)
    return row, token


@transaction.atomic
def revoke_token(*, token: ApiToken, actor: User) -> None:
    """End a token for good; nothing happens to one that was revoked before."""
    if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
        audit.record("revoked", token, workspace=token.workspace, actor=actor)


def find_token(text: str) -> ApiToken | None:
    """The token's row, while it is not revoked; its last use is noted."""
    row = ApiToken.objects.select_related("workspace").filter(digest=digest(text), revoked_at=None).first()
    if row is not None:
        now = timezone.now()
        stale = Q(last_used_at=None) | Q(last_used_at__lt=now - timedelta(seconds=NOTE_SECONDS))
        ApiToken.objects.filter(stale, pk=row.pk).update(last_used_at=now)
    return row
