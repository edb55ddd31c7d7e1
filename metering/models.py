"""Clients, keys and provider credentials: who calls, for whom, and with which provider account."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from metering.ledger import DailyRefusals, DailyTagUsage, DailyUsage, SpoolFile, UsageEvent
from tokonomics.ids import new_id
from tokonomics.models import Workspace

__all__ = [
    "ApiKey",
    "Client",
    "DailyRefusals",
    "DailyTagUsage",
    "DailyUsage",
    "ProviderCredential",
    "SpoolFile",
    "UsageEvent",
]


class Client(models.Model):
    """A customer of the agency, known on every call by its slug: the value of the `client` tag.

    A slug that no one has made yet becomes an unconfirmed client when its first call is recorded. Archived, never deleted.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="clients")
    slug = models.CharField(max_length=256)
    name = models.CharField(max_length=256)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["workspace", "slug"], name="client_slug_once")]

    def __str__(self) -> str:
        return self.name


class ProviderCredential(models.Model):
    """An account at a provider. `slug` is the route, `/proxy/<slug>/…`: the provider's own, or a custom server's.

    `secret` is the key, encrypted with the workspace and this row bound into the ciphertext (tokonomics.crypto).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="credentials")
    slug = models.CharField(max_length=40)
    name = models.CharField(max_length=100)
    base_url = models.CharField(max_length=2048, blank=True, help_text="Empty: the provider's own address.")
    secret = models.BinaryField()
    last_four = models.CharField(max_length=4, blank=True)
    is_default = models.BooleanField(default=True, help_text="Used by keys that are not pinned to a credential.")
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["workspace", "slug"],
                condition=models.Q(is_default=True, archived_at=None),
                name="credential_one_default",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ApiKey(models.Model):
    """An `mk_` key: shown once, stored as its SHA-256. Bound to a client, or free; pinned to a credential, or not."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="api_keys")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, null=True, blank=True, related_name="api_keys")
    credential = models.ForeignKey(
        ProviderCredential, on_delete=models.PROTECT, null=True, blank=True, related_name="api_keys"
    )
    name = models.CharField(max_length=100)
    digest = models.BinaryField(max_length=32, unique=True)
    last_four = models.CharField(max_length=4)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["workspace", "-created_at"], name="api_key_by_workspace")]

    def __str__(self) -> str:
        return f"{self.name} (mk_…{self.last_four})"
