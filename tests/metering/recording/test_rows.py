"""Rows for COPY: every column in its place, and every text as it was, whatever it holds."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.recording.batch import MALFORMED
from metering.recording.facts import facts_of
from metering.recording.rows import COLUMNS, moment, row
from tests.spooled import NOON, intent, result

WORKSPACE = "01990000-0000-7000-8000-00000000000a"


def fields(written: bytes) -> Iterator[bytes | None]:
    """The values of one row of PostgreSQL's binary COPY format."""
    (count,), at = struct.unpack_from(">h", written), 2
    for _ in range(count):
        (length,), at = struct.unpack_from(">i", written, at), at + 4
        yield None if length < 0 else written[at : at + length]
        at += max(0, length)
    assert at == len(written)


def columns(result: dict[str, Any]) -> dict[str, bytes | None]:
    return dict(zip(COLUMNS.split(", "), fields(row(facts_of(result), result)), strict=True))


def number(value: bytes | None) -> int | None:
    return None if value is None else int.from_bytes(value, "big", signed=True)


def document(value: bytes | None) -> Any:
    assert value
    assert value[0] == 1
    return json.loads(value[1:])


def test_every_column_has_its_value() -> None:
    called = intent(WORKSPACE, id="01990000-0000-7000-8000-00000000000b", client="acme", stream=True)
    told = result(called, flags=["usage_clamped"], provider_cost=700_000, basis={"context": [["speed", "fast"]]})
    found = columns(told)
    identifiers = {"id": called["id"], "workspace_id": WORKSPACE, "key_id": "01990000-0000-7000-8000-000000000001"}
    texts = {
        "client": b"acme",
        "key_name": b"production",
        "credential_id": None,
        "provider": b"openai",
        "model": b"gpt-4.1-mini",
        "requested_model": b"gpt-4.1-mini",
        "endpoint": b"chat.completions",
        "source": b"proxy",
        "status": b"ok",
        "cost_source": b"catalogue",
        "price_version": b"genai-prices 0.2.3",
        "stream": b"\1",
        "test": b"\0",
        "estimated": b"\0",
    }
    # The widths of smallint, integer and bigint, as PostgreSQL insists on them.
    numbers = {
        "admitted_at": (8, NOON - 946_684_800_000_000),
        "day": (4, (date(2026, 6, 23) - date(2000, 1, 1)) // timedelta(days=1)),
        "http_status": (2, 200),
        "input_tokens": (8, 1000),
        "cache_read_tokens": (8, 300),
        "cache_write_tokens": (8, 0),
        "output_tokens": (8, 200),
        "reasoning_tokens": (8, 40),
        "cost": (8, 720_000),
        "provider_cost": (8, 700_000),
        "latency_ms": (4, 690),
        "first_byte_ms": (4, 240),
    }
    documents = {name: told[name] for name in ("flags", "usage", "lines", "tags", "basis")}
    assert {name: str(UUID(bytes=found[name])) for name in identifiers} == identifiers
    assert {name: found[name] for name in texts} == texts
    assert {name: (len(found[name] or b""), number(found[name])) for name in numbers} == numbers
    assert {name: document(found[name]) for name in documents} == documents
    assert found.keys() == {*identifiers, *texts, *numbers, *documents}


def test_an_unknown_cost_is_null_and_not_zero() -> None:
    assert columns(result(intent(WORKSPACE), cost=None))["cost"] is None
    assert number(columns(result(intent(WORKSPACE), cost=0))["cost"]) == 0


def test_moments_keep_their_microseconds() -> None:
    assert moment(NOON + 1) == "2026-06-23 12:00:00.000001Z"
    assert moment(-1) == "1969-12-31 23:59:59.999999Z"


@pytest.mark.parametrize(
    "change",
    [
        {"usage": {"input_tokens": "many"}},
        {"usage": []},
        {"latency_ms": 1.5},
        {"cost": "0.1"},
        {"at": None},
        {"at": "noon"},
        {"id": "0199"},
        {"workspace": "nobody's"},
        {"tags": {"run": 7}},
        {"day": "2026-02-30"},
        {"http_status": 70_000},
        {"latency_ms": 2**31},
        {"usage": {"input_tokens": 2**63}},
        {"key_name": 7},
        {"estimated": "no"},
    ],
)
def test_what_is_no_result_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(MALFORMED):
        columns(result(intent(WORKSPACE), **change))


def test_a_result_that_lacks_something_is_refused() -> None:
    for name in result(intent(WORKSPACE)):
        if name in ("kind", "price_version"):
            continue
        cut = result(intent(WORKSPACE))
        del cut[name]
        with pytest.raises(KeyError):
            columns(cut)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_any_text_stays_as_it_was(value: str) -> None:
    said = columns(result(intent(WORKSPACE, client=value, model=value, tags={"said": value}), cost_source=value))
    assert {said[name] for name in ("client", "model", "requested_model", "cost_source")} == {value.encode()}
    assert document(said["tags"]) == {"said": value}
