"""Calls through a running gateway: what the provider gets, what the client gets, what the spool holds."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from tests.metering.gateway.conftest import KEY, Running
from tests.upstreams.provider import Answer, Provider, Received, completion, events

CHAT = "/proxy/openai/chat/completions"
ASK = orjson.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "ping"}]})
ASK_STREAM = b'{"model":"gpt-4o-mini", "stream": true, "messages":[{"role":"user","content":"ping"}]}'
TAGS = '{"client":"acme-corp","project":"chatbot"}'
USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
COST_NANO = 12 * 150 + 3 * 600  # gpt-4o-mini: $0.15 and $0.60 a million


def delta(text: str, **more: Any) -> dict[str, Any]:
    """A chunk of a streamed chat completion."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [choice],
        **more,
    }


def usage_chunk() -> dict[str, Any]:
    """The chunk that include_usage adds."""
    return {**delta(""), "choices": [], "usage": USAGE}


def stream_answer(received: Received, pause: float = 0) -> Answer:
    """A provider that behaves like OpenAI's: the usage chunk comes only when it was asked for."""
    asked = received.json().get("stream_options", {}).get("include_usage")
    documents = [delta("po"), delta("ng")] + ([usage_chunk()] if asked else [])
    return events(*documents, pause=pause)


def test_plain_call_is_forwarded_untouched(gateway: Running, provider: Provider) -> None:
    answer = gateway.call(CHAT, ASK, x_metering_tags=TAGS, content_type="application/json", cookie="session=secret")
    body = answer.read()
    assert (answer.status, body) == (200, completion().body)
    [received] = provider.received
    assert (received.method, received.path, received.body) == ("POST", "/v1/chat/completions", ASK)
    assert received.headers["authorization"] == "Bearer sk-stored-secret"
    assert received.headers["accept-encoding"] == "identity"
    assert received.headers["x-request-id"] == answer.headers["x-metering-event-id"]
    assert not {"cookie", "x-metering-tags", "x-api-key"} & received.headers.keys()
    assert KEY not in str(received.headers)


def test_plain_call_says_its_client_and_cost(gateway: Running) -> None:
    answer = gateway.call(CHAT, ASK, x_metering_tags=TAGS)
    assert answer.headers["x-metering-client"] == "acme-corp"
    assert answer.headers["x-metering-cost-usd"] == "0.0000036"


def test_plain_call_leaves_an_intent_and_an_exact_result(gateway: Running) -> None:
    answer = gateway.call(CHAT, ASK, x_metering_tags=TAGS)
    [intent], [result] = gateway.records("intent"), gateway.records("result")
    assert intent["id"] == result["id"] == answer.headers["x-metering-event-id"]
    assert intent["estimate"]["input_tokens"] > 0
    assert result["usage"] == {"input_tokens": 12, "output_tokens": 3}
    assert (result["cost"], result["cost_source"]) == (COST_NANO, "catalogue")
    assert (result["status"], result["http_status"], result["estimated"]) == ("ok", 200, False)
    assert (result["model"], result["requested_model"]) == ("gpt-4o-mini-2024-07-18", "gpt-4o-mini")
    assert (result["client"], result["tags"]["project"]) == ("acme-corp", "chatbot")
    assert sum(int(count) for _, count, _, _ in result["lines"]) == 15


def test_streamed_call_gives_the_same_figures(gateway: Running, provider: Provider) -> None:
    provider.answer = stream_answer
    answer = gateway.call(CHAT, ASK_STREAM)
    body = answer.read()
    assert body == b"".join(b"data: %b\n\n" % part for part in map(orjson.dumps, (delta("po"), delta("ng")))) + (
        b"data: [DONE]\n\n"
    )
    assert answer.headers["content-type"] == "text/event-stream"
    assert "x-metering-cost-usd" not in answer.headers
    [result] = gateway.records("result")
    assert (result["cost"], result["usage"]) == (COST_NANO, {"input_tokens": 12, "output_tokens": 3})
    assert result["stream"] is True
    assert provider.received[0].json()["stream_options"] == {"include_usage": True}


def test_usage_chunk_is_shown_to_a_client_that_asked(gateway: Running, provider: Provider) -> None:
    provider.answer = stream_answer
    ask = orjson.loads(ASK_STREAM) | {"stream_options": {"include_usage": True}}
    body = gateway.call(CHAT, orjson.dumps(ask)).read()
    assert orjson.dumps(usage_chunk()) in body
    assert provider.received[0].body == orjson.dumps(ask)


