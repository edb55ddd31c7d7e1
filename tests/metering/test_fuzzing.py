"""Nothing that a provider may send raises into a call, and no way of cutting it changes what is read.

Every reader of every endpoint, behind every decoder: JSON of the right words in the wrong places, and streams that were
cut, doubled and overwritten.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering import providers
from metering.answers import StreamAnswer, read_body
from metering.eventstream import CONTENT_TYPE
from metering.providers.base import Reader
from metering.usage import COUNTS, LARGEST_COUNT, Reading

Make = Callable[[], Reader]


def name_of(make: Make) -> str:
    """A reader's class, and what it was made with."""
    if isinstance(make, partial):
        told = [getattr(argument, "__name__", str(argument)) for argument in (*make.args, *make.keywords)]
        return f"{make.func.__name__}({', '.join(told)})"
    return make.__name__


ENDPOINTS = [
    endpoint for row in (*providers.PROVIDERS.values(), providers.compatible("own", "https://x", "x"))
    for endpoint in row.endpoints
]  # fmt: skip
READERS: dict[str, Make] = {name_of(endpoint.reader): endpoint.reader for endpoint in ENDPOINTS}

WORDS = st.sampled_from(
    """
    choices delta message text content finish_reason usage usageMetadata x_groq model modelVersion error type
    event_type is_finished response status background output service_tier serviceTier prompt_tokens
    completion_tokens total_tokens input_tokens output_tokens cached_tokens prompt_tokens_details
    completion_tokens_details input_token_details reasoning_tokens audio_tokens image_tokens
    prompt_audio_seconds cost cost_details is_byok total_cost upstream_inference_cost cost_in_usd_ticks
    cache_creation cache_read_input_tokens cache_creation_input_tokens iterations promptTokenCount
    candidatesTokenCount thoughtsTokenCount promptTokensDetails trafficType modality tokenCount candidates index
    groundingMetadata webSearchQueries duration seconds usage_info pages_processed message_start message_delta
    action speed response.completed completed in_progress web_search_call server_tool_use web_search_requests
    message_stop fast us meta billed_units tokens search_units message-end stream-end text-generation COMPLETE
    ERROR metadata messageStart contentBlockDelta inputTokens outputTokens cacheReadInputTokens cacheDetails ttl
    5m throttlingException chunk bytes amazon-bedrock-invocationMetrics inputTokenCount results
    totalOutputTextTokenCount generation_token_count trace promptRouter invokedModelId transcript.text.done
    speech.audio.done name function arguments :damaged
    """.split()
)
SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=3) | WORDS
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=6),
    max_leaves=24,
)
PACKED = st.builds(
    lambda data: {"chunk": {"bytes": base64.b64encode(data).decode()}},
    JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=20) | st.just(b'{"type":"message_stop"}'),
)


def judge(reading: Reading) -> None:
    """A reading that the ledger can hold."""
    usages = [part.usage for part in reading.parts] + ([reading.usage] if reading.usage is not None else [])
    for usage in usages:
        assert all(type(count) is int and 0 <= count <= LARGEST_COUNT * len(COUNTS) for count in usage)
    assert reading.provider_cost is None or 0 <= reading.provider_cost < 2**63
    for text in (reading.model, reading.service_tier, reading.error, *reading.flags):
        assert text.isprintable()
    assert reading.output_characters >= 0


@pytest.mark.parametrize("name", READERS)
@given(documents=st.lists(JSON | PACKED, max_size=4), heads=st.binary(max_size=12))
def test_no_json_makes_a_reader_raise(name: str, documents: list[Any], heads: bytes) -> None:
    reader = READERS[name]()
    if read_head := getattr(reader, "read_head", None):
        read_head([(b"x-amzn-bedrock-input-token-count", heads), (b"x-amzn-bedrock-output-token-count", b"1")])
    for document in documents:
        reader.read(document)
        reader.skim(json.dumps(document).encode())
    judge(reader.reading())
    assert isinstance(reader.terminal, bool)


PIECES = [
    *(b"data: ", b"data:", b"event: x\n", b": ping\n", b"\n", b"\r\n", b"\r", b"\n\n", b"[", b"]", b",", b"{", b"}"),
    *(b"[DONE]", b'"', b"\\", b"\xef\xbb\xbf", b"\xff", b"\x00", b" ", b"null", b"NaN", b"id: 1\n", b"retry: 1\n"),
    *(
        b"data: %b\n\n" % orjson.dumps(document)
        for document in (
            {"model": "m", "choices": [{"delta": {"content": "Hi"}}], "usage": None},
            {"model": "m", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}},
            {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 9, "output_tokens": 1}}},
            {"type": "message_delta", "usage": {"output_tokens": 7}},
            {"type": "response.completed", "response": {"usage": {"input_tokens": 9, "output_tokens": 1}}},
            {"usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 1}},
            {"type": "message-end", "delta": {"usage": {"billed_units": {"input_tokens": 9, "output_tokens": 1}}}},
            {"error": {"code": "overloaded"}},
        )
    ),
    orjson.dumps({"meta": {"billed_units": {"input_tokens": 9}}, "usage": {"inputTokens": 3, "outputTokens": 1}}),
    bytes.fromhex("0000001000000000") + b"\x05\xc2\x48\xeb\x7d\x98\xc8\xff",
]
STREAMS = st.lists(st.sampled_from(PIECES) | st.binary(max_size=6), max_size=16).map(b"".join)
HEADERS: dict[str, list[tuple[bytes, bytes]]] = {
    "no headers": [],
    "event stream": [(b"content-type", CONTENT_TYPE)],
    "gzip": [(b"content-encoding", b"gzip")],
    "unknown encoding": [(b"content-encoding", b"br")],
}
KINDS = st.sampled_from(list(HEADERS))


def answered(make: Make, headers: list[tuple[bytes, bytes]], chunks: list[bytes], *, hides: bool) -> Any:
    """What the client gets of an answer in these chunks, what is read, and whether it had ended."""
    answer = StreamAnswer(make(), headers, hide_usage=hides)
    passed = b"".join([answer.feed(chunk) for chunk in chunks]) + answer.rest()
    found = answer.finish()
    judge(found)
    return passed, found, answer.terminal


def pieces_of(stream: bytes, draw: st.DataObject) -> list[bytes]:
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    return [stream[start:end] for start, end in pairwise([0, *cuts, len(stream)])]


@pytest.mark.parametrize("name", READERS)
@given(kind=KINDS, stream=STREAMS, hides=st.booleans(), draw=st.data())
def test_however_anything_is_cut_the_reading_is_the_same(
    name: str, kind: str, stream: bytes, hides: bool, draw: st.DataObject
) -> None:
    make, headers = READERS[name], HEADERS[kind]
    sent = gzip.compress(stream, mtime=0) if kind == "gzip" else stream
    whole = answered(make, headers, [sent], hides=hides)
    assert answered(make, headers, pieces_of(sent, draw), hides=hides) == whole
    assert answered(make, headers, [sent[at : at + 1] for at in range(len(sent))], hides=hides) == whole
    assert hides or whole[0] == sent


@pytest.mark.parametrize("name", READERS)
@given(kind=KINDS, body=STREAMS | JSON.map(lambda value: json.dumps(value).encode()))
def test_nothing_that_is_answered_at_once_raises(name: str, kind: str, body: bytes) -> None:
    judge(read_body(READERS[name](), body, HEADERS[kind]))
