"""Recorded answers of Bedrock and Vertex AI, replayed to a running gateway: the same bytes, one event, its cost."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from billing.catalogue import charge_reading
from metering import providers
from metering.usage import Reading, Usage
from tests.metering.gateway.accounts import connect
from tests.metering.gateway.conftest import CATALOGUE, Running
from tests.metering.test_recordings import FOLDER, counts
from tests.metering.test_recordings_bedrock_vertex import CASES, SLUGS, body_of, route_of

REPLAY = FOLDER / "replay.py"
pytestmark = pytest.mark.skipif(
    not CASES or not REPLAY.exists(), reason=f"no recordings in {FOLDER}: set TOKONOMICS_RECORDINGS"
)


@contextlib.contextmanager
def replaying(*options: str) -> Iterator[str]:
    """The recordings' own provider, by its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(REPLAY), str(port), str(FOLDER / "dev"), *options])
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.2):
                break
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def shared(module_start: Any) -> Iterator[tuple[Running, str]]:
    """One gateway for all recordings; each has an account of its own, at its own address."""
    with replaying("--chunk", "211") as url:
        yield module_start({"bedrock": url, "vertex": url}), url


def ask(gateway: Running, url: str, recording: dict[str, Any]) -> http.client.HTTPResponse:
    """Send the recorded request, or one like it, by way of an account whose address is this recording's."""
    slug = SLUGS[recording["provider"]]
    connect(gateway, slug, f"{url}/{recording['id']}")
    request = recording["request"] or {"path": route_of(recording)[1].path, "query": "", "body": None}
    body = (request.get("body_text") or "").encode() or orjson.dumps(request["body"] or {"messages": []})
    query = f"?{request['query']}" if request["query"] else ""
    return gateway.call(f"/proxy/{slug}{request['path']}{query}", body, content_type="application/json")


def expected_cost(recording: dict[str, Any], event: dict[str, Any]) -> int | None:
    """What the catalogue says to the expected usage at the moment of the event."""
    expected = recording["expected"]
    provider = providers.PROVIDERS[SLUGS[recording["provider"]]]
    tier = str(expected["service_tier"] or "")
    reading = Reading(
        Usage.from_counts(counts(expected["usage"])),
        model=expected["response_model"] or "",
        service_tier="" if tier == "1" else tier,
    )
    other = event["requested_model"]
    if provider.priced_as_asked:
        reading, other = reading.as_asked(other), reading.model
    moment = dt.datetime.fromtimestamp(event["at"] / 1e6, dt.UTC)
    charge = charge_reading(CATALOGUE, provider.catalogue, reading, other, moment)
    return charge.cost if charge else None


@pytest.mark.parametrize("recording", CASES)
def test_a_recording_becomes_one_exact_event(shared: tuple[Running, str], recording: dict[str, Any]) -> None:
    gateway, url = shared
    answer = ask(gateway, url, recording)
    expected, status = recording["expected"], recording["response"]["status"]
    assert (answer.status, answer.read()) == (status, body_of(recording))
    for name in ("x-amzn-errortype", "x-amzn-requestid", "content-type"):
        assert answer.headers[name] == recording["response"]["headers"].get(name)
    identifier = answer.headers["x-metering-event-id"]
    [event] = gateway.wait(lambda: [row for row in gateway.records("result") if row["id"] == identifier])
    if event["requested_model"] and expected["request_model"]:
        assert event["requested_model"] == expected["request_model"]
        assert event["model"] == expected["model"]
    if status >= 400:
        assert (event["status"], event["cost"], event["usage"]) == ("provider_error", 0, {})
    elif not expected["usage_present"]:
        assert event["estimated"] or event["cost_source"] == "free"
    else:
        assert event["usage"] == counts(expected["usage"])
        assert (event["status"], event["estimated"], event["flags"]) == ("ok", False, [])
        assert event["cost"] == expected_cost(recording, event)


def test_what_was_sent_carries_the_stored_key_alone(shared: tuple[Running, str]) -> None:
    gateway, url = shared
    recording = next(case.values[0] for case in CASES if case.values[0]["request"])
    answer = ask(gateway, url, recording)
    answer.read()
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    connection.request("GET", "/__log")
    log = [json.loads(line) for line in connection.getresponse().read().splitlines()]
    connection.close()
    sent = log[-1]["headers"]
    assert sent["authorization"] == "Bearer sk-stored-secret"
    assert gateway.key not in json.dumps(log[-1])
