"""The ledger's tables: events, the rollups kept in step with them, and how far each spool file was read.

Only the recorder writes here, and PostgreSQL refuses to change or delete an event (migration 0004). Money is in
nano-USD, times are UTC, `day` is the day in the workspace's time zone. The tables carry the workspace in their keys and
no foreign keys, so that they can be partitioned and sharded.
"""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import CheckConstraint, Q

TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
STATUSES = ("ok", "aborted", "provider_error", "not_dispatched")


def not_negative(name: str, *columns: str) -> CheckConstraint:
    """Money and counts only ever add up; an unknown (null) cost is fine."""
    return CheckConstraint(condition=Q(*((f"{column}__gte", 0) for column in columns)), name=name)


def not_negative_unless_adjustment(name: str, *columns: str) -> CheckConstraint:
    """As above, but an event that corrects another one may take away."""
    kept = Q(*((f"{column}__gte", 0) for column in columns))
    return CheckConstraint(condition=Q(source="adjustment") | kept, name=name)


class UsageEvent(models.Model):
    """One call: what was asked of whom, what it used, what it cost and why. Appended, never changed."""

    pk = models.CompositePrimaryKey("admitted_at", "id")
    id = models.UUIDField()
    admitted_at = models.DateTimeField()
    workspace_id = models.UUIDField()
    day = models.DateField()
    client = models.TextField(help_text="The client's slug; empty: Unattributed.")
    key_id = models.UUIDField()
    key_name = models.TextField()
    credential_id = models.UUIDField(null=True)
    provider = models.TextField()
    model = models.TextField(help_text="As priced: the model that answered, else the one asked for.")
    requested_model = models.TextField()
    endpoint = models.TextField()
    stream = models.BooleanField()
    test = models.BooleanField(help_text="A call to the sandbox: never on a statement.")
    source = models.TextField(help_text="proxy, adjustment, or what a caller of the usage endpoint named.")
    status = models.TextField(help_text="ok, aborted, provider_error or not_dispatched.")
    http_status = models.SmallIntegerField()
    estimated = models.BooleanField()
    flags = models.JSONField(default=list)
    input_tokens = models.BigIntegerField()
    cache_read_tokens = models.BigIntegerField()
    cache_write_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    reasoning_tokens = models.BigIntegerField()
    usage = models.JSONField(help_text="Every non-zero canonical count (metering.usage.Usage).")
    cost = models.BigIntegerField(null=True, help_text="Nano-USD; null: unpriced.")
    cost_source = models.TextField(help_text="catalogue, provider, declared, free, sandbox; empty: unpriced.")
    price_version = models.TextField()
    lines = models.JSONField(help_text="[[unit, count, unit price USD, amount USD], …] that make the cost.")
    provider_cost = models.BigIntegerField(null=True, help_text="Nano-USD as the provider reported it.")
    price = models.BigIntegerField(null=True, help_text="Nano-USD that the client pays; null: no contract.")
    latency_ms = models.IntegerField()
    first_byte_ms = models.IntegerField(null=True)
    tags = models.JSONField()
    basis = models.JSONField(
        default=dict, help_text="What else the price depends on: context, parts; of an adjustment what it corrects."
    )

    priced_later: int | None = None
    """Nano-USD that adjustments have given a call without a price, where a list has looked for them."""

    class Meta:
        db_table = "usage_event"
        constraints: ClassVar = [
            not_negative_unless_adjustment("usage_event_money", "cost", "provider_cost", "price"),
            not_negative_unless_adjustment("usage_event_tokens", *TOKENS),
            CheckConstraint(condition=Q(status__in=STATUSES), name="usage_event_status"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Tally(models.Model):
    """The sums that every rollup keeps."""

    calls = models.BigIntegerField()
    errors = models.BigIntegerField(help_text="Calls with status provider_error.")
    unpriced = models.BigIntegerField()
    estimated = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    cache_read_tokens = models.BigIntegerField()
    cache_write_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    reasoning_tokens = models.BigIntegerField()
    cost = models.BigIntegerField(help_text="Nano-USD; unpriced calls add nothing.")
    last_call_at = models.DateTimeField()

    class Meta:
        abstract = True
        constraints: ClassVar = [
            # What is to be added to a row is checked too, and an adjustment may take a call out of the unpriced ones.
            CheckConstraint(
                condition=Q(calls__gte=0, errors__gte=0, estimated__gte=0) & (Q(unpriced__gte=0) | Q(calls=0)),
                name="%(class)s_sums",
            )
        ]


class DailyUsage(Tally):
    """A day of one workspace by client, provider, model and key."""

    pk = models.CompositePrimaryKey("workspace_id", "day", "client", "provider", "model", "key_id")
    workspace_id = models.UUIDField()
    day = models.DateField()
    client = models.TextField()
    provider = models.TextField()
    model = models.TextField()
    key_id = models.UUIDField()

    class Meta(Tally.Meta):
        db_table = "daily_usage"

    def __str__(self) -> str:
        return f"{self.day} {self.client} {self.model}"


class DailyTagUsage(Tally):
    """A day of one workspace by one tag's value."""

    pk = models.CompositePrimaryKey("workspace_id", "day", "tag_key", "tag_value")
    workspace_id = models.UUIDField()
    day = models.DateField()
    tag_key = models.TextField()
    tag_value = models.TextField()

    class Meta(Tally.Meta):
        db_table = "daily_tag_usage"

    def __str__(self) -> str:
        return f"{self.day} {self.tag_key}={self.tag_value}"


class DailyRefusals(models.Model):
    """Calls that we refused, by key, client and code: no events, but counted."""

    pk = models.CompositePrimaryKey("workspace_id", "day", "client", "key_id", "code")
    workspace_id = models.UUIDField()
    day = models.DateField()
    client = models.TextField()
    key_id = models.UUIDField()
    code = models.TextField()
    calls = models.BigIntegerField()

    class Meta:
        db_table = "daily_refusals"

    def __str__(self) -> str:
        return f"{self.day} {self.code}: {self.calls}"


class SpoolFile(models.Model):
    """How far a spool file was recorded: moved in the same transaction as the events it held."""

    name = models.TextField(primary_key=True)
    offset = models.BigIntegerField(help_text="Bytes from the file's beginning that are in the ledger.")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table: ClassVar[str] = "spool_file"

    def __str__(self) -> str:
        return f"{self.name}@{self.offset}"


class BudgetPeriod(models.Model):
    """A month of a budget: what its calls cost so far, and what running calls may still cost. Bounds never change."""

    pk = models.CompositePrimaryKey("budget_id", "starts_at")
    budget_id = models.UUIDField()
    workspace_id = models.UUIDField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    settled = models.BigIntegerField(help_text="Nano-USD of the events in the bounds.")
    reserved = models.BigIntegerField(help_text="Nano-USD of the open reservations.")

    class Meta:
        db_table = "budget_period"
        indexes: ClassVar = [models.Index(fields=["workspace_id", "ends_at"], name="budget_period_by_workspace")]

    def __str__(self) -> str:
        return f"{self.budget_id} from {self.starts_at}"


class Reservation(models.Model):
    """The worst case of a running call, held on all of its hard budgets from admission until its event is recorded."""

    id = models.UUIDField(primary_key=True, help_text="The call's.")
    workspace_id = models.UUIDField()
    process = models.UUIDField(help_text="Of the spool that the call's lines are in.")
    budgets = ArrayField(models.UUIDField())
    starts = ArrayField(models.DateTimeField(), help_text="Of the budgets' periods, in the same order.")
    amount = models.BigIntegerField(help_text="Nano-USD.")
    intent = models.JSONField(help_text="What an estimated event is made of, if the machine is lost.")
    created_at = models.DateTimeField()

    class Meta:
        db_table = "reservation"
        indexes: ClassVar = [models.Index(fields=["process"], name="reservation_by_process")]

    def __str__(self) -> str:
        return str(self.id)


class GatewayProcess(models.Model):
    """A sign of life of each gateway process that reserves."""

    id = models.UUIDField(primary_key=True, help_text="Of its spool.")
    seen_at = models.DateTimeField()

    class Meta:
        db_table = "gateway_process"

    def __str__(self) -> str:
        return str(self.id)
