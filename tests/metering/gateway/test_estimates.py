"""The same call streamed and not, compressed and not, cut off at any point: the same usage, or a marked estimate."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import os
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import orjson
import pytest

from metering.encodings import count
from metering.estimates import MESSAGE_TOKENS
from metering.families import CLAUDE, GEMINI, tokens_of
from metering.records import decode
from tests.metering.gateway.conftest import Running, Start
from tests.metering.gateway.test_recordings import answer_of, ask
from tests.metering.test_recordings import CASES, USAGE_KNOWN, counts
from tests.upstreams.provider import Answer, Provider

SLUGS = ("openai", "anthropic", "google")
WORDS = [
    f" {word}" for word in "It was a bright cold day in April and the clocks were striking thirteen so".split() * 2
]
PROMPT = "Begin a novel, and do not be shy about the weather."
CUTS = 10
TAIL = 65536

MINE = [case for case in CASES if case.values[0]["provider"] in SLUGS]
STREAMED = [case for case in MINE if case.values[0]["stream"] and case.values[0]["response"]["status"] == 200]
recorded = pytest.mark.skipif(not STREAMED, reason="no recordings: set TOKONOMICS_RECORDINGS")


@pytest.fixture(scope="module")
def shared(module_start: Start) -> Iterator[tuple[Running, Provider]]:
    """One gateway and one provider for all of them."""
    provider = Provider(lambda received: Answer())
    yield module_start(dict.fromkeys(SLUGS, provider.url)), provider
    provider.close()


def sse(*documents: Any) -> bytes:
    return b"".join(b"data: %b\n\n" % orjson.dumps(document) for document in documents)


def chat(words: list[str]) -> tuple[str, bytes, bytes, list[bytes]]:
    """Path, request and the answer in one piece and in many."""
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": PROMPT}]}
    usage = {"prompt_tokens": 20, "completion_tokens": 40, "total_tokens": 60}
    frame = {"id": "c", "model": "gpt-4o-mini-2024-07-18"}
    message = {"message": {"role": "assistant", "content": "".join(words)}, "finish_reason": "stop"}
    pieces = [sse({**frame, "choices": [{"index": 0, "delta": {"content": word}}]}) for word in words]
    pieces += [sse({**frame, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})]
    pieces += [sse({**frame, "choices": [], "usage": usage}), b"data: [DONE]\n\n"]
    whole = orjson.dumps({**frame, "choices": [message], "usage": usage})
    return "/proxy/openai/chat/completions", orjson.dumps(body), whole, pieces


def messages(words: list[str]) -> tuple[str, bytes, bytes, list[bytes]]:
    body = {"model": "claude-sonnet-4-5", "max_tokens": 99, "messages": [{"role": "user", "content": PROMPT}]}
    usage = {"input_tokens": 20, "cache_read_input_tokens": 5, "output_tokens": 40}
    message = {"type": "message", "model": "claude-sonnet-4-5", "content": [{"type": "text", "text": "".join(words)}]}
    start = {**message, "content": [], "usage": {"input_tokens": 20, "cache_read_input_tokens": 5, "output_tokens": 1}}
    pieces = [sse({"type": "message_start", "message": start})]
    pieces += [sse({"type": "content_block_delta", "delta": {"type": "text_delta", "text": word}}) for word in words]
    pieces += [sse({"type": "message_delta", "usage": usage}), sse({"type": "message_stop"})]
    return "/proxy/anthropic/v1/messages", orjson.dumps(body), orjson.dumps({**message, "usage": usage}), pieces


def gemini(words: list[str]) -> tuple[str, bytes, bytes, list[bytes]]:
    body = {"contents": [{"role": "user", "parts": [{"text": PROMPT}]}]}

    def piece(text: str, output: int, **more: Any) -> dict[str, Any]:
        usage = {"promptTokenCount": 20, "candidatesTokenCount": output, "totalTokenCount": 20 + output}
        return {
            "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, **more}],
            "usageMetadata": usage,
            "modelVersion": "gemini-2.5-flash",
        }

    pieces = [sse(piece(word, number)) for number, word in enumerate(words)]
    pieces.append(sse(piece("", 40, finishReason="STOP")))
    whole = orjson.dumps(piece("".join(words), 40, finishReason="STOP"))
    return "/proxy/google/v1beta/models/gemini-2.5-flash:generateContent", orjson.dumps(body), whole, pieces


DIALECTS = [pytest.param(dialect, id=dialect.__name__) for dialect in (chat, messages, gemini)]


def newest(gateway: Running) -> dict[str, Any] | None:
    """The event of the newest call, once it is there; calls come one after the other."""
    with max(gateway.spool.glob("*.spool")).open("rb") as spool:
        spool.seek(max(0, spool.seek(0, os.SEEK_END) - TAIL))
        records = [decode(line) for line in spool.read().splitlines(keepends=True)[1:]]
    return records[-1] if records and records[-1]["kind"] == "result" else None


def event_of(gateway: Running, call: Callable[[], http.client.HTTPResponse]) -> dict[str, Any]:
    """The event of one call, whatever becomes of its answer."""
    before = newest(gateway)
    with contextlib.suppress(http.client.HTTPException, ConnectionError):
        call().read()
    event = gateway.wait(lambda: (found := newest(gateway)) != before and found)
    assert isinstance(event, dict)
    return event


def told(gateway: Running, provider: Provider, answer: Answer, path: str, body: bytes) -> dict[str, Any]:
    """The event of a call that is answered so."""
    provider.answer = lambda received: answer
    return event_of(gateway, lambda: gateway.call(path, body))


def streamed(pieces: list[bytes], *, packed: bool, cut: bool) -> Answer:
    headers = {"content-type": "text/event-stream"}
    if packed:
        headers["content-encoding"] = "gzip"
        pieces = [_so_far(pieces) if cut else gzip.compress(b"".join(pieces))]
    return Answer(headers=headers, chunks=pieces, short=cut)


def _so_far(pieces: list[bytes]) -> bytes:
    """A gzip stream without its end."""
    packer = zlib.compressobj(wbits=31)
    return packer.compress(b"".join(pieces)) + packer.flush(zlib.Z_SYNC_FLUSH)


def ask_streamed(path: str, body: bytes) -> tuple[str, bytes]:
    if ":generateContent" in path:
        return path.replace(":generateContent", ":streamGenerateContent") + "?alt=sse", body
    return path, orjson.dumps({**orjson.loads(body), "stream": True})


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_streamed_and_unstreamed_are_one(
    shared: tuple[Running, Provider], dialect: Callable[..., Any], packed: bool
) -> None:
    gateway, provider = shared
    path, body, whole, pieces = dialect(WORDS)
    headers = {"content-type": "application/json", **({"content-encoding": "gzip"} if packed else {})}
    once = told(gateway, provider, Answer(headers=headers, body=gzip.compress(whole) if packed else whole), path, body)
    again = told(gateway, provider, streamed(pieces, packed=packed, cut=False), *ask_streamed(path, body))
    assert (once["usage"], once["cost"], once["estimated"]) == (again["usage"], again["cost"], again["estimated"])
    assert (once["usage"]["output_tokens"], once["estimated"], once["status"]) == (40, False, "ok")


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_cut_off_at_any_tenth_it_is_the_same_or_says_that_it_is_estimated(
    shared: tuple[Running, Provider], dialect: Callable[..., Any], packed: bool
) -> None:
    gateway, provider = shared
    path, body, _, pieces = dialect(WORDS)
    exact = []
    for tenth in range(CUTS + 1):
        seen = pieces[: len(pieces) * tenth // CUTS]
        event = told(gateway, provider, streamed(seen, packed=packed, cut=True), *ask_streamed(path, body))
        exact.append(not event["estimated"])
        if event["estimated"]:
            assert event["usage"]["input_tokens"] > 0
            assert event["cost"] > 0
            assert event["usage"].get("output_tokens", 0) <= 45
        else:
            assert event["usage"]["input_tokens"] == (25 if dialect is messages else 20)
            assert event["usage"]["output_tokens"] == 40
    assert (exact[0], exact[-1]) == (False, True)
    assert exact == sorted(exact)


@pytest.mark.parametrize(("dialect", "kind"), [(messages, CLAUDE), (gemini, GEMINI)], ids=["messages", "gemini"])
def test_what_a_broken_stream_told_is_kept_and_its_text_counted(
    shared: tuple[Running, Provider], dialect: Callable[..., Any], kind: Any
) -> None:
    gateway, provider = shared
    path, body, _, pieces = dialect(WORDS)
    event = told(gateway, provider, streamed(pieces[:21], packed=False, cut=True), *ask_streamed(path, body))
    text = "".join(WORDS[: 20 if dialect is messages else 21])
    assert event["estimated"] is True
    assert event["usage"]["input_tokens"] == (25 if dialect is messages else 20)
    assert event["usage"]["output_tokens"] == max(tokens_of(kind, text), len(text.split()))
    assert event["usage"].get("cache_read_tokens", 0) == (5 if dialect is messages else 0)


def test_what_openai_did_not_tell_is_counted_with_its_own_encoding(shared: tuple[Running, Provider]) -> None:
    gateway, provider = shared
    path, body, _, _ = chat(WORDS)
    text = "Donaudampfschifffahrtsgesellschaftskapitän " * 8
    document = {"model": "gpt-4o-mini", "choices": [{"index": 0, "delta": {"content": text}}]}
    answer = streamed([sse(document)], packed=False, cut=True)
    event = told(gateway, provider, answer, *ask_streamed(path, body))
    assert event["usage"] == {
        "input_tokens": count("o200k_base", PROMPT) + 2 * MESSAGE_TOKENS,
        "output_tokens": count("o200k_base", text),
    }
    assert event["cost"] == event["usage"]["input_tokens"] * 150 + event["usage"]["output_tokens"] * 600


def test_an_unstreamed_answer_without_usage_says_its_estimated_cost(shared: tuple[Running, Provider]) -> None:
    gateway, provider = shared
    path, body, whole, _ = chat(WORDS)
    document = orjson.loads(whole)
    del document["usage"]
    provider.answer = lambda received: Answer(body=orjson.dumps(document))
    answer = gateway.call(path, body)
    assert answer.read() == orjson.dumps(document)
    event = newest(gateway)
    assert event is not None
    assert event["id"] == answer.headers["x-metering-event-id"]
    assert (event["estimated"], event["status"]) == (True, "ok")
    assert event["usage"]["output_tokens"] == count("o200k_base", "".join(WORDS))
    assert answer.headers["x-metering-cost-usd"] == f"{event['cost'] / 1e9:.9f}".rstrip("0")


@recorded
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("recording", STREAMED)
def test_a_recorded_stream_cut_off_at_any_tenth(
    shared: tuple[Running, Provider], recording: dict[str, Any], packed: bool
) -> None:
    gateway, provider = shared
    body = recording["response"]["body"].encode()
    for tenth in range(CUTS):
        seen = body[: len(body) * tenth // CUTS]
        answer = streamed([seen] if seen else [], packed=packed, cut=True)
        provider.received.clear()
        event = event_of(gateway, partial(ask_for, gateway, provider, recording, answer))
        assert len(provider.received) == 1
        judge(recording, event)


def ask_for(gateway: Running, provider: Provider, recording: dict[str, Any], answer: Answer) -> Any:
    provider.answer = lambda received: answer
    return ask(gateway, recording)


def judge(recording: dict[str, Any], event: dict[str, Any]) -> None:
    """Exact, or estimated with something of both kinds that is not free."""
    expected = recording["expected"]
    if event["estimated"]:
        assert event["usage"]["input_tokens"] > 0
        assert event["cost"] is None or event["cost"] > 0
    elif recording["id"] not in USAGE_KNOWN:
        assert event["usage"] == counts(expected["usage"])


@recorded
@pytest.mark.parametrize("recording", [case for case in STREAMED if case.values[0]["expected"]["usage_present"]])
def test_a_recorded_stream_that_came_whole_is_not_estimated(
    shared: tuple[Running, Provider], recording: dict[str, Any]
) -> None:
    gateway, provider = shared
    provider.answer = lambda received: answer_of(recording)
    assert event_of(gateway, lambda: ask(gateway, recording))["estimated"] is False
