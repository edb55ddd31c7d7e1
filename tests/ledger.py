"""Events in the ledger with their rollups, as the recorder leaves them."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection

from metering.ledger import UsageEvent
from metering.partitions import make_partitions
from tokonomics.ids import new_id
from tokonomics.models import Workspace

KEY = UUID("01990000-0000-7000-8000-000000000001")
NOON = datetime(2026, 6, 23, 12, 0, tzinfo=UTC)
TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
SUMS = ("calls", "errors", "unpriced", "estimated", *TOKENS, "cost")


def event(workspace: Workspace, **fields: Any) -> UsageEvent:
    """An unsaved call: 1,000 + 200 tokens of gpt-4.1-mini for acme-corp on 23 June 2026 at noon UTC."""
    moment = fields.get("admitted_at", NOON)
    usage = {"input_tokens": 1000, "output_tokens": 200}
    usage |= {name: value for name, value in fields.items() if name.endswith("_tokens")}
    client = fields.get("client", "acme-corp")
    values: dict[str, Any] = {
        "id": new_id(),
        "workspace_id": workspace.id,
        "admitted_at": moment,
        "day": moment.astimezone(ZoneInfo(workspace.timezone)).date(),
        "client": client,
        "key_id": KEY,
        "key_name": "production",
        "credential_id": None,
        "provider": "openai",
        "model": "gpt-4.1-mini",
        "requested_model": fields.get("model", "gpt-4.1-mini"),
        "endpoint": "chat.completions",
        "stream": False,
        "test": False,
        "source": "proxy",
        "status": "ok",
        "http_status": 200,
        "estimated": False,
        "flags": [],
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "reasoning_tokens": 0,
        "usage": {name: value for name, value in usage.items() if value},
        "cost": 720_000,
        "cost_source": "catalogue",
        "price_version": "genai-prices 0.2.3",
        "lines": [
            ["input_tokens", 1000, "0.0000004", "0.0004"],
            ["output_tokens", 200, "0.0000016", "0.00032"],
        ],
        "provider_cost": None,
        "price": None,
        "latency_ms": 690,
        "first_byte_ms": 240,
        "tags": {"client": client} if client else {},
    }
    return UsageEvent(**values | usage | fields)


def record(*events: UsageEvent) -> list[UsageEvent]:
    """Save events, and add them to the rollups in step."""
    with connection.cursor() as cursor:
        make_partitions(cursor, {item.admitted_at.date() for item in events})
    UsageEvent.objects.bulk_create(events, batch_size=500)
    _roll_up("daily_usage", "client, provider, model, key_id", events, _usage_keys)
    _roll_up("daily_tag_usage", "tag_key, tag_value", events, lambda item: list(item.tags.items()))
    return list(events)


def _usage_keys(item: UsageEvent) -> list[tuple[Any, ...]]:
    return [(item.client, item.provider, item.model, item.key_id)]


def _roll_up(table: str, columns: str, events: tuple[UsageEvent, ...], keys: Any) -> None:
    sums: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * len(SUMS))
    last: dict[tuple[Any, ...], datetime] = {}
    for item in events:
        for values in keys(item):
            key = (item.workspace_id, item.day, *values)
            sums[key] = [total + part for total, part in zip(sums[key], _parts(item), strict=True)]
            last[key] = max(item.admitted_at, last.get(key, item.admitted_at))
    added = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in SUMS)
    marks = ", ".join(["%s"] * (2 + len(columns.split(", ")) + len(SUMS) + 1))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {table} (workspace_id, day, {columns}, {', '.join(SUMS)}, last_call_at) VALUES ({marks})"
            f" ON CONFLICT (workspace_id, day, {columns}) DO UPDATE SET {added},"
            f" last_call_at = greatest({table}.last_call_at, excluded.last_call_at)",
            [(*key, *sums[key], last[key]) for key in sorted(sums, key=str)],
        )


def _parts(item: UsageEvent) -> list[int]:
    tokens = [getattr(item, name) for name in TOKENS]
    unpriced, cost = int(item.cost is None), item.cost or 0
    return [1, int(item.status == "provider_error"), unpriced, int(item.estimated), *tokens, cost]
