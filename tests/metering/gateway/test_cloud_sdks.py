"""SDKs for Bedrock and Vertex AI with nothing changed but base URL, key and tags.

Not boto3, the largest of all: what it sends is in test_bedrock.py, its traffic in test_replay_bedrock_vertex.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import orjson
import pytest
from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials
from pytest_django import Settings

from tests.metering.gateway.accounts import connect
from tests.metering.gateway.conftest import KEY, Running, Start
from tests.metering.service_account import key_file
from tests.upstreams.provider import Answer, Provider, Received, completion, events

TAGS = {"X-Metering-Tags": '{"client":"acme-corp"}'}
ASK: list[Any] = [{"role": "user", "content": "ping"}]
JSON = {"content-type": "application/json"}
TOKEN = b'{"access_token":"ya29.fresh","expires_in":3599}'
SCOPE = "/projects/acme-123/locations/europe-west4"
GEMINI = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "pong"}]}}],
    "modelVersion": "gemini-2.5-flash",
    "usageMetadata": {"promptTokenCount": 13, "candidatesTokenCount": 2, "totalTokenCount": 15},
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5-20251001",
    "content": [{"type": "text", "text": "pong"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 9, "output_tokens": 2},
}


@pytest.fixture
def cloud(settings: Settings) -> Iterator[Provider]:
    """Bedrock, Vertex AI and Google's token server in one."""
    settings.ALLOW_PRIVATE_ADDRESSES = True
    server = Provider(reply)
    yield server
    server.close()


def reply(request: Received) -> Answer:
    path = request.path.partition("?")[0]
    if path == "/token":
        return Answer(200, JSON, TOKEN)
    if path.endswith(":streamGenerateContent"):
        return events(GEMINI, done=False)
    if path.endswith(":streamRawPredict"):
        started = MESSAGE | {"content": [], "usage": {"input_tokens": 9, "output_tokens": 1}}
        return named(
            {"type": "message_start", "message": started},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "pong"}},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
            {"type": "message_stop"},
        )
    if path.endswith("/chat/completions"):
        return completion()
    return Answer(200, JSON, orjson.dumps(GEMINI if path.endswith(":generateContent") else MESSAGE))


def named(*documents: dict[str, Any]) -> Answer:
    """A stream of Anthropic's, whose events have names."""
    chunks = [b"event: %b\ndata: %b\n\n" % (one["type"].encode(), orjson.dumps(one)) for one in documents]
    return Answer(200, {"content-type": "text/event-stream"}, chunks=chunks)


@pytest.fixture
def gateway(start: Start, cloud: Provider) -> Running:
    running = start({"bedrock": cloud.url, "vertex": cloud.url})
    connect(running, "vertex", cloud.url, json.dumps(key_file(f"{cloud.url}/token", location="europe-west4")))
    return running


def base(gateway: Running, slug: str) -> str:
    return f"http://127.0.0.1:{gateway.port}/proxy/{slug}"


def the_event(gateway: Running, counts: dict[str, int]) -> dict[str, Any]:
    [event] = gateway.wait(lambda: gateway.records("result"))
    assert isinstance(event, dict)
    assert (event["client"], event["status"], event["usage"]) == ("acme-corp", "ok", counts)
    assert event["cost"]
    return event


def google_client(gateway: Running, **options: Any) -> genai.Client:
    http = types.HttpOptions(base_url=base(gateway, "vertex"), headers=TAGS)
    return genai.Client(vertexai=True, http_options=http, **options)


def vertex_client(gateway: Running) -> anthropic.AnthropicVertex:
    return anthropic.AnthropicVertex(
        base_url=base(gateway, "vertex"),
        access_token=KEY,
        project_id="acme-123",
        region="europe-west4",
        default_headers=TAGS,
    )


