"""Clients of the agency: making one before its first call, and confirming one that a call brought."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.text import slugify

from metering.models import Client
from tokonomics import audit
from tokonomics.audit import Actor
from tokonomics.models import Workspace

LENGTH = 256


@transaction.atomic
def make_client(*, workspace: Workspace, name: str, slug: str = "", actor: Actor | None) -> Client:
    """A confirmed client; `slug` is the value of the `client` tag on its calls, by default made of the name.

    A client of that slug that a call brought is confirmed and named. Raises ValidationError for a blank or overlong
    name or slug, and for a slug that a confirmed client has.
    """
    name = " ".join(name.split())
    slug = slug.strip() or slugify(name)
    if not name or len(name) > LENGTH or not name.isprintable():
        raise ValidationError(f"Give the client a name of at most {LENGTH} characters.")
    if not slug or len(slug) > LENGTH or not slug.isprintable():
        raise ValidationError(f"Give the client a tag of at most {LENGTH} characters, such as acme-corp.")
    try:
        with transaction.atomic():
            client = Client.objects.create(workspace=workspace, slug=slug, name=name, confirmed_at=timezone.now())
    except IntegrityError:
        return _confirm(Client.objects.select_for_update().get(workspace=workspace, slug=slug), name, actor)
    audit.record("made", client, workspace=workspace, actor=actor, slug=slug)
    return client


def _confirm(client: Client, name: str, actor: Actor | None) -> Client:
    if client.confirmed_at:
        raise ValidationError(f"{client.name} has the tag {client.slug} already.")
    client.name, client.confirmed_at = name, timezone.now()
    client.save(update_fields=["name", "confirmed_at"])
    audit.record("confirmed", client, workspace=client.workspace, actor=actor, slug=client.slug)
    return client


def usable_clients(workspace: Workspace) -> list[Client]:
    """The clients that a key may be bound to, by name: confirmed and not archived."""
    found = Client.objects.filter(workspace=workspace, archived_at=None).exclude(confirmed_at=None)
    return list(found.order_by("name", "id"))
