"""Every recorded answer, through the route of its call and the reader of its endpoint, to the counts that are known."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from metering import providers
from metering.answers import StreamAnswer, read_body
from metering.providers.base import Route
from metering.usage import Reading

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("TOKONOMICS_RECORDINGS", ROOT.parent / "shared" / "recordings"))

# The recordings' name of a provider → our slug, where they differ.
SLUGS = {"x-ai": "xai"}

# Bedrock and Vertex AI have tests of their own.
ELSEWHERE = {"aws", "vertex"}
PATHS = {
    "anthropic": "/v1/messages",
    "chat": "/chat/completions",
    "cohere.chat": "/v2/chat",
    "count_tokens": "/models/m:countTokens",
    "embeddings": "/embeddings",
    "gemini": "/models/m:generateContent",
    "gemini-embed": "/models/m:embedContent",
    "responses": "/responses",
}
RENAMED = {"cache_write_5m_tokens": "cache_write_5m", "cache_write_1h_tokens": "cache_write_1h"}

# What we know better than the recordings: a zero that was said stays zero, of counts and of costs, Voyage's rerank says
# its tokens, and with a key of the caller's own OpenRouter says what the maker charged.
USAGE_KNOWN = {"voyageai-embeddings-plain-c98b247c", "voyageai-rerank-plain-5ec6622a", "voyageai-rerank-plain-b0762c9b"}
COST_KNOWN = {"openrouter-chat-plain-bc9f1e40", "openrouter-chat-stream-35670edf"}

# Kept elsewhere, or not at all: what Cohere counts but does not bill.
BESIDE = {"provider_cost_usd", "unbilled_input_tokens"}


def recordings() -> list[Any]:
    """The recordings of all other providers, a case each."""
    cases = []
    for file in sorted(FOLDER.glob("dev/*/*.json")):
        folder = file.parent.name
        if folder not in ELSEWHERE:
            cases.append(pytest.param(json.loads(file.read_text()), id=file.stem))
    return cases


CASES = recordings()
pytestmark = pytest.mark.skipif(not CASES, reason=f"no recordings in {FOLDER}: set TOKONOMICS_RECORDINGS")


def route_of(recording: dict[str, Any]) -> Route:
    name, request = recording["provider"], recording["request"]
    provider = providers.find(SLUGS.get(name, name))
    assert provider is not None
    path = request["path"] if request else PATHS[recording["endpoint_kind"]]
    route = provider.route("POST", path)
    assert route is not None, path
    assert not request or route.path == path
    return route


def in_chunks(route: Route, body: bytes, sizes: Any) -> tuple[Reading, bool]:
    answer = StreamAnswer(route.endpoint.reader())
    start = 0
    while start < len(body):
        end = start + next(sizes)
        assert answer.feed(body[start:end]) == body[start:end]
        start = end
    assert answer.rest() == b""
    return answer.finish(), answer.terminal


def read(recording: dict[str, Any]) -> Reading:
    route = route_of(recording)
    body = recording["response"]["body"].encode()
    if not recording["stream"]:
        return read_body(route.endpoint.reader(), body)
    dice = random.Random(recording["id"])
    whole = in_chunks(route, body, iter([len(body)]))
    assert in_chunks(route, body, iter(lambda: 1, 0)) == whole
    assert in_chunks(route, body, iter(lambda: dice.randint(1, 3000), 0)) == whole
    assert read_body(route.endpoint.reader(), body) == whole[0]
    return whole[0]


def counts(usage: dict[str, Any]) -> dict[str, int]:
    return {RENAMED.get(name, name): count for name, count in usage.items() if name not in BESIDE}


@pytest.mark.parametrize("recording", CASES)
def test_an_answer_is_read_as_expected(recording: dict[str, Any]) -> None:
    expected = recording["expected"]
    reading = read(recording)
    if recording["response"]["status"] != 200:
        assert reading.usage is None
        return
    assert reading.model == (expected["response_model"] or "")
    if recording["id"] not in USAGE_KNOWN:
        found = None if reading.usage is None else reading.usage.counts()
        assert found == (counts(expected["usage"]) if expected["usage_present"] else None)
    assert [(part.model, part.usage.counts()) for part in reading.parts] == [
        (part["model"], counts(part["usage"])) for part in expected["extra"].get("parts", ())
    ]
    assert reading.service_tier == (expected["service_tier"] or "")


@pytest.mark.parametrize(
    "recording", [case for case in CASES if case.values[0]["expected"]["provider_reported_cost_usd"] is not None]
)
def test_a_cost_that_the_provider_reports_is_kept_to_the_nano(recording: dict[str, Any]) -> None:
    reported = recording["expected"]["provider_reported_cost_usd"]
    assert read(recording).provider_cost == round(reported * 1e9)


@pytest.mark.parametrize(
    "recording", [case for case in CASES if case.values[0]["expected"]["provider_reported_cost_usd"] is None]
)
def test_no_other_cost_is_made_up(recording: dict[str, Any]) -> None:
    if recording["id"] not in COST_KNOWN:
        assert not read(recording).provider_cost
