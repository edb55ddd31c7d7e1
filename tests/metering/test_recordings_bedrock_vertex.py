"""Every recorded answer of Bedrock and Vertex AI, by its own path and in any pieces, to the counts and the cost."""

from __future__ import annotations

import base64
import datetime as dt
import json
import random
from decimal import Decimal
from typing import Any

import pytest

from billing.catalogue import Catalogue, charge_reading
from billing.money import to_nano
from metering import providers
from metering.answers import StreamAnswer, read_body
from metering.providers.base import Provider, Route
from metering.usage import Reading
from tests.metering.test_recordings import FOLDER, counts, in_chunks

CATALOGUE = Catalogue()
SLUGS = {"aws": "bedrock", "vertex": "vertex"}
UNASKED = {"bedrock-converse": "/model/m/converse", "bedrock-invoke": "/model/m/invoke"}
TRAFFIC = {"1": "ON_DEMAND"}
"""Vertex AI's kind of traffic as a number, which we name."""

CASES: list[Any] = [
    pytest.param(json.loads(file.read_text()), id=file.stem)
    for folder in SLUGS
    for file in sorted(FOLDER.glob(f"dev/{folder}/*.json"))
]
pytestmark = pytest.mark.skipif(not CASES, reason=f"no recordings in {FOLDER}: set TOKONOMICS_RECORDINGS")


def body_of(recording: dict[str, Any]) -> bytes:
    response = recording["response"]
    body: str = response["body"]
    return base64.b64decode(body) if response["body_encoding"] == "base64" else body.encode()


def headers_of(recording: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in recording["response"]["headers"].items()]


def route_of(recording: dict[str, Any]) -> tuple[Provider, Route]:
    provider = providers.PROVIDERS[SLUGS[recording["provider"]]]
    request = recording["request"]
    path = request["path"] if request else UNASKED[recording["endpoint_kind"]]
    route = provider.route("POST", path)
    assert route is not None, path
    assert route.path == path
    return provider, route


def read(recording: dict[str, Any]) -> Reading:
    _, route = route_of(recording)
    body = body_of(recording)
    if not recording["stream"]:
        return read_body(route.endpoint.reader(), body, headers_of(recording))
    dice = random.Random(recording["id"])
    whole = in_chunks(route, body, iter([len(body)]))
    assert in_chunks(route, body, iter(lambda: 1, 0)) == whole
    assert in_chunks(route, body, iter(lambda: dice.randint(1, 3000), 0)) == whole
    by_head = StreamAnswer(route.endpoint.reader(), headers_of(recording))
    assert by_head.feed(body) == body
    assert by_head.finish() == whole[0]
    return whole[0]


def moment_of(recording: dict[str, Any]) -> dt.datetime:
    at = (recording["expected"].get("cost") or {}).get("priced_at")
    return dt.datetime.fromisoformat(at) if at else dt.datetime(2026, 11, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize("recording", CASES)
def test_an_answer_is_read_as_expected(recording: dict[str, Any]) -> None:
    expected = recording["expected"]
    reading = read(recording)
    if recording["response"]["status"] != 200:
        assert reading.usage is None
        return
    assert reading.model == (expected["response_model"] or "")
    found = None if reading.usage is None else reading.usage.counts()
    free = route_of(recording)[1].endpoint.free
    assert free or found == (counts(expected["usage"]) if expected["usage_present"] else None)
    tier = str(expected["service_tier"] or "")
    assert reading.service_tier == TRAFFIC.get(tier, tier)
    assert (reading.flags, reading.error) == ((), "")


@pytest.mark.parametrize("recording", CASES)
def test_the_model_is_the_one_in_the_path(recording: dict[str, Any]) -> None:
    asked = recording["expected"]["request_model"]
    route = route_of(recording)[1]
    if asked and route.model:
        assert route.model == asked


@pytest.mark.parametrize(
    "recording", [case for case in CASES if (case.values[0]["expected"].get("cost") or {}).get("total_usd")]
)
def test_an_answer_costs_what_is_expected(recording: dict[str, Any]) -> None:
    provider, route = route_of(recording)
    asked = route.model or recording["expected"]["request_model"]
    reading, other = read(recording), asked
    if provider.priced_as_asked:
        reading, other = reading.as_asked(asked), reading.model
    charge = charge_reading(CATALOGUE, provider.catalogue, reading, other, moment_of(recording))
    assert charge is not None
    assert charge.cost == to_nano(Decimal(recording["expected"]["cost"]["total_usd"]))
