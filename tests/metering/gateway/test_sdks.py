"""Official SDKs with nothing changed but base URL, key and tags: what they return, and what the ledger gets."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import orjson
import pytest
from google import genai
from google.genai import types

from tests.metering.gateway.conftest import KEY, Running
from tests.metering.gateway.test_calls import USAGE, delta, stream_answer
from tests.upstreams.provider import Answer, Provider, Received, completion, events

TAGS = {"X-Metering-Tags": '{"client":"acme-corp"}'}
ASK: list[Any] = [{"role": "user", "content": "ping"}]
MESSAGE_START: dict[str, Any] = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-6",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 9, "output_tokens": 1, "cache_read_input_tokens": 100},
    },
}


def openai_client(gateway: Running, **options: Any) -> openai.OpenAI:
    url = f"http://127.0.0.1:{gateway.port}/proxy/openai"
    return openai.OpenAI(base_url=url, api_key=KEY, default_headers=TAGS, **options)


def anthropic_client(gateway: Running, **options: Any) -> anthropic.Anthropic:
    url = f"http://127.0.0.1:{gateway.port}/proxy/anthropic"
    return anthropic.Anthropic(base_url=url, api_key=KEY, default_headers=TAGS, **options)


def google_client(gateway: Running) -> genai.Client:
    url = f"http://127.0.0.1:{gateway.port}/proxy/google"
    return genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=url, headers=TAGS))


def the_event(gateway: Running) -> dict[str, Any]:
    [event] = gateway.wait(lambda: gateway.records("result"))
    assert isinstance(event, dict)
    assert event["client"] == "acme-corp"
    return event


def test_openai_plain(gateway: Running) -> None:
    with openai_client(gateway) as client:
        raw = client.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=ASK)
    assert raw.content == completion().body
    assert raw.parse().choices[0].message.content == "pong"
    event = the_event(gateway)
    assert raw.headers["x-metering-event-id"] == event["id"]
    assert event["usage"] == {"input_tokens": 12, "output_tokens": 3}


def test_openai_stream(gateway: Running, provider: Provider) -> None:
    provider.answer = stream_answer
    with openai_client(gateway) as client:
        stream = client.chat.completions.create(model="gpt-4o-mini", messages=ASK, stream=True)
        texts = [chunk.choices[0].delta.content for chunk in stream]
    assert texts == ["po", "ng"]
    assert the_event(gateway)["usage"] == {"input_tokens": 12, "output_tokens": 3}


def test_openai_stream_with_usage_asked_for(gateway: Running, provider: Provider) -> None:
    provider.answer = stream_answer
    with openai_client(gateway) as client:
        stream = client.chat.completions.create(
            model="gpt-4o-mini", messages=ASK, stream=True, stream_options={"include_usage": True}
        )
        *_, last = stream
    assert last.usage is not None
    assert last.usage.model_dump(exclude_none=True) == USAGE


def test_openai_responses(gateway: Running, provider: Provider) -> None:
    usage = {
        "input_tokens": 7,
        "input_tokens_details": {"cached_tokens": 2},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 12,
    }
    response = {"id": "resp_1", "object": "response", "model": "gpt-4.1", "status": "completed", "output": []}
    provider.answer = lambda received: events(
        {"type": "response.created", "sequence_number": 0, "response": response},
        {"type": "response.output_text.delta", "sequence_number": 1, "delta": "pong", "item_id": "i"},
        {"type": "response.completed", "sequence_number": 2, "response": {**response, "usage": usage}},
        done=False,
    )
    with openai_client(gateway) as client:
        kinds = [event.type for event in client.responses.create(model="gpt-4.1", input="ping", stream=True)]
    assert kinds == ["response.created", "response.output_text.delta", "response.completed"]
    assert the_event(gateway)["usage"] == {
        "input_tokens": 7,
        "cache_read_tokens": 2,
        "output_tokens": 5,
        "reasoning_tokens": 1,
    }


def test_openai_wrong_key_is_one_clear_error(gateway: Running, provider: Provider) -> None:
    url = f"http://127.0.0.1:{gateway.port}/proxy/openai"
    with openai.OpenAI(base_url=url, api_key="mk_unknown") as client, pytest.raises(openai.AuthenticationError) as info:
        client.chat.completions.create(model="gpt-4o-mini", messages=ASK)
    assert "not known here" in info.value.message
    assert provider.received == []


def test_anthropic_plain(gateway: Running, provider: Provider) -> None:
    message = {**MESSAGE_START["message"], "content": [{"type": "text", "text": "pong"}], "stop_reason": "end_turn"}
    body = orjson.dumps(message)
    provider.answer = lambda received: Answer(headers={"content-type": "application/json"}, body=body)
    with anthropic_client(gateway) as client:
        raw = client.messages.with_raw_response.create(model="claude-sonnet-4-6", max_tokens=10, messages=ASK)
        assert raw.read() == body
    [received] = provider.received
    assert (received.path, received.headers["x-api-key"]) == ("/v1/messages", "sk-stored-secret")
    assert received.headers["anthropic-version"]
    assert "authorization" not in received.headers
    usage = the_event(gateway)["usage"]
    assert usage == {"input_tokens": 109, "cache_read_tokens": 100, "output_tokens": 1}


def test_anthropic_stream(gateway: Running, provider: Provider) -> None:
    provider.answer = _anthropic_stream
    with (
        anthropic_client(gateway) as client,
        client.messages.stream(model="claude-sonnet-4-6", max_tokens=10, messages=ASK) as stream,
    ):
        assert "".join(stream.text_stream) == "pong"
    event = the_event(gateway)
    assert event["usage"] == {"input_tokens": 109, "cache_read_tokens": 100, "output_tokens": 4}
    assert event["cost"] == 9 * 3000 + 100 * 300 + 4 * 15000


def _anthropic_stream(received: Received) -> Answer:
    documents: list[dict[str, Any]] = [
        MESSAGE_START,
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "pong"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 4},
        },
        {"type": "message_stop"},
    ]
    chunks = [b"event: %b\ndata: %b\n\n" % (d["type"].encode(), orjson.dumps(d)) for d in documents]
    return Answer(headers={"content-type": "text/event-stream"}, chunks=chunks)


def _candidate(text: str, tokens: int) -> dict[str, Any]:
    return {
        "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}],
        "modelVersion": "gemini-2.5-flash",
        "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": tokens, "totalTokenCount": 4 + tokens},
    }


def test_google_plain(gateway: Running, provider: Provider) -> None:
    body = orjson.dumps(_candidate("pong", 2))
    provider.answer = lambda received: Answer(headers={"content-type": "application/json"}, body=body)
    client = google_client(gateway)
    assert client.models.generate_content(model="gemini-2.5-flash", contents="ping").text == "pong"
    [received] = provider.received
    assert received.path == "/v1/models/gemini-2.5-flash:generateContent"
    assert received.headers["x-goog-api-key"] == "sk-stored-secret"
    assert the_event(gateway)["usage"] == {"input_tokens": 4, "output_tokens": 2}
    client.close()


def test_google_stream(gateway: Running, provider: Provider) -> None:
    chunks = [b"data: %b\r\n\r\n" % orjson.dumps(_candidate(text, n)) for text, n in (("po", 1), ("ng", 2))]
    provider.answer = lambda received: Answer(headers={"content-type": "text/event-stream"}, chunks=chunks)
    client = google_client(gateway)
    stream = client.models.generate_content_stream(model="gemini-2.5-flash", contents="ping")
    assert [chunk.text for chunk in stream] == ["po", "ng"]
    assert provider.received[0].path == "/v1/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    assert the_event(gateway)["usage"] == {"input_tokens": 4, "output_tokens": 2}
    client.close()


def test_sdk_sees_a_stream_that_broke_off(gateway: Running, provider: Provider) -> None:
    provider.answer = lambda received: events(delta("po"), cut=True, done=False)
    with openai_client(gateway, max_retries=0) as client:
        stream = client.chat.completions.create(model="gpt-4o-mini", messages=ASK, stream=True)
        seen: list[str | None] = []
        with pytest.raises(openai.APIConnectionError):
            seen.extend(chunk.choices[0].delta.content for chunk in stream)
    assert seen == ["po"]
    assert the_event(gateway)["status"] == "provider_error"
