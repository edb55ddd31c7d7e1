from __future__ import annotations

import gzip
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering import providers
from metering.answers import StreamAnswer, read_body
from metering.providers.base import Reader
from metering.usage import Reading

USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
CHUNKS: list[dict[str, Any]] = [
    {"model": "gpt-4.1", "choices": [{"delta": {"role": "assistant", "content": ""}}], "usage": None},
    {"model": "gpt-4.1", "choices": [], "usage": None, "prompt_filter_results": [{}]},
    {"model": "gpt-4.1", "choices": [{"delta": {"content": '{"usage":{"prompt_tokens":9}}'}}], "usage": None},
    {"model": "gpt-4.1", "choices": [{"delta": {"content": "data: [DONE]"}}]},
    {"model": "gpt-4.1", "choices": [{"delta": {}, "finish_reason": "stop"}], "usage": None},
]
EXTRA = {"model": "gpt-4.1", "choices": [], "usage": USAGE}
GEMINI = [
    {"candidates": [{"content": {"parts": [{"text": "a]}"}]}}], "usageMetadata": {"promptTokenCount": 4}},
    {"modelVersion": "g", "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 2, "totalTokenCount": 6}},
]
MESSAGES = [
    {"type": "message_start", "message": {"model": "claude", "usage": {"input_tokens": 5, "output_tokens": 1}}},
    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "hi"}},
    {"type": "message_delta", "usage": {"output_tokens": 7}},
    {"type": "message_stop"},
]
RESPONSE = {"model": "gpt-5", "status": "completed", "usage": {"input_tokens": 2, "output_tokens": 3}}
RESPONSES = [
    {"type": "response.created", "response": {"model": "gpt-5", "status": "in_progress", "usage": None}},
    {"type": "response.output_text.delta", "delta": "hi"},
    {"type": "response.completed", "response": RESPONSE},
]


def reader(slug: str, path: str) -> Reader:
    route = providers.PROVIDERS[slug].route("POST", path)
    assert route is not None
    return route.endpoint.reader()


def chat() -> Reader:
    return reader("openai", "/chat/completions")


def sse(documents: list[Any], ending: str = "\n", done: bool = True) -> bytes:
    lines = [json.dumps(document) for document in documents] + ["[DONE]"] * done
    return "".join(f"data: {line}{ending}{ending}" for line in lines).encode()


CHAT = ("openai", "/chat/completions")
STREAMS: dict[str, tuple[tuple[str, str], bytes]] = {
    "chat": (CHAT, sse([*CHUNKS, EXTRA])),
    "chat, CRLF": (CHAT, sse([*CHUNKS, EXTRA], "\r\n")),
    "chat, [DONE] twice": (CHAT, sse([*CHUNKS, EXTRA]) + b"data: [DONE]\n\n"),
    "chat, comments": (CHAT, b": ping\n\n" + sse([*CHUNKS, EXTRA])),
    "chat, BOM and no end": (CHAT, b"\xef\xbb\xbf" + sse([*CHUNKS, EXTRA], done=False)[:-2]),
    "chat, as one object": (
        ("openai", "/chat/completions"),
        json.dumps({**CHUNKS[2], "usage": USAGE}, indent=1).encode(),
    ),
    "messages": (("anthropic", "/messages"), sse(MESSAGES, done=False)),
    "responses": (("openai", "/responses"), sse(RESPONSES, done=False)),
    "gemini, SSE": (("google", "/models/g:streamGenerateContent"), sse(GEMINI, "\r\n", done=False)),
    "gemini, array": (("google", "/models/g:streamGenerateContent"), json.dumps(GEMINI, indent=2).encode()),
}


def answer(how: tuple[str, str], *chunks: bytes) -> tuple[Reading, bool]:
    found = StreamAnswer(reader(*how))
    assert [found.feed(chunk) for chunk in chunks] == list(chunks)
    assert found.rest() == b""
    return found.finish(), found.terminal


@pytest.mark.parametrize("name", STREAMS)
@given(draw=st.data())
def test_however_a_stream_is_split_the_reading_is_the_same(name: str, draw: st.DataObject) -> None:
    how, stream = STREAMS[name]
    whole = answer(how, stream)
    assert whole[0].usage is not None
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    edges = [0, *cuts, len(stream)]
    assert answer(how, *[stream[start:end] for start, end in pairwise(edges)]) == whole


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_byte_by_byte_and_as_a_body(name: str) -> None:
    how, stream = STREAMS[name]
    whole = answer(how, stream)
    assert answer(how, *[stream[at : at + 1] for at in range(len(stream))]) == whole
    assert read_body(reader(*how), stream) == whole[0]