def test_provider_that_refuses_to_be_asked_is_not_asked(gateway: Running, provider: Provider) -> None:
    def picky(received: Received) -> Answer:
        if "stream_options" in received.json():
            return Answer(400, body=b'{"error":{"message":"Unknown field: stream_options"}}')
        return events(delta("po"), delta("ng"))

    provider.answer = picky
    answer = gateway.call(CHAT, ASK_STREAM)
    assert (answer.status, answer.read().count(b"data: ")) == (200, 3)
    assert [received.body == ASK_STREAM for received in provider.received] == [False, True]
    [result] = gateway.records("result")
    assert (result["status"], result["estimated"]) == ("ok", True)
    assert len(gateway.records("intent")) == 1


def test_stream_without_usage_is_estimated_and_flagged(gateway: Running, provider: Provider) -> None:
    provider.answer = lambda received: events(delta("po"), delta("ng"))
    gateway.call(CHAT, ASK_STREAM).read()
    [result] = gateway.records("result")
    assert (result["estimated"], result["status"]) == (True, "ok")
    assert result["cost"] > 0


def test_unknown_model_is_unpriced_and_passes(gateway: Running, provider: Provider) -> None:
    document = orjson.loads(completion().body) | {"model": "house-model-7"}
    provider.answer = lambda received: Answer(body=orjson.dumps(document))
    answer = gateway.call(CHAT, orjson.dumps({"model": "house-model-7", "messages": []}))
    assert answer.status == 200
    assert "x-metering-cost-usd" not in answer.headers
    [result] = gateway.records("result")
    assert (result["cost"], result["cost_source"], result["lines"]) == (None, "", [])
    assert result["usage"] == {"input_tokens": 12, "output_tokens": 3}


def test_moderation_needs_no_model_and_is_free(gateway: Running, provider: Provider) -> None:
    provider.answer = lambda received: Answer(body=b'{"id":"m","model":"omni-moderation-latest","results":[]}')
    answer = gateway.call("/proxy/openai/v1/moderations", '{"input":"Hello"}')
    assert (answer.status, answer.headers["x-metering-cost-usd"]) == (200, "0")
    [event] = gateway.records("result")
    assert (event["model"], event["cost"], event["cost_source"]) == ("omni-moderation-latest", 0, "free")


def test_speech_passes_without_a_price(gateway: Running, provider: Provider) -> None:
    sound = b"ID3\x04\x00\xff\xfb" * 1000
    provider.answer = lambda received: Answer(headers={"content-type": "audio/mpeg"}, body=sound)
    answer = gateway.call("/proxy/openai/v1/audio/speech", '{"model":"tts-1","input":"Hello","voice":"alloy"}')
    assert (answer.read(), answer.headers["x-metering-cost-usd"]) == (sound, None)
    [event] = gateway.records("result")
    assert (event["endpoint"], event["cost"], event["cost_source"]) == ("audio.speech", None, "")
    assert (event["status"], event["estimated"], event["usage"]) == ("ok", False, {})


def test_lines_of_json_are_streamed(gateway: Running, provider: Provider) -> None:
    lines = [b'{"is_finished":false,"event_type":"text-generation","text":"Hi"}\n', b'{"is_finished":true}\n']
    provider.answer = lambda received: Answer(headers={"content-type": "application/stream+json"}, chunks=lines)
    answer = gateway.call(CHAT, ASK_STREAM)
    assert (answer.headers["x-accel-buffering"], answer.read()) == ("no", b"".join(lines))


def test_bound_key_beats_the_client_tag(start: Callable[..., Running], provider: Provider) -> None:
    gateway = start({"openai": provider.url}, client="globex")
    answer = gateway.call(CHAT, ASK, x_metering_tags=TAGS)
    assert answer.headers["x-metering-client"] == "globex"
    assert gateway.records("result")[0]["client"] == "globex"


def test_call_without_client_is_unattributed(gateway: Running) -> None:
    assert gateway.call(CHAT, ASK).headers["x-metering-client"] == "Unattributed"
    assert gateway.records("result")[0]["client"] == ""


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "api-key", "x-goog-api-key"])
def test_key_is_taken_from_every_sdk_header(gateway: Running, provider: Provider, header: str) -> None:
    value = f"Bearer {KEY}" if header == "authorization" else KEY
    assert gateway.call(CHAT, ASK, key=None, **{header: value}).status == 200
    assert KEY not in str(provider.received[0].headers)


