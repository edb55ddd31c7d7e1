"""The price book's rows: price lists that were imported, and rules about prices. Written once, never changed."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
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


class Closing(models.Model):
    """Days that nothing may be added to any more, since they are on a statement: up to `until`, which is the last."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="closings")
    client = models.TextField(  # noqa: DJ001 -- the empty slug is a client, and null is all of them
        null=True, blank=True, help_text="Slug; empty: Unattributed; null: every client."
    )
    until = models.DateField(help_text="A day of the workspace's.")
    made_by = models.CharField(max_length=254)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"closing of {'all clients' if self.client is None else self.client} until {self.until}"


class Repricing(models.Model):
    """One run that prices the calls of some days anew: first as a preview, then, if somebody says so, for good."""

    class State(models.TextChoices):
        PREVIEWING = "previewing", "Preview in the making"
        PREVIEWED = "previewed", "Preview"
        APPLYING = "applying", "Being applied"
        APPLIED = "applied", "Applied"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="repricings")
    first = models.DateField()
    last = models.DateField()
    provider = models.CharField(max_length=64, blank=True, help_text="Route slug; empty: every one.")
    model = models.CharField(max_length=256, blank=True, help_text="As on the event; empty: every one.")
    unpriced_only = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State, default=State.PREVIEWING)
    made_by = models.CharField(max_length=254, help_text="Kept as it was, also when the user is gone.")
    created_at = models.DateTimeField(auto_now_add=True)
    applied_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    applied_by_name = models.CharField(max_length=254, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True, help_text="When it was applied, or failed.")
    seen = models.PositiveBigIntegerField(default=0, help_text="Events looked at in this state.")
    unpriceable = models.PositiveBigIntegerField(default=0, help_text="Of them, those that still have no price.")
    position_at = models.DateTimeField(null=True, blank=True, help_text="How far it has come: this event's moment,")
    position_id = models.UUIDField(null=True, blank=True, help_text="and its id.")
    moved_at = models.DateTimeField(auto_now=True)
    error = models.TextField(blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["workspace", "-created_at"], name="repricing_by_workspace")]
        constraints: ClassVar = [models.CheckConstraint(condition=Q(last__gte=F("first")), name="repricing_days")]

    def __str__(self) -> str:
        what = " ".join(part for part in (self.provider, self.model) if part) or "every model"
        return f"re-pricing of {what} from {self.first} to {self.last}"


class RepricingShare(models.Model):
    """What a run changes for one client, in nano-USD: as previewed, and as applied."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    repricing = models.ForeignKey(Repricing, on_delete=models.CASCADE, related_name="shares")
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="+")
    client = models.TextField(help_text="Slug; empty: Unattributed.")
    applied = models.BooleanField()
    calls = models.BigIntegerField(help_text="Calls whose cost changes.")
    priced = models.BigIntegerField(help_text="Of them, those that had no price.")
    old = models.BigIntegerField()
    new = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["repricing", "applied", "client"], name="repricing_share_once")
        ]

    def __str__(self) -> str:
        return f"{self.client}: {self.new - self.old}"