@pytest.mark.parametrize(
    "options",
    [
        {"api_key": KEY},
        {"credentials": Credentials(token=KEY), "project": "acme-123", "location": "europe-west4"},  # type: ignore[no-untyped-call]
    ],
)
def test_gemini_on_vertex(gateway: Running, cloud: Provider, options: dict[str, Any]) -> None:
    client = google_client(gateway, **options)
    answer = client.models.generate_content(model="gemini-2.5-flash", contents="ping")
    assert answer.text == "pong"
    the_event(gateway, {"input_tokens": 13, "output_tokens": 2})
    sent = cloud.received[-1]
    assert sent.path == f"/v1beta1{SCOPE}/publishers/google/models/gemini-2.5-flash:generateContent"
    assert sent.headers["authorization"] == "Bearer ya29.fresh"
    assert KEY not in str(sent.headers)


def test_a_stream_of_gemini_on_vertex(gateway: Running) -> None:
    client = google_client(gateway, api_key=KEY)
    parts = list(client.models.generate_content_stream(model="gemini-2.5-flash", contents="ping"))
    assert "".join(part.text or "" for part in parts) == "pong"
    assert the_event(gateway, {"input_tokens": 13, "output_tokens": 2})["stream"]


def test_claude_on_vertex(gateway: Running, cloud: Provider) -> None:
    with vertex_client(gateway) as client:
        answer = client.messages.create(model="claude-haiku-4-5@20251001", max_tokens=9, messages=ASK)
    assert answer.usage.output_tokens == 2
    event = the_event(gateway, {"input_tokens": 9, "output_tokens": 2})
    assert event["requested_model"] == "claude-haiku-4-5@20251001"
    path = f"/v1{SCOPE}/publishers/anthropic/models/claude-haiku-4-5@20251001:rawPredict"
    assert cloud.received[-1].path == path


def test_a_stream_of_claude_on_vertex(gateway: Running) -> None:
    with (
        vertex_client(gateway) as client,
        client.messages.stream(model="claude-haiku-4-5@20251001", max_tokens=9, messages=ASK) as stream,
    ):
        assert "".join(stream.text_stream) == "pong"
    the_event(gateway, {"input_tokens": 9, "output_tokens": 2})


def test_claude_on_bedrock(gateway: Running, cloud: Provider) -> None:
    url = base(gateway, "bedrock")
    client = anthropic.AnthropicBedrock(base_url=url, api_key=KEY, aws_region="us-east-1", default_headers=TAGS)
    model = "eu.anthropic.claude-haiku-4-5-20251001-v1:0"
    assert client.messages.create(model=model, max_tokens=9, messages=ASK).usage.output_tokens == 2
    assert the_event(gateway, {"input_tokens": 9, "output_tokens": 2})["requested_model"] == model
    assert cloud.received[-1].path == f"/model/{model}/invoke"


def test_openais_sdk_on_bedrock(gateway: Running, cloud: Provider) -> None:
    url = f"{base(gateway, 'bedrock')}/openai/v1"
    with openai.OpenAI(base_url=url, api_key=KEY, default_headers=TAGS) as client:
        client.chat.completions.create(model="openai.gpt-oss-20b-1:0", messages=ASK)
    event = the_event(gateway, {"input_tokens": 12, "output_tokens": 3})
    assert event["requested_model"] == "openai.gpt-oss-20b-1:0"
    assert cloud.received[-1].path == "/openai/v1/chat/completions"


def test_refusals_are_each_sdks_own_errors(gateway: Running) -> None:
    bad = {"X-Metering-Tags": "[]"}
    client = anthropic.AnthropicBedrock(
        base_url=base(gateway, "bedrock"), api_key=KEY, aws_region="us-east-1", default_headers=bad, max_retries=0
    )
    with pytest.raises(anthropic.BadRequestError, match="JSON object"):
        client.messages.create(model="anthropic.claude-haiku-4-5-20251001-v1:0", max_tokens=9, messages=ASK)
    http = types.HttpOptions(base_url=base(gateway, "vertex"), headers=bad)
    google = genai.Client(vertexai=True, api_key=KEY, http_options=http)
    with pytest.raises(genai.errors.ClientError, match="JSON object"):
        google.models.generate_content(model="g", contents="x")
    assert not gateway.records("intent")
