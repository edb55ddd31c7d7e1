"""How a call and its sums stand in JSON: money as exact decimal text in USD, times in UTC, unknown as null."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.money import usd_text
from metering import clock
from metering.ledger import UsageEvent
from metering.periods import Period
from tokonomics.models import Workspace


@extend_schema_field({"type": "string", "format": "decimal", "nullable": True, "example": "0.0335796"})
class Dollars(serializers.Field[int | None, str, str | None, Any]):
    """Nano-USD as exact USD in plain digits, such as `"0.0335796"`; null for an unknown amount."""

    def to_representation(self, value: int | None) -> str | None:
        """Never a float."""
        return None if value is None else usd_text(value)


class LineSerializer(serializers.Serializer[Any]):
    """One line of a cost: count × unit price = amount."""

    unit = serializers.CharField()
    count = serializers.IntegerField()
    unit_price_usd = serializers.CharField()
    amount_usd = serializers.CharField()


LINE = ("unit", "count", "unit_price_usd", "amount_usd")


class EventKeySerializer(serializers.Serializer[Any]):
    """The API key of a call, by the name that it had."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class EventSerializer(serializers.Serializer[Any]):
    """One call, with the unit prices that made its cost."""

    event_id = serializers.UUIDField(source="id")
    timestamp = serializers.DateTimeField(source="admitted_at")
    client = serializers.SerializerMethodField()
    provider = serializers.CharField()
    model = serializers.CharField()
    requested_model = serializers.CharField()
    endpoint = serializers.CharField()
    stream = serializers.BooleanField()
    test = serializers.BooleanField()
    origin = serializers.CharField(source="source")
    status = serializers.CharField()
    http_status = serializers.IntegerField()
    estimated = serializers.BooleanField()
    flags = serializers.ListField(child=serializers.CharField())
    input_tokens = serializers.IntegerField()
    cache_read_tokens = serializers.IntegerField()
    cache_write_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    reasoning_tokens = serializers.IntegerField()
    total_tokens = serializers.SerializerMethodField()
    usage = serializers.DictField(child=serializers.IntegerField())
    cost_usd = Dollars(source="cost")
    cost_source = serializers.CharField()
    price_version = serializers.CharField()
    lines = serializers.SerializerMethodField()
    provider_cost_usd = Dollars(source="provider_cost")
    price = Dollars()
    currency = serializers.SerializerMethodField()
    latency_ms = serializers.IntegerField()
    first_byte_ms = serializers.IntegerField(allow_null=True)
    api_key = serializers.SerializerMethodField()
    tags = serializers.DictField(child=serializers.CharField())

    def get_client(self, event: UsageEvent) -> str | None:
        """The client's slug; null: Unattributed."""
        return event.client or None

    def get_total_tokens(self, event: UsageEvent) -> int:
        """Input and output."""
        return event.input_tokens + event.output_tokens

    def get_currency(self, event: UsageEvent) -> str:
        """Of cost and price."""
        return "USD"

    @extend_schema_field(LineSerializer(many=True))
    def get_lines(self, event: UsageEvent) -> list[dict[str, Any]]:
        """Count × unit price = amount."""
        return [dict(zip(LINE, line, strict=True)) for line in event.lines]

    @extend_schema_field(EventKeySerializer)
    def get_api_key(self, event: UsageEvent) -> dict[str, str]:
        """By the name that it had."""
        return {"id": str(event.key_id), "name": event.key_name}


class SumsSerializer(serializers.Serializer[Any]):
    """What calls add up to; the unpriced ones add nothing to the cost."""

    calls = serializers.IntegerField()
    provider_errors = serializers.IntegerField(source="errors")
    unpriced = serializers.IntegerField()
    estimated = serializers.IntegerField()
    input_tokens = serializers.IntegerField()
    cache_read_tokens = serializers.IntegerField()
    cache_write_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    reasoning_tokens = serializers.IntegerField()
    tokens = serializers.IntegerField()
    cost_usd = Dollars(source="cost")


class PeriodSerializer(serializers.Serializer[Any]):
    """Whole days of a time zone, and the instants (UTC) from `start` up to `end` that they span."""

    first_day = serializers.DateField()
    last_day = serializers.DateField()
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    timezone = serializers.CharField()


def period_data(workspace: Workspace, period: Period) -> dict[str, Any]:
    """A period of a workspace, as PeriodSerializer describes it."""
    start, end = period.bounds(clock.zone(workspace))
    days = {"first_day": period.first, "last_day": period.last}
    data: dict[str, Any] = PeriodSerializer({**days, "start": start, "end": end, "timezone": workspace.timezone}).data
    return data
