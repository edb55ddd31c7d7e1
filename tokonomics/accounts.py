"""Workspaces: opening one, and what its owner may change about it."""

from __future__ import annotations

import zoneinfo
from functools import cache

from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from tokonomics import audit
from tokonomics.models import Membership, Role, User, Workspace

NAME_LENGTH = 100


@cache
def time_zones() -> list[str]:
    """IANA names that a workspace may have: UTC, then each `Area/City` known here."""
    areas = {
        "Africa",
        "America",
        "Antarctica",
        "Arctic",
        "Asia",
        "Atlantic",
        "Australia",
        "Europe",
        "Indian",
        "Pacific",
    }
    return ["UTC", *sorted(name for name in zoneinfo.available_timezones() if name.partition("/")[0] in areas)]


@transaction.atomic
def make_user(*, email: str, password: str) -> User:
    """A user whose address counts as confirmed, for whoever runs this installation; raises ValidationError."""
    validate_email(email.strip())
    if not password:
        raise ValidationError("Give a password.")
    user = User.objects.create_user(email, password)
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    return user


@transaction.atomic
def open_workspace(*, name: str, timezone: str, owner: User) -> Workspace:
    """Make a workspace with its owner; raises ValidationError for a blank name or an unknown time zone."""
    workspace = Workspace.objects.create(name=_clean_name(name), timezone=_clean_zone(timezone))
    Membership.objects.create(workspace=workspace, user=owner, role=Role.OWNER)
    audit.record("opened", workspace, workspace=workspace, actor=owner)
    return workspace


@transaction.atomic
def change_workspace(*, workspace: Workspace, name: str, timezone: str, actor: User) -> None:
    """Rename a workspace or move its days; raises ValidationError. Days already counted stay as they were cut."""
    before = {"name": workspace.name, "timezone": workspace.timezone}
    workspace.name, workspace.timezone = _clean_name(name), _clean_zone(timezone)
    after = {"name": workspace.name, "timezone": workspace.timezone}
    changes = {key: audit.change(before[key], after[key]) for key in after if before[key] != after[key]}
    if changes:
        workspace.save(update_fields=["name", "timezone"])
        audit.record("changed", workspace, workspace=workspace, actor=actor, **changes)


def _clean_name(name: str) -> str:
    cleaned = " ".join(name.split())
    if not cleaned or not cleaned.isprintable() or len(cleaned) > NAME_LENGTH:
        raise ValidationError(f"Give the workspace a name of at most {NAME_LENGTH} characters.")
    return cleaned


def _clean_zone(timezone: str) -> str:
    if timezone not in time_zones():
        raise ValidationError(f"{timezone!r} is not a time zone: name one such as Europe/Vienna, or UTC.")
    return timezone
