"""What is counted without parsing is what parsing would have counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.answers import StreamAnswer
from metering.providers.anthropic import MessagesReader
from metering.providers.base import Reader
from metering.providers.chat import ChatReader
from metering.providers.reader import AnswerReader
from metering.providers.responses import ResponsesReader
from metering.usage import Reading

TEXTS = st.text() | st.text(st.characters(min_codepoint=32, max_codepoint=126)) | st.sampled_from(["", '"', "\\", "{}"])


def chat(**members: Any) -> dict[str, Any]:
    return {"id": "c", "model": "gpt-4.1", "choices": [{"index": 0, "finish_reason": None}], **members}


def chat_event(text: str) -> dict[str, Any]:
    return chat(choices=[{"index": 0, "delta": {"content": text}, "finish_reason": None}], usage=None)


def messages_event(text: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


def responses_event(text: str) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "item_id": "m", "delta": text, "logprobs": [], "obfuscation": "x"}


SHAPES: list[tuple[Callable[[], Reader], Callable[[str], dict[str, Any]]]] = [
    (ChatReader, chat_event),
    (MessagesReader, messages_event),
    (ResponsesReader, responses_event),
]

ODD = [
    chat(choices=[{"delta": {"content": "a"}}, {"delta": {"content": "b"}}]),
    chat(choices=[{"delta": {"content": "a"}, "error": {"code": "overloaded"}}]),
    chat(choices=[{"delta": {"content": "a"}}], usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}),
    chat(choices=[{"delta": {"content": "a"}}], usage=None, x_groq={"usage": {"prompt_tokens": 4}}),
    chat(choices=[{"delta": {"content": "a", "reasoning_content": "b"}}]),
    chat(choices=[{"delta": {"role": "assistant", "content": "a"}}]),
    {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": '{"a"'}},
    {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "hm"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
    {"type": "response.function_call_arguments.delta", "delta": '{"a'},
    {"type": "response.completed", "response": {"model": "m", "usage": {"input_tokens": 1, "output_tokens": 2}}},
]


def parsed(reader: Reader, documents: list[dict[str, Any]]) -> Reading:
    for document in documents:
        reader.read(document)
    return reader.reading()


def streamed(reader: Reader, documents: list[dict[str, Any]], indented: bool = False) -> Reading:
    """As the gateway reads it, an event a chunk."""
    answer = StreamAnswer(reader)
    for document in documents:
        text = orjson.dumps(document).replace(b":", b": ") if indented else orjson.dumps(document)
        answer.feed(b"event: x\ndata: %b\n\n" % text)
    return answer.finish()


@pytest.mark.parametrize(("reader", "event"), SHAPES)
@given(texts=st.lists(TEXTS, min_size=1))
def test_text_is_counted_alike(
    reader: Callable[[], Reader], event: Callable[[str], dict[str, Any]], texts: list[str]
) -> None:
    documents = [event(text) for text in texts]
    assert streamed(reader(), documents) == parsed(reader(), documents)


@pytest.mark.parametrize("document", ODD)
@pytest.mark.parametrize("indented", [False, True])
def test_what_is_more_than_text_is_parsed(document: dict[str, Any], indented: bool) -> None:
    for reader, event in SHAPES:
        documents = [event("first"), document, event("last")]
        assert streamed(reader(), documents, indented) == parsed(reader(), documents)


@pytest.mark.parametrize(("reader", "event"), SHAPES)
def test_nearly_all_of_a_stream_is_not_parsed(
    reader: Callable[[], Reader], event: Callable[[str], dict[str, Any]]
) -> None:
    fresh = reader()
    assert isinstance(fresh, AnswerReader)
    fresh.model = "known"
    assert fresh.skim(b"data: %b\n\n" % orjson.dumps(event("plain words")))
    assert (fresh.characters, fresh.events) == (11, 1)
    assert not fresh.skim(b"data: %b\n\n" % orjson.dumps(event("naïve \\ words")))


PIECES = st.sampled_from(
    [b"", b" ", b"one two", b"\n", b"\n\n", b'"', b"\\n", "ä".encode(), b"data: {}", b"\r\n", b"}"]
)


@given(st.data())
def test_what_looks_like_the_event_before_it_is_counted_as_that(data: st.DataObject) -> None:
    reader, event = data.draw(st.sampled_from(SHAPES))
    before, after = orjson.dumps(event("TEXT")).split(b"TEXT")
    if data.draw(st.booleans()):
        after = after.removesuffix(b"}") + b',"obfuscation":"'
    last = b'"}\n\n' if after.endswith(b'"') else b"\n\n"
    answer, general = StreamAnswer(reader()), StreamAnswer(reader())
    for _ in range(data.draw(st.integers(2, 6))):
        text, padding, end = data.draw(PIECES), data.draw(PIECES), data.draw(PIECES)
        chunk = b"data: %b%b%b%b%b%b" % (before, text, after, padding, last, end)
        assert answer.feed(chunk) == general.feed(chunk[:7]) + general.feed(chunk[7:])
    assert answer.finish() == general.finish()
