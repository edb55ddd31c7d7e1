from __future__ import annotations

from typing import Any

import orjson
import pytest

from metering.answers import StreamAnswer, read_body
from metering.providers.cohere import COHERE, CohereReader
from metering.usage import Reading

USAGE = {
    "billed_units": {"input_tokens": 62.0, "output_tokens": 28},
    "tokens": {"input_tokens": 968, "output_tokens": 83},
    "cached_tokens": 928,
}
KNOWN = {"input_tokens": 62, "output_tokens": 28, "cache_read_tokens": 928}


def reading(*documents: Any) -> Reading:
    reader = CohereReader()
    for document in documents:
        reader.read(document)
    return reader.reading()


def counts(*documents: Any) -> dict[str, int] | None:
    usage = reading(*documents).usage
    return None if usage is None else usage.counts()


@pytest.mark.parametrize(
    ("path", "own", "kind"),
    [
        ("/v2/chat", "/v2/chat", "chat"),
        ("/v1/chat", "/v1/chat", "chat"),
        ("/chat", "/v2/chat", "chat"),
        ("/v1/v2/chat", "/v2/chat", "chat"),
        ("/rerank", "/v2/rerank", "rerank"),
        ("/v1/rerank", "/v1/rerank", "rerank"),
        ("/embed", "/v2/embed", "embed"),
        ("/generate", "/v1/generate", "generate"),
        ("/tokenize", "/v1/tokenize", "tokenize"),
        ("/chat/completions", "/compatibility/v1/chat/completions", "chat.completions"),
        ("/compatibility/v1/chat/completions", "/compatibility/v1/chat/completions", "chat.completions"),
        ("/v1/embeddings", "/compatibility/v1/embeddings", "embeddings"),
    ],
)
def test_paths(path: str, own: str, kind: str) -> None:
    route = COHERE.route("POST", path)
    assert route is not None
    assert (route.path, route.endpoint.kind) == (own, kind)


def test_what_is_billed_counts() -> None:
    plain = reading({"message": {"content": [{"type": "text", "text": "Hi"}]}, "usage": USAGE})
    assert plain.usage is not None
    assert (plain.usage.counts(), plain.output_characters) == (KNOWN, 2)


def test_more_cached_than_billed_is_no_contradiction() -> None:
    assert reading({"usage": USAGE}).flags == ()


def test_the_first_version_says_it_in_meta() -> None:
    assert counts({"text": "Hi", "meta": USAGE}) == KNOWN


def test_a_stream_of_the_second_version() -> None:
    events: list[dict[str, Any]] = [
        {"type": "message-start", "delta": {"message": {"role": "assistant"}}},
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Hello"}}}},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": USAGE}},
    ]
    answer = StreamAnswer(CohereReader())
    for event in events:
        assert not answer.terminal
        answer.feed(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event)))
    assert answer.terminal
    found = answer.finish()
    assert found.usage is not None
    assert (found.usage.counts(), found.output_characters, found.error) == (KNOWN, 5, "")


def test_a_stream_of_the_first_version_is_lines_of_json() -> None:
    lines = [
        {"is_finished": False, "event_type": "stream-start", "generation_id": "g"},
        {"is_finished": False, "event_type": "text-generation", "text": "Hello"},
        {
            "is_finished": True,
            "event_type": "stream-end",
            "finish_reason": "COMPLETE",
            "response": {"text": "Hello", "meta": USAGE},
        },
    ]
    found = read_body(CohereReader(), b"\n".join(map(orjson.dumps, lines)))
    assert found.usage is not None
    assert (found.usage.counts(), found.output_characters) == (KNOWN, 5)


def test_pictures_are_a_part_of_the_input() -> None:
    billed = {"input_tokens": 4, "image_tokens": 300}
    assert counts({"meta": {"billed_units": billed}}) == {"input_tokens": 304, "input_image_tokens": 300}


def test_searches() -> None:
    assert counts({"results": [], "meta": {"billed_units": {"search_units": 2}}}) == {"search_units": 2}


@pytest.mark.parametrize("billed", [{"images": 1}, {"classifications": 3}, {}, None, [], "none"])
def test_what_has_no_count_of_ours_is_no_usage(billed: Any) -> None:
    assert counts({"meta": {"api_version": {"version": "2"}, "billed_units": billed}}) is None


def test_without_billed_units_all_tokens_count() -> None:
    assert counts({"usage": {"tokens": {"input_tokens": 9, "output_tokens": 1}}}) == {
        "input_tokens": 9,
        "output_tokens": 1,
    }


def test_a_failure_inside_a_stream() -> None:
    assert reading({"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "x"}}).error == "ERROR"
