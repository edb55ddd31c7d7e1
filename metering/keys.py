"""API keys: minting, naming and revoking them, and what each has spent this month.

Every change reaches the gateways by itself: a trigger of the table tells them (migration 0003).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max, Q, QuerySet, Sum
from django.utils import timezone

from metering import clock
from metering.key_limits import UNLIMITED, Limits, clean_limits
from metering.models import ApiKey, Client, DailyUsage, ProviderCredential
from tokonomics import audit
from tokonomics.audit import Actor
from tokonomics.crypto import digest, new_api_key
from tokonomics.models import User, Workspace

NAME_LENGTH = 100
LAST_USE_DAYS = 90
"""How far back a key's last use is looked for."""


@transaction.atomic
def mint_key(
    *,
    workspace: Workspace,
    name: str,
    client: Client | None = None,
    credential: ProviderCredential | None = None,
    limits: Limits = UNLIMITED,
    actor: Actor | None,
) -> tuple[ApiKey, str]:
    """Make a key; returns its row and the key itself, which is not kept.

    With a client all its calls are that client's; with a credential they use that account at its provider.
    Raises ValidationError for a blank or overlong name, for limits that no call could meet (by field), and for a
    client or credential that is archived or not its own.
    """
    for bound in (client, credential):
        if bound is not None and (bound.workspace_id != workspace.pk or bound.archived_at):
            raise ValidationError(f"{bound} cannot be used for a key of this workspace.")
    key = new_api_key()
    row = ApiKey.objects.create(
        workspace=workspace,
        client=client,
        credential=credential,
        name=_clean_name(name),
        digest=digest(key),
        last_four=key[-4:],
        created_by=actor if isinstance(actor, User) else None,
        **clean_limits(limits, workspace).fields(),
    )
    audit.record("made", row, workspace=workspace, actor=actor, client=client.slug if client else "")
    return row, key


@transaction.atomic
def rename_key(*, key: ApiKey, name: str, actor: Actor) -> None:
    """Call a key something else; calls already made keep its old name. Raises ValidationError."""
    before, key.name = key.name, _clean_name(name)
    if before != key.name:
        key.save(update_fields=["name"])
        audit.record("renamed", key, workspace=key.workspace, actor=actor, name=audit.change(before, key.name))


@transaction.atomic
def revoke_key(*, key: ApiKey, actor: Actor) -> None:
    """End a key for good: its calls are refused within a second. Nothing happens to one that was revoked before."""
    if ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now()):
        audit.record("revoked", key, workspace=key.workspace, actor=actor)


def list_keys(workspace: Workspace, *, revoked: bool = False, text: str = "") -> QuerySet[ApiKey]:
    """The keys in use, or the revoked ones, newest first; `text` is part of a name or client, or the last four."""
    keys = ApiKey.objects.filter(workspace=workspace, revoked_at__isnull=not revoked)
    if text:
        keys = keys.filter(Q(name__icontains=text) | Q(client__name__icontains=text) | Q(last_four=text[-4:]))
    return keys.select_related("client", "credential").order_by("-created_at", "-id")


@dataclass(frozen=True, slots=True)
class Use:
    """What one key did: `cost` in nano-USD and the unpriced calls of this month, and its last call in recent days."""

    cost: int = 0
    unpriced: int = 0
    last_call_at: datetime | None = None


def uses(workspace: Workspace, keys: Sequence[ApiKey]) -> dict[UUID, Use]:
    """The use of each key, in one query; times are in the workspace's zone."""
    zone, today = clock.zone(workspace), clock.today(workspace)
    month = Q(day__gte=today.replace(day=1))
    rows = (
        DailyUsage.objects.filter(
            workspace_id=workspace.pk,
            day__gte=today - timedelta(days=LAST_USE_DAYS),
            key_id__in=[key.pk for key in keys],
        )
        .values("key_id")
        .annotate(
            month_cost=Sum("cost", filter=month, default=0),
            month_unpriced=Sum("unpriced", filter=month, default=0),
            latest=Max("last_call_at"),
        )
    )
    found = {
        row["key_id"]: Use(int(row["month_cost"]), int(row["month_unpriced"]), row["latest"].astimezone(zone))
        for row in rows
    }
    return {key.pk: found.get(key.pk, Use()) for key in keys}


def _clean_name(name: str) -> str:
    cleaned = " ".join(name.split())
    if not cleaned or len(cleaned) > NAME_LENGTH or not cleaned.isprintable():
        raise ValidationError(f"Give the key a name of at most {NAME_LENGTH} characters.")
    return cleaned
