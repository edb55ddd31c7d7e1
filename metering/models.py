"""Clients, keys and provider credentials: who calls, for whom, and with which provider account."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from metering.ledger import (
    BudgetPeriod,
    DailyRefusals,
    DailyTagUsage,
    DailyUsage,
    GatewayProcess,
    Reservation,
    SpoolFile,
    UsageEvent,
)
from tokonomics.ids import new_id
from tokonomics.models import Workspace

__all__ = [
    "ApiKey",
    "Budget",
    "BudgetPeriod",
    "Client",
    "DailyRefusals",
    "DailyTagUsage",
    "DailyUsage",
    "GatewayProcess",
    "ProviderCredential",
    "Reservation",
    "SpoolFile",
    "UsageEvent",
]


class Client(models.Model):
    """A customer of the agency, known on every call by its slug: the value of the `client` tag.

    A slug that no one has made yet becomes an unconfirmed client when its first call is recorded. Archived, never
    deleted.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="clients")
    slug = models.CharField(max_length=256)
    name = models.CharField(max_length=256)
    timezone = models.CharField(max_length=64, blank=True, help_text="Of its budget; empty: the workspace's.")
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
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True)
    tokens_per_minute = models.PositiveIntegerField(null=True, blank=True)
    allowed_models = ArrayField(
        models.CharField(max_length=256), default=list, blank=True, help_text="Patterns with *; empty: every model."
    )
    allowed_providers = ArrayField(
        models.CharField(max_length=40), default=list, blank=True, help_text="Route slugs; empty: every provider."
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["workspace", "-created_at"], name="api_key_by_workspace")]

    def __str__(self) -> str:
        return f"{self.name} (mk_…{self.last_four})"


class Budget(models.Model):
    """What a key, a client or the whole workspace may cost in a month. Hard: a cap, which stops calls; soft: it warns.

    `limit` and `raised_by` are nano-USD. A raise adds to the limit until it ends. A paused cap lets calls pass and goes
    on counting. Months begin on `billing_day` at midnight, in the client's time zone or else the workspace's.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="budgets")
    client = models.OneToOneField(Client, on_delete=models.CASCADE, null=True, blank=True, related_name="budget")
    key = models.OneToOneField(ApiKey, on_delete=models.CASCADE, null=True, blank=True, related_name="budget")
    limit = models.BigIntegerField(validators=[MinValueValidator(0)])
    hard = models.BooleanField()
    billing_day = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1), MaxValueValidator(28)])
    paused_at = models.DateTimeField(null=True, blank=True)
    raised_by = models.BigIntegerField(default=0, validators=[MinValueValidator(0)])
    raised_until = models.DateTimeField(null=True, blank=True)
    raise_reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["workspace"], condition=models.Q(client=None, key=None), name="budget_of_workspace_once"
            ),
            models.CheckConstraint(
                condition=models.Q(client=None) | models.Q(key=None), name="budget_of_a_client_or_a_key"
            ),
            models.CheckConstraint(condition=models.Q(limit__gte=0, raised_by__gte=0), name="budget_limit"),
        ]

    def __str__(self) -> str:
        return f"budget of {self.key or self.client or self.workspace}"
