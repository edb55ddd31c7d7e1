from __future__ import annotations

import json
from struct import pack
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.answers import StreamAnswer
from metering.eventstream import DAMAGED, LARGEST_MESSAGE, EventStreamDecoder
from metering.providers.bedrock_usage import STREAM_DAMAGED, ConverseReader, InvokeReader
from metering.usage import Reading

HEADERS = [(b"content-type", b"application/vnd.amazon.eventstream")]
TYPES: dict[int, bytes] = {
    0: b"",
    1: b"",
    2: b"\x01",
    3: b"\x00\x01",
    4: b"\x00\x00\x00\x01",
    5: b"\x00" * 8,
    6: b"\x00\x03abc",
    8: b"\x00" * 8,
    9: b"\x00" * 16,
}


def text(name: str, value: str) -> bytes:
    return pack(">B", len(name)) + name.encode() + b"\x07" + pack(">H", len(value)) + value.encode()


def framed(headers: bytes, payload: bytes) -> bytes:
    prelude = pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + pack(">I", crc32(prelude)) + headers + payload
    return message + pack(">I", crc32(message))


def event(kind: str, payload: Any, *, message_type: str = "event") -> bytes:
    header = {"event": ":event-type", "exception": ":exception-type", "error": ":error-code"}[message_type]
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return framed(text(header, kind) + text(":message-type", message_type), body)


def documents(stream: bytes) -> list[Any]:
    decoder = EventStreamDecoder()
    return [json.loads(data) for _, data in (*decoder.decode(stream), *decoder.flush()) if data]


WORDS = [{"contentBlockIndex": 0, "delta": {"text": word}} for word in ("Hello", " world")]
USAGE = {"usage": {"inputTokens": 8, "outputTokens": 10, "totalTokens": 18}, "metrics": {"latencyMs": 5}}
CONVERSATION = b"".join(
    [
        event("messageStart", {"role": "assistant"}),
        *(event("contentBlockDelta", word) for word in WORDS),
        event("messageStop", {"stopReason": "end_turn"}),
        event("metadata", USAGE),
    ]
)


def reading_of(stream: bytes, sizes: list[int] | None = None) -> Reading:
    answer = StreamAnswer(ConverseReader(), HEADERS)
    start = 0
    for size in sizes or []:
        assert answer.feed(stream[start : start + size]) == stream[start : start + size]
        start += size
    assert answer.feed(stream[start:]) == stream[start:]
    return answer.finish()


def test_a_message_is_named_by_its_type() -> None:
    assert documents(CONVERSATION) == [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": WORDS[0]},
        {"contentBlockDelta": WORDS[1]},
        {"messageStop": {"stopReason": "end_turn"}},
        {"metadata": USAGE},
    ]


def test_errors_and_empty_payloads() -> None:
    assert documents(event("throttlingException", {"message": "slow"}, message_type="exception")) == [
        {"throttlingException": {"message": "slow"}}
    ]
    assert documents(event("InternalError", b"", message_type="error")) == [{"InternalError": {}}]


@pytest.mark.parametrize("kind", TYPES)
def test_headers_of_every_type_are_passed_over(kind: int) -> None:
    other = b"\x05other" + bytes([kind]) + TYPES[kind]
    message = framed(other + text(":event-type", "metadata") + text(":message-type", "event"), b"{}")
    assert documents(message) == [{"metadata": {}}]


def test_the_last_message_ends_the_stream() -> None:
    answer = StreamAnswer(ConverseReader(), HEADERS)
    answer.feed(CONVERSATION[:-1])
    assert not answer.terminal
    answer.feed(CONVERSATION[-1:])
    assert answer.terminal


@given(st.data())
def test_any_split_gives_the_same(data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(CONVERSATION)), max_size=40)))
    sizes = [end - start for start, end in zip([0, *cuts], cuts, strict=False)]
    found = reading_of(CONVERSATION, sizes)
    assert found == reading_of(CONVERSATION) == reading_of(CONVERSATION, [1] * len(CONVERSATION))
    assert found.usage is not None
    assert found.usage.counts() == {"input_tokens": 8, "output_tokens": 10}
    assert (found.output_characters, found.output_events, found.flags) == (11, 2, ())


@given(st.lists(st.binary(max_size=300), max_size=8), st.sampled_from([b"", CONVERSATION]))
def test_anything_is_passed_on_and_raises_nothing(pieces: list[bytes], start: bytes) -> None:
    decoder = EventStreamDecoder()
    events = [event for piece in (start, *pieces) for event in decoder.decode(piece)] + decoder.flush()
    assert b"".join(raw for raw, _ in events) == start + b"".join(pieces)
    for reader in (ConverseReader(), InvokeReader()):
        answer = StreamAnswer(reader, HEADERS)
        for piece in (start, *pieces):
            assert answer.feed(piece) == piece
        answer.finish()


@given(st.integers(0, len(CONVERSATION) - 1), st.integers(1, 255))
def test_a_damaged_byte_is_always_seen(place: int, change: int) -> None:
    damaged = bytearray(CONVERSATION)
    damaged[place] ^= change
    found = reading_of(bytes(damaged))
    assert STREAM_DAMAGED in found.flags
    assert found.usage in (None, reading_of(CONVERSATION).usage)


@given(st.integers(1, len(CONVERSATION) - 1))
def test_a_stream_that_was_cut_is_flagged_unless_between_two_messages(end: int) -> None:
    decoder = EventStreamDecoder()
    whole = b"".join(raw for raw, _ in decoder.decode(CONVERSATION[:end])) == CONVERSATION[:end]
    assert (STREAM_DAMAGED in reading_of(CONVERSATION[:end]).flags) is not whole


def test_what_comes_after_a_message_with_a_wrong_checksum_is_read() -> None:
    first = len(event("messageStart", {"role": "assistant"}))
    damaged = CONVERSATION[: first - 1] + bytes([CONVERSATION[first - 1] ^ 1]) + CONVERSATION[first:]
    found = reading_of(damaged)
    assert found.flags == (STREAM_DAMAGED,)
    assert found.usage == reading_of(CONVERSATION).usage


@pytest.mark.parametrize("length", [0, 15, LARGEST_MESSAGE + 1, 2**32 - 1])
def test_an_impossible_length_is_damage_at_once(length: int) -> None:
    prelude = pack(">II", length, 0)
    stream = prelude + pack(">I", crc32(prelude)) + CONVERSATION
    decoder = EventStreamDecoder()
    [(raw, data)] = decoder.decode(stream)
    assert (raw, json.loads(data)) == (stream, {DAMAGED: True})
    assert decoder.decode(b"more") == [(b"more", b"")]


def test_headers_that_are_cut_short_or_unknown_are_damage() -> None:
    for headers in (b"\x20short", b"\x04name\x63", b"\x04name\x07\x00"):
        assert documents(framed(headers, b"{}")) == [{DAMAGED: True}]
