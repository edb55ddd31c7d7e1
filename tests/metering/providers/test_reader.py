from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering import providers
from metering.answers import parse
from metering.providers.base import Reader
from metering.providers.chat import ChatReader
from metering.providers.reader import MOST_KEPT, clean, error_code
from metering.usage import LARGEST_COUNT, Reading

CALLS = {
    "chat": ("openai", "/chat/completions"),
    "chat with a cost": ("openrouter", "/chat/completions"),
    "chat with costs": ("perplexity", "/chat/completions"),
    "chat with ticks": ("xai", "/chat/completions"),
    "chat at Google": ("google", "/openai/chat/completions"),
    "responses": ("openrouter", "/responses"),
    "transcriptions": ("groq", "/audio/transcriptions"),
    "messages": ("anthropic", "/messages"),
    "gemini": ("google", "/models/m:generateContent"),
    "ocr": ("mistral", "/ocr"),
}


def reader_of(name: str) -> Reader:
    slug, path = CALLS[name]
    route = providers.PROVIDERS[slug].route("POST", path)
    assert route is not None
    return route.endpoint.reader()


WORDS = st.sampled_from(
    """
    choices delta message text content usage usageMetadata x_groq model modelVersion error type response status
    output service_tier serviceTier prompt_tokens completion_tokens total_tokens input_tokens output_tokens
    cached_tokens prompt_tokens_details completion_tokens_details reasoning_tokens audio_tokens cost
    cost_details is_byok total_cost upstream_inference_cost cost_in_usd_ticks cache_creation
    cache_read_input_tokens cache_creation_input_tokens iterations promptTokenCount candidatesTokenCount
    thoughtsTokenCount promptTokensDetails modality tokenCount candidates index groundingMetadata
    webSearchQueries duration seconds usage_info pages_processed message_start message_delta action speed
    response.completed completed web_search_call server_tool_use web_search_requests message_stop fast us
    """.split()
)
HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=3) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=6),
    max_leaves=20,
)


@pytest.mark.parametrize("name", CALLS)
@given(documents=st.lists(HOSTILE, max_size=4))
def test_no_json_makes_a_reader_raise(name: str, documents: list[Any]) -> None:
    reader = reader_of(name)
    for document in documents:
        reader.read(document)
    reading = reader.reading()
    assert isinstance(reading, Reading)
    usages = [part.usage for part in reading.parts] + ([reading.usage] if reading.usage else [])
    assert all(type(count) is int and count >= 0 for usage in usages for count in usage)
    assert reading.provider_cost is None or 0 <= reading.provider_cost < 2**63
    assert reading.model.isprintable()
    assert reading.service_tier.isprintable()


def chat(usage: Any) -> Reading:
    reader = reader_of("chat")
    reader.read(parse(orjson.dumps({"model": "m"})[:-1] + b',"usage":%b}' % usage))
    return reader.reading()


@pytest.mark.parametrize(
    ("written", "kept", "flags"),
    [
        (b"12", 12, ()),
        (b"12.0", 12, ()),
        (b"0", 0, ()),
        (b"-5", 0, ("usage_anomaly",)),
        (b"1.5", 2, ("usage_anomaly",)),
        (b'"12"', 12, ("usage_anomaly",)),
        (b"1e30", LARGEST_COUNT, ("usage_clamped",)),
        (b"2147483648", LARGEST_COUNT, ("usage_clamped",)),
        (b"99999999999999999999999", LARGEST_COUNT, ("usage_clamped",)),
        (b"Infinity", LARGEST_COUNT, ("usage_clamped",)),
        (b"-Infinity", 0, ("usage_anomaly",)),
    ],
)
def test_a_total_that_is_odd_is_mended_and_flagged(written: bytes, kept: int, flags: tuple[str, ...]) -> None:
    reading = chat(b'{"prompt_tokens":%b,"completion_tokens":3}' % written)
    assert reading.usage is not None
    assert (reading.usage.input_tokens, reading.usage.output_tokens, reading.flags) == (kept, 3, flags)


@pytest.mark.parametrize("written", [b"NaN", b"true", b'"twelve"', b"[]", b"{}", b'""'])
def test_a_total_that_is_no_number_leaves_the_call_to_an_estimate(written: bytes) -> None:
    reading = chat(b'{"prompt_tokens":%b,"completion_tokens":3}' % written)
    assert (reading.usage, reading.flags) == (None, ("usage_anomaly",))


@pytest.mark.parametrize("written", [b"NaN", b"true", b'"twelve"', b"[]"])
def test_a_part_that_is_no_number_is_left_out(written: bytes) -> None:
    reading = chat(b'{"prompt_tokens":9,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":%b}}' % written)
    assert reading.usage is not None
    assert (reading.usage.counts(), reading.flags) == ({"input_tokens": 9, "output_tokens": 3}, ("usage_anomaly",))


@pytest.mark.parametrize("usage", [b"null", b"{}", b"[]", b"1", b'"x"', b'{"other":1}', b'{"prompt_tokens":null}'])
def test_no_usage_is_none_and_not_zero(usage: bytes) -> None:
    assert chat(usage).usage is None


def test_zero_that_was_said_stays_zero() -> None:
    reading = chat(b'{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}')
    assert reading.usage is not None
    assert (reading.usage.counts(), reading.flags) == ({}, ())


def test_a_contradiction_is_kept_and_flagged() -> None:
    reading = chat(b'{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":9}}')
    assert reading.usage is not None
    assert (reading.usage.cache_read_tokens, reading.flags) == (9, ("usage_contradiction",))


@pytest.mark.parametrize(
    ("value", "length"),
    [
        ("four", 4),
        (["ab", "c"], 3),
        ({"text": "ab", "id": "xxxx", "signature": "yyyy"}, 2),
        ({"tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}, 3),
        (None, 0),
        (7, 0),
    ],
)
def test_text_is_measured_without_its_labels(value: Any, length: int) -> None:
    reader = ChatReader()
    reader.saw(value)
    assert (reader.characters, reader.events, len(reader.text)) == (length, length > 0, length)


def test_only_the_first_of_a_long_text_is_held_and_all_of_it_measured() -> None:
    reader = ChatReader()
    for _ in range(3):
        reader.saw("é" * 1000)
    reading = reader.reading()
    assert (reading.output_characters, reading.output_events) == (3000, 3)
    assert MOST_KEPT <= len(reading.output_text) < 2 * MOST_KEPT
    assert bytes(reading.output_text).decode() == "é" * (len(reading.output_text) // 2)


@pytest.mark.parametrize(
    ("error", "word"),
    [
        ({"code": "tool_use_failed", "message": "your prompt was …"}, "tool_use_failed"),
        ({"code": None, "type": "overloaded_error"}, "overloaded_error"),
        ({"code": 503, "status": "UNAVAILABLE"}, "503"),
        ({"message": "secret"}, "error"),
        ("secret", "error"),
    ],
)
def test_an_error_is_a_word_that_quotes_nobody(error: Any, word: str) -> None:
    assert error_code(error) == word


def test_a_name_is_cleaned() -> None:
    assert clean("gpt-4.1") == "gpt-4.1"
    assert clean("a\x00b\nc\ud800\u202e") == "abc"
    assert clean("x" * 1000) == "x" * 256
