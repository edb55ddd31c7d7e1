"""The audit log: each change is written down in the transaction that makes it."""

from __future__ import annotations

from typing import Any

from django.db import models

from tokonomics.models import ApiToken, AuditEntry, User, Workspace

Actor = User | ApiToken
NAME_LENGTH = 300


def change(before: Any, after: Any) -> dict[str, Any]:
    """A detail that was one thing and is another."""
    return {"before": before, "after": after}


def record(verb: str, target: models.Model, *, workspace: Workspace, actor: Actor | None, **details: Any) -> AuditEntry:
    """Write that `actor` (none: the system) did `verb` to `target`; `details` are JSON values, never secrets."""
    return AuditEntry.objects.create(
        workspace=workspace,
        actor=actor if isinstance(actor, User) else None,
        actor_name=str(actor or "Tokonomics")[:254],
        verb=verb,
        object_type=str(target._meta.verbose_name),  # noqa: SLF001 - documented by Django
        object_id=str(target.pk),
        object_name=str(target)[:NAME_LENGTH],
        details=details,
    )