@pytest.mark.parametrize(
    ("name", "terminal"),
    [("chat", True), ("messages", True), ("responses", True), ("gemini, SSE", False), ("chat, BOM and no end", False)],
)
def test_the_end_is_known_where_the_provider_says_it(name: str, terminal: bool) -> None:
    how, stream = STREAMS[name]
    assert answer(how, stream)[1] is terminal


def test_the_end_comes_with_its_event_and_not_from_content() -> None:
    found = StreamAnswer(chat())
    found.feed(sse([*CHUNKS, EXTRA], done=False))
    assert not found.terminal
    found.feed(b"data: [DONE]\n")
    assert not found.terminal
    found.feed(b"\n")
    assert found.terminal
    assert found.finish() == found.finish()


def test_usage_in_content_has_no_effect() -> None:
    reading = answer(CHAT, sse(CHUNKS))[0]
    assert reading.usage is None
    assert (reading.output_characters, reading.output_events) == (41, 2)


@given(st.data())
def test_only_the_extra_chunk_is_hidden(draw: st.DataObject) -> None:
    stream = b": ping\n\n" + sse([*CHUNKS, EXTRA, {"choices": [], "usage": None}])
    shown = stream.replace(sse([EXTRA], done=False), b"")
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    edges = [0, *cuts, len(stream)]
    found = StreamAnswer(chat(), hide_usage=True)
    passed = b"".join(found.feed(stream[start:end]) for start, end in pairwise(edges))
    assert passed + found.rest() == shown
    usage = found.finish().usage
    assert usage is not None
    assert usage.counts() == {"input_tokens": 12, "output_tokens": 3}


def test_a_cut_stream_gives_back_what_was_held() -> None:
    found = StreamAnswer(chat(), hide_usage=True)
    assert found.feed(b'data: {"choices": [{"delta": {"cont') == b""
    found.finish()
    assert found.rest() == b'data: {"choices": [{"delta": {"cont'
    assert found.rest() == b""


def test_only_space_has_come() -> None:
    found = StreamAnswer(chat(), hide_usage=True)
    assert found.feed(b"\n \n") == b""
    assert found.rest() == b"\n \n"
    assert found.finish().usage is None


def test_a_compressed_stream_is_read_and_passed_as_it_is() -> None:
    stream = gzip.compress(sse([*CHUNKS, EXTRA]))
    found = StreamAnswer(chat(), [(b"content-encoding", b"gzip")], hide_usage=True)
    assert b"".join(found.feed(stream[at : at + 7]) for at in range(0, len(stream), 7)) == stream
    usage = found.finish().usage
    assert usage is not None
    assert usage.counts() == {"input_tokens": 12, "output_tokens": 3}


def test_a_compressed_body_is_read() -> None:
    body = gzip.compress(json.dumps({"model": "m", "usage": USAGE}).encode())
    assert read_body(chat(), body, [(b"content-encoding", b"gzip")]).usage is not None
    assert read_body(chat(), body, [(b"content-encoding", b"br")]).usage is None


@pytest.mark.parametrize(
    "body", [b"", b" ", b"null", b"1", b'"usage"', b"[]", b"[1,null]", b"{", b"<html>", b"\xff\xfe", b"[" * 100_000]
)
def test_what_is_no_answer_has_no_usage(body: bytes) -> None:
    assert read_body(chat(), body) == Reading(None)
    found = StreamAnswer(chat())
    found.feed(body)
    assert found.finish() == Reading(None)


def test_an_answer_with_broken_text_still_tells_its_usage() -> None:
    body = b'{"choices":[{"message":{"content":"\xff"}}],"usage":{"prompt_tokens":1,"completion_tokens":NaN}}'
    reading = read_body(chat(), body)
    assert reading.usage is None
    assert reading.flags == ("usage_anomaly",)
    usage = read_body(chat(), body.replace(b"NaN", b"2")).usage
    assert usage is not None
    assert usage.total_tokens == 3
