"""A result of the spool as a row of `usage_event`, in PostgreSQL's COPY text format. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

COLUMNS = (
    "id, admitted_at, workspace_id, day, client, key_id, key_name, credential_id, provider, model, requested_model, "
    "endpoint, stream, test, source, status, http_status, estimated, flags, input_tokens, cache_read_tokens, "
    "cache_write_tokens, output_tokens, reasoning_tokens, usage, cost, cost_source, price_version, lines, "
    "provider_cost, latency_ms, first_byte_ms, tags, basis"
)
"""The order of a row's columns; `price` is left to its default, which is null."""

NULL = "\\N"
NOTHING: dict[str, Any] = {}
ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def row(result: dict[str, Any]) -> str:
    """A result as one line of COPY, newline included; its ranges are left for PostgreSQL to check.

    Raises KeyError, TypeError, ValueError, OverflowError or AttributeError for a result that is not one.
    """
    usage = result["usage"]
    credential = result["credential"]
    return (
        f"{result['id']}\t{moment(result['at'])}\t{result['workspace']}\t{result['day']}\t{text(result['client'])}\t"
        f"{result['key']}\t{text(result['key_name'])}\t{NULL if credential is None else credential}\t"
        f"{text(result['provider'])}\t{text(result['model'])}\t{text(result['requested_model'])}\t"
        f"{text(result['endpoint'])}\t{result['stream']:d}\t{result['test']:d}\t{text(result['source'])}\t"
        f"{text(result['status'])}\t{result['http_status']:d}\t{result['estimated']:d}\t{_json(result['flags'])}\t"
        f"{usage.get('input_tokens', 0):d}\t{usage.get('cache_read_tokens', 0):d}\t"
        f"{usage.get('cache_write_tokens', 0):d}\t{usage.get('output_tokens', 0):d}\t"
        f"{usage.get('reasoning_tokens', 0):d}\t{_json(usage)}\t{_number(result['cost'])}\t"
        f"{text(result['cost_source'])}\t{text(result['price_version'])}\t{_json(result['lines'])}\t"
        f"{_number(result['provider_cost'])}\t{result['latency_ms']:d}\t{_number(result['first_byte_ms'])}\t"
        f"{_json(result['tags'])}\t{_json(result.get('basis', NOTHING))}\n"
    )


def moment(microseconds: int) -> str:
    """An instant, in microseconds since 1970, as PostgreSQL reads it."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{_second(seconds)}.{rest:06d}Z"


@lru_cache(maxsize=16_384)
def text(value: str) -> str:
    """A text as COPY reads it; the same few names come again and again."""
    return value if value.isprintable() and "\\" not in value else value.translate(ESCAPED)


def _number(value: int | None) -> str:
    return NULL if value is None else f"{value:d}"


def _json(value: Any) -> str:
    written = orjson.dumps(value).decode()
    return written.replace("\\", "\\\\") if "\\" in written else written


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
