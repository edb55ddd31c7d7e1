"""Spool files as gateways leave them, and a recorder that reads them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.db import connection

from metering.recorder import Recorder
from metering.records import encode
from metering.spooling import lock_path, segment_path
from tokonomics.embedded import locks
from tokonomics.ids import new_id
from tokonomics.models import Workspace

KEY = "01990000-0000-7000-8000-000000000001"
NOON = int(datetime(2026, 6, 23, 12, 0, tzinfo=UTC).timestamp()) * 1_000_000
"""Microseconds since 1970, as in a record's `at`."""

Record = dict[str, Any]
TABLES = ("usage_event", "daily_usage", "daily_tag_usage", "daily_refusals", "metering_client")


def intent(workspace: Workspace | UUID | str, **fields: Any) -> Record:
    """A call that was let in: gpt-4.1-mini for acme-corp, on 23 June 2026 at noon UTC."""
    at = fields.get("at", NOON)
    client = fields.get("client", "acme-corp")
    return {
        "kind": "intent",
        "id": str(new_id()),
        "at": at,
        "workspace": str(workspace.pk) if isinstance(workspace, Workspace) else str(workspace),
        "day": str(date(1970, 1, 1) + timedelta(microseconds=at)),
        "client": client,
        "key": KEY,
        "key_name": "production",
        "credential": None,
        "provider": "openai",
        "model": "gpt-4.1-mini",
        "endpoint": "chat.completions",
        "stream": False,
        "tags": {"client": client, "project": "chatbot"},
        "test": False,
        "estimate": {"input_tokens": 250, "cost": 100_000},
    } | fields


def result(called: Record, **fields: Any) -> Record:
    """What came of a call: 1,000 + 200 tokens for 720,000 nano-USD, unless said otherwise."""
    facts = {name: value for name, value in called.items() if name != "estimate"}
    return (
        facts
        | {
            "kind": "result",
            "requested_model": called["model"],
            "status": "ok",
            "http_status": 200,
            "estimated": False,
            "usage": {"input_tokens": 1000, "output_tokens": 200, "cache_read_tokens": 300, "reasoning_tokens": 40},
            "cost": 720_000,
            "cost_source": "catalogue",
            "price_version": "genai-prices 0.2.3",
            "lines": [["input_tokens", 1000, "0.0000004", "0.0004"], ["output_tokens", 200, "0.0000016", "0.00032"]],
            "provider_cost": None,
            "latency_ms": 690,
            "first_byte_ms": 240,
            "flags": [],
            "source": "proxy",
        }
        | fields
    )


def refusals(*counts: list[Any]) -> Record:
    """Refused calls: [workspace, day, client, key, code, number] each."""
    return {"kind": "refusals", "counts": list(counts)}


class Process:
    """A gateway process that writes records, or raw lines, to its segments; it lives until kill()."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self.name = str(uuid4())
        self.lock = locks.take(lock_path(directory, self.name))

    def segment(self, number: int = 0) -> Path:
        """Where its n-th segment stands."""
        return segment_path(self.directory, self.name, number)

    def write(self, *records: Record | bytes, segment: int = 0) -> None:
        """Append to a segment."""
        with self.segment(segment).open("ab") as file:
            file.write(b"".join(line if isinstance(line, bytes) else encode(line) for line in records))

    def kill(self) -> None:
        """Its lock is freed, as the kernel does when a process ends in whatever way."""
        assert self.lock is not None
        os.close(self.lock)
        self.lock = None


def leave(directory: Path, *records: Record | bytes) -> Process:
    """Have a process write these and die."""
    process = Process(directory)
    process.write(*records)
    process.kill()
    return process


def parameters() -> dict[str, Any]:
    """How a recorder reaches the test's database."""
    found = connection.get_connection_params()
    return {name: value for name, value in found.items() if name not in ("cursor_factory", "context")}


def record(directory: Path, *, lines: int | None = None) -> Recorder:
    """Have a new recorder take all there is; `lines` bounds its first batches."""
    directory.mkdir(exist_ok=True)
    recorder = Recorder(directory, parameters())
    recorder.lines = lines or recorder.lines
    recorder.finish(60)
    return recorder


def rows(query: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
    """The answer to a query."""
    with connection.cursor() as cursor:
        cursor.execute(query, list(values))
        return list(cursor.fetchall())


def ledger() -> dict[str, list[tuple[Any, ...]]]:
    """All that the recorder has written, in a form that can be compared; ids of clients are left out."""
    columns = {"metering_client": "workspace_id, slug, name, confirmed_at"}
    return {name: sorted(rows(f"SELECT {columns.get(name, '*')} FROM {name}"), key=repr) for name in TABLES}


def totals() -> dict[str, tuple[int, int]]:
    """Calls and cost as the events, the rollup and each tag's rollup have them: all the same in a right ledger."""
    found = {
        "events": rows("SELECT count(*), coalesce(sum(cost), 0) FROM usage_event"),
        "daily_usage": rows("SELECT coalesce(sum(calls), 0), coalesce(sum(cost), 0) FROM daily_usage"),
    }
    for (tag,) in rows("SELECT DISTINCT tag_key FROM daily_tag_usage"):
        found[tag] = rows("SELECT sum(calls), sum(cost) FROM daily_tag_usage WHERE tag_key = %s", [tag])
    return {name: (int(calls), int(cost)) for name, [(calls, cost)] in found.items()}