def test_key_in_the_query_of_a_google_route(gateway: Running, provider: Provider) -> None:
    provider.answer = lambda received: Answer(body=b'{"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2}}')
    path = f"/proxy/gemini/v1beta/models/gemini-2.5-flash:generateContent?key={KEY}&alt=json"
    assert gateway.call(path, b'{"contents":[]}', key=None).status == 200
    assert provider.received[0].path == "/v1beta/models/gemini-2.5-flash:generateContent?alt=json"
    assert provider.received[0].headers["x-goog-api-key"] == "sk-stored-secret"
    assert gateway.records("result")[0]["provider"] == "google"


WRONG: list[tuple[str, dict[str, Any], int, str]] = [
    ("no key", {"key": None}, 401, "invalid_api_key"),
    ("a provider's key", {"key": "sk-proj-1"}, 401, "invalid_api_key"),
    ("unknown key", {"key": "mk_unknown"}, 401, "invalid_api_key"),
    ("two keys", {"x_api_key": "mk_other"}, 401, "invalid_api_key"),
    ("basic authentication", {"key": None, "authorization": "Basic bWs6"}, 401, "invalid_api_key"),
    ("key in the query of another route", {"path": f"{CHAT}?key={KEY}", "key": None}, 401, "invalid_api_key"),
    ("tags that are no object", {"x_metering_tags": "[]"}, 400, "invalid_tags"),
    ("the same tag twice", {"x_metering_tags": '{"client":"a","client":"b"}'}, 400, "invalid_tags"),
    ("too many bytes of tags", {"x_metering_tags": '{"a":"%s"}' % ("b" * 4096)}, 400, "invalid_tags"),
    ("no JSON", {"body": b"{"}, 400, "invalid_request"),
    ("no object", {"body": b"[]"}, 400, "invalid_request"),
    ("no model", {"body": b"{}"}, 400, "invalid_request"),
    ("model that is no text", {"body": b'{"model":["a"]}'}, 400, "invalid_request"),
    ("empty body", {"body": b""}, 400, "invalid_request"),
    ("compressed body", {"content_encoding": "gzip"}, 415, "unsupported_encoding"),
    ("provider without a key", {"path": "/proxy/groq/openai/v1/chat/completions"}, 400, "provider_not_connected"),
    ("unknown provider", {"path": "/proxy/nobody/v1/chat/completions"}, 404, "unknown_provider"),
    ("unknown endpoint", {"path": "/proxy/openai/v1/organization/usage"}, 404, "unknown_endpoint"),
    ("dots in the path", {"path": "/proxy/openai/v1/../admin"}, 404, "unknown_endpoint"),
    ("encoded dots", {"path": "/proxy/openai/v1/%2e%2e/admin"}, 404, "unknown_endpoint"),
    ("another host", {"path": "/proxy/openai//evil.example/v1/chat/completions"}, 404, "unknown_endpoint"),
    ("at sign", {"path": "/proxy/openai/@evil.example/"}, 404, "unknown_endpoint"),
    ("wrong method", {"method": "DELETE"}, 404, "unknown_endpoint"),
]


@pytest.mark.parametrize(("what", "request_", "status", "code"), WRONG, ids=[row[0] for row in WRONG])
def test_wrong_input_is_refused_and_not_forwarded(
    gateway: Running, provider: Provider, what: str, request_: dict[str, Any], status: int, code: str
) -> None:
    sent = {"path": CHAT, "body": ASK} | request_
    answer = gateway.call(**sent)
    assert (answer.status, answer.headers["x-metering-error"]) == (status, code)
    error = orjson.loads(answer.read())["error"]
    assert len(error["message"]) > 20
    assert provider.received == []
    assert gateway.records("intent") == []


def test_refusals_are_counted_by_key_and_client(gateway: Running) -> None:
    for _ in range(3):
        gateway.call(CHAT, b"{}", x_metering_tags=TAGS)
    counts = gateway.wait(lambda: gateway.records("refusals"))
    total = sum(
        number for record in counts for *_, client, _, code, number in record["counts"] if client == "acme-corp"
    )
    assert total == 3


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/proxy/anthropic/v1/messages", {"type": "error", "request_id": None}),
        ("/proxy/google/v1beta/models/gemini-2.5-pro:generateContent", {}),
    ],
)
def test_refusal_speaks_the_dialect(gateway: Running, path: str, shape: dict[str, Any]) -> None:
    document = orjson.loads(gateway.call(path, ASK, key="mk_unknown").read())
    assert shape.items() <= document.items()
    assert document["error"]["message"].startswith("This API key is not known")


