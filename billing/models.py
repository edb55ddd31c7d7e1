"""The price book's rows: price lists that were imported, and rules about prices. Written once, never changed."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from tokonomics.ids import new_id
from tokonomics.models import Workspace


class PriceList(models.Model):
    """One version of a price list, which counts for calls from `starts_at` on. `content` is zlib of its JSON."""

    class Source(models.TextChoices):
        FIRST = "genai-prices", "genai-prices"
        SECOND = "litellm", "LiteLLM"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    source = models.CharField(max_length=20, choices=Source)
    version = models.CharField(max_length=64, help_text="As events name it, without the source.")
    starts_at = models.DateTimeField()
    sha256 = models.CharField(max_length=64, help_text="Of the JSON, in hexadecimal.")
    content = models.BinaryField()
    models_count = models.PositiveIntegerField()
    origin = models.CharField(max_length=2048, help_text="Where it was read: the package, a file or a URL.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["source", "version"], name="price_list_version_once")]

    def __str__(self) -> str:
        return f"{self.source} {self.version}"


class PriceRule(models.Model):
    """An own price, a discount or an alias, of one workspace or, without one, of all; see `billing.rules.Rule`."""

    class Kind(models.TextChoices):
        PRICE = "price", "Own price"
        DISCOUNT = "discount", "Discount"
        ALIAS = "alias", "Alias"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, null=True, blank=True, related_name="price_rules"
    )
    kind = models.CharField(max_length=10, choices=Kind)
    provider = models.CharField(max_length=64, blank=True, help_text="As the catalogue calls it; empty: every one.")
    model = models.CharField(max_length=256, blank=True, help_text="A name, or a pattern with *; empty: every model.")
    tier = models.CharField(max_length=20, blank=True, help_text="Service tier; empty: all.")
    prices = models.JSONField(default=dict, blank=True, help_text="Price key → USD for the key's unit, as text.")
    percent = models.DecimalField(max_digits=7, decimal_places=4, null=True, blank=True)
    to_provider = models.CharField(max_length=64, blank=True)
    to_model = models.CharField(max_length=256, blank=True)
    note = models.CharField(max_length=200, blank=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True, help_text="As it was laid down; see PriceRuleEnd.")
    made_by = models.CharField(max_length=254, help_text="Kept as it was, also when the user is gone.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["workspace", "-created_at"], name="price_rule_by_workspace")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(kind="price", percent=None, to_model="")
                | Q(kind="discount", percent__isnull=False, prices={}, to_model="")
                | (Q(kind="alias", percent=None, prices={}) & ~Q(to_model="") & ~Q(to_provider="")),
                name="price_rule_of_one_kind",
            ),
            models.CheckConstraint(
                condition=Q(kind="discount") | (~Q(provider="") & ~Q(model="")), name="price_rule_names_a_model"
            ),
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at")), name="price_rule_ends_after_start"
            ),
            models.CheckConstraint(
                condition=Q(percent=None) | Q(percent__gte=-100, percent__lte=100), name="price_rule_percent"
            ),
        ]

    def __str__(self) -> str:
        place = " ".join(part for part in (self.provider, self.model) if part) or "every model"
        return f"{self.get_kind_display().lower()} of {place}"


class PriceRuleEnd(models.Model):
    """The end of a rule that was laid down without one, or with a later one: of several the earliest counts.

    One that ends no later than it starts never holds.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    rule = models.ForeignKey(PriceRule, on_delete=models.PROTECT, related_name="ends")
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    ends_at = models.DateTimeField()
    made_by = models.CharField(max_length=254)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"end of {self.rule}"
