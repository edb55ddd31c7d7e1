"""Calls made elsewhere and told to the ledger by POST /proxy/usage."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.metering.gateway.conftest import Running

CALL: dict[str, Any] = {"model": "gpt-4o-mini", "input_tokens": 1000, "output_tokens": 100}


def tell(gateway: Running, document: Any, **headers: str) -> Any:
    answer = gateway.call("/proxy/usage", orjson.dumps(document), **headers)
    return answer.status, orjson.loads(answer.read())


def test_told_call_is_priced_and_recorded(gateway: Running) -> None:
    status, answer = tell(gateway, CALL, x_metering_tags='{"client":"acme-corp"}')
    [event] = gateway.records("result")
    assert (status, answer["event_id"], answer["cost_usd"]) == (200, event["id"], "0.00021")
    assert (event["provider"], event["model"], event["client"]) == ("openai", "gpt-4o-mini", "acme-corp")
    assert event["usage"] == {"input_tokens": 1000, "output_tokens": 100}
    assert (event["source"], event["endpoint"], event["cost"]) == ("api", "usage", 210_000)


def test_told_cost_and_source_are_kept(gateway: Running) -> None:
    document = {
        **CALL,
        "model": "anthropic/claude-9",
        "cost_usd": 0.0042,
        "source": "n8n",
        "tags": {"client": "globex"},
    }
    tell(gateway, document, x_metering_tags='{"client":"acme-corp"}')
    [event] = gateway.records("result")
    assert (event["provider"], event["model"], event["client"]) == ("anthropic", "claude-9", "globex")
    assert (event["cost"], event["cost_source"], event["source"], event["lines"]) == (4_200_000, "declared", "n8n", [])


def test_unknown_model_is_unpriced(gateway: Running) -> None:
    _, answer = tell(gateway, {**CALL, "model": "house-model"})
    assert answer["cost_usd"] is None
    assert gateway.records("result")[0]["provider"] == "other"


def test_same_event_id_is_the_same_event(gateway: Running) -> None:
    first, second = (tell(gateway, {**CALL, "event_id": "run-17"})[1]["event_id"] for _ in range(2))
    assert first == second
    given = "0190a3c4-0000-7000-8000-000000000001"
    assert tell(gateway, {**CALL, "event_id": given})[1]["event_id"] == given


@pytest.mark.parametrize(
    "change",
    [
        {"model": ""},
        {"model": 7},
        {"input_tokens": -1},
        {"input_tokens": 1.5},
        {"input_tokens": True},
        {"output_tokens": None},
        {"output_tokens": 2**31},
        {"cost_usd": -1},
        {"cost_usd": "a lot"},
        {"cost_usd": "NaN"},
        {"cost_usd": True},
        {"source": "proxy"},
        {"source": "x" * 65},
        {"event_id": 5},
        {"price": 1},
        {"tags": []},
        {"tags": {"a": {}}},
        {"tags": {"a": "\x00"}},
        {"tags": {f"k{number}": "v" * 256 for number in range(20)}},
    ],
)
def test_wrong_call_is_refused(gateway: Running, change: dict[str, Any]) -> None:
    status, answer = tell(gateway, CALL | change)
    assert status == 400
    assert answer["error"]["message"]
    assert gateway.records("result") == []


@pytest.mark.parametrize(
    ("member", "code"),
    [
        (b'"tags":{"a":"1","a":"2"}', b"invalid_tags"),
        (b'"tags":{"a":1e999}', b"invalid_tags"),
        (b'"tags":{"a":"\\ud800"}', b"invalid_tags"),
        (b'"model":"other"', b"invalid_request"),
        (b'"cost_usd":NaN', b"invalid_request"),
        (b'"cost_usd":1e999999999', b"invalid_request"),
        (b'"\\ud800":1', b"invalid_request"),
    ],
)
def test_what_a_reader_of_json_may_lose_is_refused(gateway: Running, member: bytes, code: bytes) -> None:
    answer = gateway.call("/proxy/usage", orjson.dumps(CALL)[:-1] + b"," + member + b"}")
    assert (answer.status, answer.headers["x-metering-error"].encode()) == (400, code)
    assert gateway.records("result") == []


def test_numbers_of_tags_are_kept_as_they_were_written(gateway: Running) -> None:
    written = b'"tags":{"a":1.50,"b":12345678901234567890123,"c":true,"d":-3e5}'
    gateway.call("/proxy/usage", orjson.dumps(CALL)[:-1] + b"," + written + b"}")
    [event] = gateway.records("result")
    assert event["tags"] == {"a": "1.50", "b": "12345678901234567890123", "c": "true", "d": "-3e5"}


def test_null_is_a_field_that_was_not_given(gateway: Running) -> None:
    left_out = {"cost_usd": None, "source": None, "event_id": None, "tags": None}
    status, answer = tell(gateway, CALL | left_out, x_metering_tags='{"client":"acme-corp"}')
    [event] = gateway.records("result")
    assert (status, answer["cost_usd"], event["source"], event["client"]) == (200, "0.00021", "api", "acme-corp")