def test_revoked_key_and_suspended_workspace(gateway: Running) -> None:
    [(digest, key)] = gateway.gateway.directory.keys.items()
    key.workspace.suspended = True
    assert gateway.call(CHAT, ASK).headers["x-metering-error"] == "workspace_suspended"
    gateway.gateway.directory.keys[digest] = replace(key, revoked=True)
    answer = gateway.call(CHAT, ASK)
    assert (answer.status, answer.headers["x-metering-error"]) == (403, "key_disabled")


def test_provider_error_passes_and_costs_nothing(gateway: Running, provider: Provider) -> None:
    body = b'{"error":{"message":"slow down","type":"requests","param":null,"code":"rate_limit_exceeded"}}'
    provider.answer = lambda received: Answer(429, {"retry-after": "7", "x-ratelimit-remaining-requests": "0"}, body)
    answer = gateway.call(CHAT, ASK)
    assert (answer.status, answer.read(), answer.headers["retry-after"]) == (429, body, "7")
    assert answer.headers["x-ratelimit-remaining-requests"] == "0"
    [result] = gateway.records("result")
    assert (result["status"], result["http_status"], result["cost"], result["estimated"]) == (
        "provider_error",
        429,
        0,
        False,
    )


def test_rejected_stored_key_is_told_apart(gateway: Running, provider: Provider) -> None:
    provider.answer = lambda received: Answer(
        401, body=b'{"error":{"message":"Incorrect API key provided: sk-store*cret"}}'
    )
    answer = gateway.call(CHAT, ASK)
    body = answer.read()
    assert (answer.status, answer.headers["x-metering-error"]) == (502, "upstream_auth")
    assert answer.headers["x-should-retry"] == "false"
    assert b"sk-" not in body


