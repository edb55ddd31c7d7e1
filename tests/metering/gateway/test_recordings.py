"""Recorded answers of three providers through a running gateway: the same bytes, one event, its usage and cost."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import orjson
import pytest

from billing.catalogue import charge_reading
from metering.usage import Part, Reading, Usage
from tests.metering.gateway.conftest import CATALOGUE, Running
from tests.metering.test_recordings import CASES, PATHS, USAGE_KNOWN, counts
from tests.upstreams.provider import Answer, Provider, Received

FIRST = ("openai", "anthropic", "google")
MINE = [case for case in CASES if case.values[0]["provider"] in FIRST]
pytestmark = pytest.mark.skipif(not MINE, reason="no recordings: set TOKONOMICS_RECORDINGS")


@pytest.fixture(scope="module")
def shared(module_start: Any) -> tuple[Running, Provider]:
    """One gateway and one provider for all recordings."""
    provider = Provider(lambda received: Answer())
    return module_start(dict.fromkeys(FIRST, provider.url)), provider


def ask(gateway: Running, recording: dict[str, Any]) -> Any:
    """Send the recorded request, or one like it where only the answer is kept."""
    request = recording["request"] or {"path": PATHS[recording["endpoint_kind"]], "query": "", "body": None}
    model = recording["expected"]["request_model"] or recording["expected"]["model"] or "unknown"
    path = request["path"].replace("/models/m:", f"/models/{model}:")
    asked = {"model": model, "stream": recording["stream"], "stream_options": {"include_usage": True}}
    body = (request.get("body_text") or "").encode() or orjson.dumps(request["body"] or asked)
    if recording["stream"] and path.endswith(":generateContent"):
        path = path.replace(":generateContent", ":streamGenerateContent") + "?alt=sse"
    query = f"?{request['query']}" if request["query"] and "?" not in path else ""
    return gateway.call(f"/proxy/{recording['provider']}{path}{query}", body, content_type=_type(request))


def _type(request: dict[str, Any]) -> str:
    return str((request.get("headers") or {}).get("content-type", "application/json"))


def answer_of(recording: dict[str, Any]) -> Answer:
    """The recorded answer, a stream in its events."""
    response = recording["response"]
    body = response["body"].encode()
    headers = {"content-type": response["headers"].get("content-type", "application/json")}
    if recording["stream"]:
        size = max(1, len(body) // 7)
        return Answer(response["status"], headers, chunks=[body[at : at + size] for at in range(0, len(body), size)])
    return Answer(response["status"], headers, body)


def expected_cost(recording: dict[str, Any], event: dict[str, Any]) -> int | None:
    """What the catalogue says to the expected usage at the moment of the event."""
    expected = recording["expected"]
    parts = tuple(Part(part["model"], _usage(part["usage"])) for part in expected["extra"].get("parts", ()))
    reading = Reading(
        _usage(expected["usage"]),
        model=expected["response_model"] or "",
        parts=parts,
        service_tier=expected["service_tier"] or "",
        context=tuple(
            (name, value) for name, value in event_context(expected) if name not in ("service_tier", "processing")
        ),
    )
    moment = dt.datetime.fromtimestamp(event["at"] / 1e6, dt.UTC)
    charge = charge_reading(CATALOGUE, recording["provider"], reading, event["requested_model"], moment)
    return charge.cost if charge else None


def event_context(expected: dict[str, Any]) -> list[tuple[str, str]]:
    """What else the price depends on."""
    cost = expected.get("cost") or {}
    return list((cost.get("price_context") or {}).items())


def _usage(usage: dict[str, Any]) -> Usage:
    return Usage.from_counts(counts(usage))


@pytest.mark.parametrize("recording", MINE)
def test_recording_becomes_one_exact_event(shared: tuple[Running, Provider], recording: dict[str, Any]) -> None:
    gateway, provider = shared
    received: list[Received] = []

    def reply(request: Received) -> Answer:
        received.append(request)
        return answer_of(recording)

    provider.answer = reply
    answer = ask(gateway, recording)
    expected = recording["expected"]
    body = recording["response"]["body"].encode()
    assert (answer.status, answer.read()) == (recording["response"]["status"], body)
    identifier = answer.headers["x-metering-event-id"]
    [event] = gateway.wait(lambda: [row for row in gateway.records("result") if row["id"] == identifier])
    assert len(received) == 1
    if recording["response"]["status"] >= 400:
        assert (event["status"], event["cost"], event["usage"]) == ("provider_error", 0, {})
    elif not expected["usage_present"]:
        assert event["estimated"] or event["cost_source"] == "free" or event["cost"] is None
    elif recording["id"] not in USAGE_KNOWN:
        assert event["usage"] == counts(expected["usage"])
        assert (event["estimated"], event["cost"]) == (False, expected_cost(recording, event))
    assert json.dumps(event["tags"]) == "{}"
