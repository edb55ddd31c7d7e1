"""Clients of the agency: making one before its first call, confirming one that a call brought, putting one away."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.text import slugify

from metering.models import Client
from tokonomics import audit
from tokonomics.accounts import time_zones
from tokonomics.audit import Actor
from tokonomics.models import Workspace

LENGTH = 256


@transaction.atomic
def make_client(*, workspace: Workspace, name: str, slug: str = "", time_zone: str = "", actor: Actor | None) -> Client:
    """A confirmed client; `slug` is the value of the `client` tag on its calls, by default made of the name.

    Its budget's months are cut in `time_zone`, or in the workspace's. A client of that slug that a call brought is
    confirmed and named. Raises ValidationError for a blank or overlong name or slug, for an unknown zone, and for a
    slug that a confirmed client has.
    """
    name, slug = _clean_name(name), slug.strip() or slugify(name)
    if not slug or len(slug) > LENGTH or not slug.isprintable():
        raise ValidationError(f"Give the client a tag of at most {LENGTH} characters, such as acme-corp.")
    facts = {"name": name, "timezone": _clean_zone(time_zone)}
    try:
        with transaction.atomic():
            client = Client.objects.create(workspace=workspace, slug=slug, confirmed_at=timezone.now(), **facts)
    except IntegrityError:
        client = Client.objects.select_for_update().get(workspace=workspace, slug=slug)
        if client.confirmed_at:
            raise ValidationError(f"{client.name} has the tag {client.slug} already.") from None
        return change_client(client=client, name=name, time_zone=time_zone, actor=actor)
    audit.record("made", client, workspace=workspace, actor=actor, slug=slug)
    return client


@transaction.atomic
def change_client(*, client: Client, name: str, time_zone: str, actor: Actor | None) -> Client:
    """Name a client, and say in which zone its budget's months are cut ('': the workspace's).

    One that a call brought is confirmed by it. Raises ValidationError for a blank or overlong name and an unknown zone.
    """
    before = {"name": client.name, "time zone": client.timezone}
    client.name, client.timezone = _clean_name(name), _clean_zone(time_zone)
    after = {"name": client.name, "time zone": client.timezone}
    changes = {field: audit.change(before[field], after[field]) for field in after if before[field] != after[field]}
    verb = "changed" if client.confirmed_at else "confirmed"
    if verb == "confirmed":
        client.confirmed_at = timezone.now()
    elif not changes:
        return client
    client.save(update_fields=["name", "timezone", "confirmed_at"])
    audit.record(verb, client, workspace=client.workspace, actor=actor, slug=client.slug, **changes)
    return client


@transaction.atomic
def archive_client(*, client: Client, actor: Actor | None) -> None:
    """Put a client away; it can be restored. Raises ValidationError while keys are bound to it.

    Calls that name it in a tag are counted as before, and its budget holds.
    """
    bound = client.api_keys.filter(revoked_at=None).count()
    if bound:
        keys = "1 key is" if bound == 1 else f"{bound} keys are"
        raise ValidationError(f"{keys} bound to {client}: revoke what calls for it first.")
    if Client.objects.filter(pk=client.pk, archived_at=None).update(archived_at=timezone.now()):
        audit.record("archived", client, workspace=client.workspace, actor=actor, slug=client.slug)


@transaction.atomic
def restore_client(*, client: Client, actor: Actor | None) -> None:
    """Take an archived client back into the lists. Nothing happens to one that is there."""
    if Client.objects.filter(pk=client.pk).exclude(archived_at=None).update(archived_at=None):
        audit.record("restored", client, workspace=client.workspace, actor=actor, slug=client.slug)


def usable_clients(workspace: Workspace) -> list[Client]:
    """The clients that a key may be bound to, by name: confirmed and not archived."""
    found = Client.objects.filter(workspace=workspace, archived_at=None).exclude(confirmed_at=None)
    return list(found.order_by("name", "id"))


def _clean_name(name: str) -> str:
    cleaned = " ".join(name.split())
    if not cleaned or len(cleaned) > LENGTH or not cleaned.isprintable():
        raise ValidationError(f"Give the client a name of at most {LENGTH} characters.")
    return cleaned


def _clean_zone(time_zone: str) -> str:
    if time_zone and time_zone not in time_zones():
        raise ValidationError(f"{time_zone!r} is not a time zone: name one such as Europe/Vienna, or UTC.")
    return time_zone