def test_unreachable_provider_is_not_dispatched(start: Callable[..., Running]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        gateway = start({"openai": f"http://127.0.0.1:{unused.getsockname()[1]}"})
        answer = gateway.call(CHAT, ASK)
    assert (answer.status, answer.headers["x-metering-error"]) == (502, "upstream_unreachable")
    [result] = gateway.records("result")
    assert (result["status"], result["cost"]) == ("not_dispatched", 0)


def test_private_address_is_refused_at_connect(start: Callable[..., Running], provider: Provider) -> None:
    gateway = start({"openai": provider.url}, allow_private=False)
    answer = gateway.call(CHAT, ASK)
    assert (answer.status, answer.headers["x-metering-error"]) == (502, "upstream_unreachable")
    assert b"private address" in answer.read()
    assert provider.received == []


def test_stream_that_breaks_off_is_cut_for_the_client_too(gateway: Running, provider: Provider) -> None:
    provider.answer = lambda received: events(delta("po"), cut=True, done=False)
    answer = gateway.call(CHAT, ASK_STREAM)
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        answer.read()
    [result] = gateway.wait(lambda: gateway.records("result"))
    assert (result["status"], result["estimated"]) == ("provider_error", True)
    assert result["cost"] > 0


def test_silent_provider_times_out(start: Callable[..., Running], provider: Provider) -> None:
    gateway = start({"openai": provider.url}, first_byte_seconds=0.3)
    provider.answer = _late
    answer = gateway.call(CHAT, ASK)
    assert (answer.status, answer.headers["x-metering-error"]) == (504, "upstream_timeout")
    [result] = gateway.records("result")
    assert (result["status"], result["estimated"]) == ("provider_error", True)


def _late(received: Received) -> Answer:
    time.sleep(2)
    return completion()


def test_client_that_leaves_is_drained_to_exact_figures(gateway: Running, provider: Provider) -> None:
    provider.answer = lambda received: stream_answer(received, pause=0.1)
    with socket.create_connection(("127.0.0.1", gateway.port)) as client:
        client.sendall(_message(ASK_STREAM))
        assert b"200 OK" in client.recv(65536)
    [result] = gateway.wait(lambda: gateway.records("result"))
    assert (result["status"], result["estimated"], result["cost"]) == ("aborted", False, COST_NANO)


def test_client_that_leaves_for_too_long_is_estimated(start: Callable[..., Running], provider: Provider) -> None:
    gateway = start({"openai": provider.url}, client_gone_seconds=0.2)
    provider.answer = lambda received: events(*[delta("word ")] * 40, pause=0.1)
    with socket.create_connection(("127.0.0.1", gateway.port)) as client:
        client.sendall(_message(ASK_STREAM))
        assert b"200 OK" in client.recv(65536)
    [result] = gateway.wait(lambda: gateway.records("result"))
    assert (result["status"], result["estimated"]) == ("aborted", True)
    assert result["cost"] > 0


def test_lines_reach_the_disk_first_where_asked(start: Callable[..., Running], provider: Provider) -> None:
    gateway = start({"openai": provider.url}, sync=True)
    assert gateway.call(CHAT, ASK).read() == completion().body
    provider.answer = stream_answer
    assert gateway.call(CHAT, ASK_STREAM).read().endswith(b"data: [DONE]\n\n")
    assert len(gateway.records("result")) == 2


def test_models_are_listed_without_an_event(gateway: Running, provider: Provider) -> None:
    provider.answer = lambda received: Answer(headers={"content-type": "application/json"}, body=b'{"data":[]}')
    answer = gateway.call("/proxy/openai/models", method="GET")
    assert (answer.status, answer.read()) == (200, b'{"data":[]}')
    assert provider.received[0].path == "/v1/models"
    assert gateway.records("intent") + gateway.records("result") == []


def test_sandbox_answers_without_a_credential(gateway: Running, provider: Provider) -> None:
    ask = {"model": "sandbox-small", "messages": [{"role": "user", "content": "Hello there"}]}
    answer = gateway.call("/proxy/sandbox/v1/chat/completions", orjson.dumps(ask), x_metering_tags=TAGS)
    document = orjson.loads(answer.read())
    assert (
        document["usage"]["total_tokens"] == document["usage"]["prompt_tokens"] + document["usage"]["completion_tokens"]
    )
    streamed = gateway.call("/proxy/sandbox/chat/completions", orjson.dumps(ask | {"stream": True})).read()
    text = "".join(
        orjson.loads(line[6:])["choices"][0]["delta"].get("content", "")
        for line in streamed.split(b"\n\n")
        if line.startswith(b"data: {")
    )
    assert text == document["choices"][0]["message"]["content"]
    first, second = gateway.records("result")
    assert first["test"] is second["test"] is True
    assert first["cost"] == second["cost"] > 0
    assert (first["cost_source"], first["client"]) == ("sandbox", "acme-corp")
    assert provider.received == []


def test_health(gateway: Running) -> None:
    assert gateway.call("/healthz", method="GET").read() == b'{"status":"ok"}\n'
    gateway.gateway.directory.ready = False
    assert gateway.call("/healthz", method="GET").status == 503


def _message(body: bytes) -> bytes:
    return (
        b"POST %b HTTP/1.1\r\nhost: t\r\nauthorization: Bearer %b\r\ncontent-length: %d\r\n\r\n"
        % (CHAT.encode(), KEY.encode(), len(body))
        + body
    )


def limit(gateway: Running, **fields: Any) -> None:
    """Give the test's key limits or lists."""
    [(digest, key)] = gateway.gateway.directory.keys.items()
    gateway.gateway.directory.keys[digest] = replace(key, **fields)


def test_rate_limit_is_told_with_a_wait(gateway: Running, provider: Provider) -> None:
    limit(gateway, requests_per_minute=2)
    answers = [gateway.call(CHAT, ASK) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[2].headers["x-metering-error"] == "rate_limited"
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60
    assert len(provider.received) == 2


def test_token_limit_counts_what_was_used(gateway: Running, provider: Provider) -> None:
    provider.answer = lambda received: completion(prompt_tokens=900, completion_tokens=100, total_tokens=1000)
    limit(gateway, tokens_per_minute=1000)
    assert gateway.call(CHAT, ASK).status == 200
    assert gateway.call(CHAT, ASK).headers["x-metering-error"] == "rate_limited"


@pytest.mark.parametrize(
    ("lists", "status"),
    [
        ({"allowed_models": ("gpt-4o-*",)}, 200),
        ({"allowed_models": ("gpt-5*", "claude-*")}, 403),
        ({"allowed_providers": ("openai",)}, 200),
        ({"allowed_providers": ("anthropic",)}, 403),
    ],
)
def test_key_may_use_what_its_lists_allow(
    gateway: Running, provider: Provider, lists: dict[str, Any], status: int
) -> None:
    limit(gateway, **lists)
    answer = gateway.call(CHAT, ASK)
    assert (answer.status, len(provider.received)) == (status, status == 200)
    if status == 403:
        assert answer.headers["x-metering-error"] == "model_not_allowed"


def test_full_spool_refuses_new_calls(gateway: Running, provider: Provider) -> None:
    gateway.gateway.spool.max_bytes = 0
    gateway.gateway.spool._look_at = 0
    answer = gateway.call(CHAT, ASK)
    assert (answer.status, answer.headers["x-metering-error"]) == (503, "budget_unavailable")
    assert provider.received == []
