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
    ],
)
def test_wrong_call_is_refused(gateway: Running, change: dict[str, Any]) -> None:
    status, answer = tell(gateway, CALL | change)
    assert status == 400
    assert answer["error"]["message"]
    assert gateway.records("result") == []
