from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering import encodings
from metering.encodings import NoEncoding, count
from metering.estimates import (
    MEDIUM_TOKENS,
    MESSAGE_TOKENS,
    MOST_KEPT,
    Request,
    Told,
    by_length,
    estimate,
    input_tokens,
    kept,
)
from metering.families import OTHERS, Family, tokens_of
from metering.usage import Reading, Usage

O200K = Family("o200k_base")
TEXT = "Summarise the attached report in three sentences, and name the two risks that matter most. "


def asked(*contents: Any, **more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text} for text in contents], **more}


def whole(document: dict[str, Any]) -> Request:
    return Request(len(orjson.dumps(document)), document)


def test_a_prompt_of_openai_is_counted_by_its_encoding_and_the_frame_of_its_messages() -> None:
    document = asked(TEXT, "And now shorter.")
    expected = count("o200k_base", f"{TEXT}\nAnd now shorter.") + 3 * MESSAGE_TOKENS
    assert input_tokens(O200K, whole(document)) == expected == 33


def test_a_picture_counts_as_one_whatever_its_bytes() -> None:
    data = "data:image/png;base64," + "A" * 100_000
    picture = {"type": "image_url", "image_url": {"url": data}}
    document = asked([{"type": "text", "text": TEXT}, picture])
    assert input_tokens(O200K, whole(document)) == input_tokens(O200K, whole(asked(TEXT))) + MEDIUM_TOKENS


@pytest.mark.parametrize(
    "document",
    [
        {
            "system": TEXT,
            "messages": [{"role": "user", "content": [{"type": "document", "source": {"data": "A" * 99}}]}],
        },
        {"contents": [{"role": "user", "parts": [{"text": TEXT}, {"inlineData": {"mimeType": "a/b", "data": "A"}}]}]},
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}], "instructions": TEXT},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "https://x"}, {"text": TEXT}]}]},
        {"messages": [{"role": "user", "content": [TEXT, "data:image/png;base64,AAAA"]}]},
    ],
)
def test_media_are_found_in_every_dialect(document: dict[str, Any]) -> None:
    text = tokens_of(OTHERS, TEXT)
    assert input_tokens(OTHERS, whole(document)) == text + MEDIUM_TOKENS + 2 * MESSAGE_TOKENS


def test_settings_are_no_prompt_and_tools_are() -> None:
    plain = input_tokens(O200K, whole(asked(TEXT)))
    assert input_tokens(O200K, whole(asked(TEXT, user="x" * 500, stop=["y" * 500], stream=True))) == plain
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"city": {"type": "string"}}}}]
    more = input_tokens(O200K, whole(asked(TEXT, tools=tools))) - plain
    assert more == pytest.approx(count("o200k_base", orjson.dumps(tools).decode()), abs=2)


def test_a_short_request_is_kept_whole_while_its_answer_is_streamed() -> None:
    document = asked(TEXT)
    assert input_tokens(O200K, kept(orjson.dumps(document))) == input_tokens(O200K, whole(document))


@pytest.mark.parametrize("text", [TEXT, "Ünïcödé " * 20, "語の" * 40])
def test_of_a_long_request_beginning_and_end_stand_for_the_rest(text: str) -> None:
    document = asked(*[text] * 200)
    request = kept(bytearray(orjson.dumps(document)))
    assert (len(request.text.encode()) <= MOST_KEPT, request.body, request.document) == (True, b"", None)
    exact = input_tokens(O200K, whole(document))
    assert exact <= input_tokens(O200K, request) <= exact * 1.4


@pytest.mark.parametrize(
    "picture",
    [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBORw0K" * 5000}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0K" * 5000}},
        {"inlineData": {"mimeType": "image/png", "data": "data:image/png;base64," + "iVBORw0K" * 5000}},
    ],
)
@pytest.mark.parametrize("number", [1, 3])
def test_pictures_of_a_long_request_count_as_such(picture: dict[str, Any], number: int) -> None:
    document = asked([{"type": "text", "text": TEXT}, *[picture] * number, {"type": "text", "text": TEXT}])
    for body in (orjson.dumps(document), json.dumps(document).encode()):
        request = kept(body)
        assert request.media == number
        exact = input_tokens(O200K, whole(document))
        assert exact * 0.9 <= input_tokens(O200K, request) <= exact * 1.2


@settings(max_examples=200)
@given(st.binary(max_size=20), st.lists(st.sampled_from([b'"data":"', b";base64,", b'"', b"A" * 300, b"\xff" * 2000])))
def test_any_bytes_can_be_kept(start: bytes, pieces: list[bytes]) -> None:
    request = kept(start + b"".join(pieces))
    assert 0 <= request.characters <= request.body_bytes


def test_what_was_told_stands_and_the_rest_is_counted() -> None:
    told = Usage(input_tokens=900, output_tokens=1, cache_read_tokens=800)
    reading = Reading(told, "claude-sonnet-4-5", output_characters=340, output_events=4, output_text=b"a" * 340)
    found = estimate(Told("claude-sonnet-4-5", whole(asked("ignored" * 999)), reading))
    assert found == told._replace(output_tokens=100)


def test_an_event_of_a_stream_is_a_token_at_least() -> None:
    reading = Reading(None, output_characters=10, output_events=10, output_text=b"aaaaaaaaaa")
    assert estimate(Told("gpt-4o", whole(asked(TEXT)), reading)).output_tokens == 10


def test_text_that_was_not_kept_is_like_that_which_was() -> None:
    text = (TEXT * 40).encode()
    reading = Reading(None, output_characters=10 * len(text), output_events=5, output_text=text)
    found = estimate(Told("gpt-4o", whole(asked(TEXT)), reading))
    assert found.output_tokens == 10 * count("o200k_base", text.decode())


def test_a_call_of_nothing_is_not_free() -> None:
    assert estimate(Told("gpt-4o", Request(2, {}), Reading(None))) == Usage(input_tokens=1)
    assert by_length(Told("gpt-4o", Request(0), Reading(None))) == Usage(input_tokens=1)


def test_lengths_have_to_do_without_an_encoding(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def missing(name: str, text: str) -> int:
        raise NoEncoding("gone")

    monkeypatch.setattr(encodings, "count", missing)
    reading = Reading(None, output_characters=370, output_events=1, output_text=b"a" * 370)
    assert estimate(Told("gpt-4o", whole(asked("a" * 37)), reading)) == Usage(10 + 2 * MESSAGE_TOKENS, 100)
    assert "estimated by length" in caplog.text


def test_by_length_needs_no_text() -> None:
    reading = Reading(Usage(output_tokens=2), output_characters=400, output_events=3)
    assert by_length(Told("gpt-4o", Request(4000), reading)) == Usage(1000, 100)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from("role content type text tools data image_url messages x".split()), inner)
    ),
    max_leaves=20,
)


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from("messages input contents system tools model".split()), JSON))
def test_any_request_has_an_estimate(document: dict[str, Any]) -> None:
    for model in ("gpt-4o", "claude-sonnet-4-5"):
        found = estimate(Told(model, Request(1, document), Reading(None)))
        assert (found.input_tokens > 0, found.output_tokens) == (True, 0)


def test_a_request_nested_without_end_has_an_estimate() -> None:
    nested: Any = TEXT
    for _ in range(900):
        nested = {"parameters": [nested]}
    assert estimate(Told("gpt-4o", Request(1, {"tools": nested}), Reading(None))).input_tokens > 10
