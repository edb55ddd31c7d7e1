"""Rows for COPY: every column in its place, and every text as it was, whatever it holds."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from metering.recording.batch import MALFORMED
from metering.recording.rows import COLUMNS, moment, row, text
from tests.spooled import NOON, intent, result

WORKSPACE = "01990000-0000-7000-8000-00000000000a"


def columns(line: str) -> dict[str, str]:
    assert line.endswith("\n")
    return dict(zip(COLUMNS.split(", "), line[:-1].split("\t"), strict=True))


def test_every_column_has_its_value() -> None:
    called = intent(WORKSPACE, id="01990000-0000-7000-8000-00000000000b", client="acme", stream=True)
    assert columns(row(result(called, flags=["usage_clamped"], provider_cost=700_000))) == {
        "id": "01990000-0000-7000-8000-00000000000b",
        "admitted_at": "2026-06-23 12:00:00.000000Z",
        "workspace_id": WORKSPACE,
        "day": "2026-06-23",
        "client": "acme",
        "key_id": "01990000-0000-7000-8000-000000000001",
        "key_name": "production",
        "credential_id": "\\N",
        "provider": "openai",
        "model": "gpt-4.1-mini",
        "requested_model": "gpt-4.1-mini",
        "endpoint": "chat.completions",
        "stream": "1",
        "test": "0",
        "source": "proxy",
        "status": "ok",
        "http_status": "200",
        "estimated": "0",
        "flags": '["usage_clamped"]',
        "input_tokens": "1000",
        "cache_read_tokens": "300",
        "cache_write_tokens": "0",
        "output_tokens": "200",
        "reasoning_tokens": "40",
        "usage": '{"input_tokens":1000,"output_tokens":200,"cache_read_tokens":300,"reasoning_tokens":40}',
        "cost": "720000",
        "cost_source": "catalogue",
        "price_version": "genai-prices 0.2.3",
        "lines": '[["input_tokens",1000,"0.0000004","0.0004"],["output_tokens",200,"0.0000016","0.00032"]]',
        "provider_cost": "700000",
        "latency_ms": "690",
        "first_byte_ms": "240",
        "tags": '{"client":"acme","project":"chatbot"}',
        "basis": "{}",
    }


def test_an_unknown_cost_is_null_and_not_zero() -> None:
    assert columns(row(result(intent(WORKSPACE), cost=None)))["cost"] == "\\N"
    assert columns(row(result(intent(WORKSPACE), cost=0)))["cost"] == "0"


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
        {"at": 2**63 - 1},
        {"key_name": 7},
        {"estimated": "no"},
    ],
)
def test_what_is_no_result_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(MALFORMED):
        row(result(intent(WORKSPACE), **change))


def test_a_result_that_lacks_something_is_refused() -> None:
    for name in result(intent(WORKSPACE)):
        if name in ("kind", "price_version"):
            continue
        cut = result(intent(WORKSPACE))
        del cut[name]
        with pytest.raises(KeyError):
            row(cut)


anything = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@pytest.mark.django_db
def test_any_text_comes_back_as_it_was() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE said (plain text, number int)")

        @given(anything)
        def comes_back(value: str) -> None:
            with cursor.copy("COPY said FROM STDIN") as copy:
                copy.write(f"{text(value)}\t1\n")
            cursor.execute("DELETE FROM said RETURNING plain")
            assert cursor.fetchall() == [(value,)]

        comes_back()
