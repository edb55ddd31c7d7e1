"""A result of the spool as a row of `usage_event`, in PostgreSQL's binary COPY format. Pure."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from metering.recording import facts as common
from metering.recording.binary import EPOCH, bigint, day, integer, jsonb, plain, sixteen
from metering.recording.facts import Facts

COLUMNS = (
    f"{common.COLUMNS}, id, admitted_at, http_status, estimated, input_tokens, cache_read_tokens, "
    "cache_write_tokens, output_tokens, reasoning_tokens, latency_ms, stream, day, model, requested_model, source, "
    "status, cost_source, price_version, cost, provider_cost, first_byte_ms, flags, usage, lines, basis"
)
"""The order of a row's columns; `price` is left to its default, which is null."""

BEGINNING = struct.pack(">h", COLUMNS.count(",") + 1)
NUMBERS = struct.Struct(">i16s iq ih iB iq iq iq iq iq ii iB")
"""`id` to `stream`: each value with its length before it."""

NO_FLAGS = jsonb([])
NO_BASIS = jsonb({})


def row(facts: Facts, event: dict[str, Any]) -> bytes:
    """The row of a result, of which `event` holds all that is not in its facts. PostgreSQL checks what it says.

    Raises KeyError, TypeError, ValueError, AttributeError, OverflowError or struct.error for what is no result.
    """
    usage = event["usage"]
    count = usage.get
    # fmt: off
    numbers = NUMBERS.pack(
        16, sixteen(event["id"]), 8, event["at"] - EPOCH, 2, event["http_status"], 1, event["estimated"],
        8, count("input_tokens", 0), 8, count("cache_read_tokens", 0), 8, count("cache_write_tokens", 0),
        8, count("output_tokens", 0), 8, count("reasoning_tokens", 0), 4, event["latency_ms"], 1, event["stream"],
    )
    # fmt: on
    names = _names(
        event["model"],
        event["requested_model"],
        event["source"],
        event["status"],
        event["cost_source"],
        event["price_version"],
    )
    flags, basis = event["flags"], event.get("basis")
    return b"".join(
        (
            BEGINNING,
            facts.columns,
            numbers,
            day(event["day"]),
            names,
            bigint(event["cost"]),
            bigint(event["provider_cost"]),
            integer(event["first_byte_ms"]),
            NO_FLAGS if flags == [] else jsonb(flags),
            jsonb(usage),
            jsonb(event["lines"]),
            jsonb(basis) if basis else NO_BASIS,
        )
    )


def moment(microseconds: int) -> str:
    """An instant, in microseconds since 1970, as PostgreSQL reads it."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{_second(seconds)}.{rest:06d}Z"


@lru_cache(maxsize=4096)
def _names(*values: str) -> bytes:
    """Texts that mostly come together."""
    return b"".join(map(plain, values))


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
