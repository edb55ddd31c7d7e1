from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from metering import sse
from metering.sse import Event, SSEDecoder

PIECES = st.sampled_from(
    [
        b"\n",
        b"\r",
        b"\r\n",
        b"data: x",
        b"data:",
        b"data",
        b":",
        b": ping",
        b"event: a",
        b"[DONE]",
        b"\xef\xbb\xbf",
        b"\xff",
    ]
)
STREAMS = st.lists(PIECES, max_size=20).map(b"".join) | st.binary(max_size=60)


def events_of(*chunks: bytes) -> list[Event]:
    decoder = SSEDecoder()
    events = [event for chunk in chunks for event in decoder.decode(chunk)]
    return events + decoder.flush()


def data_of(*chunks: bytes) -> list[bytes]:
    return [data for _, data in events_of(*chunks)]


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        (b"data: one\n\n", [b"one"]),
        (b"data:one\n\n", [b"one"]),
        (b"data:  one\n\n", [b" one"]),
        (b"data: one\ndata: two\n\n", [b"one\ntwo"]),
        (b"data: one\r\n\r\ndata: two\r\n\r\n", [b"one", b"two"]),
        (b"data: one\r\rdata: two\r\r", [b"one", b"two"]),
        (b"data: one\r\n\ndata: two\n\r\n", [b"one", b"two"]),
        (b"event: a\nid: 7\ndata: one\nretry: 3\n\n", [b"one"]),
        (b": OPENROUTER PROCESSING\n\ndata: one\n\n", [b"", b"one"]),
        (b": ping\ndata: one\n\n", [b"one"]),
        (b"\xef\xbb\xbfdata: one\n\n", [b"one"]),
        (b"data\n\n", [b""]),
        (b"data:\n\n", [b""]),
        (b"database: no\n\n", [b""]),
        (b"data: \xff\xfe\n\n", [b"\xff\xfe"]),
        (b"data: a\xe2\x80\xa8b\x0bc\n\n", [b"a\xe2\x80\xa8b\x0bc"]),
        (b"data: no blank line", [b"no blank line"]),
        (b"data: one\n\ndata: no blank line\n", [b"one", b"no blank line"]),
        (b"data: [DONE]\n\n", [b"[DONE]"]),
    ],
)
def test_data_of_events(stream: bytes, data: list[bytes]) -> None:
    assert data_of(stream) == data


@given(STREAMS, st.data())
@example(b"data: x\r\n\r\ndata: y\r\r\n", None)
def test_however_it_is_split_the_events_are_the_same(stream: bytes, draw: st.DataObject | None) -> None:
    whole = events_of(stream)
    assert b"".join(raw for raw, _ in whole) == stream
    assert events_of(*[stream[at : at + 1] for at in range(len(stream))]) == whole
    for cut in range(len(stream) + 1) if draw is None else [draw.draw(st.integers(0, len(stream)))]:
        assert events_of(stream[:cut], stream[cut:]) == whole


def test_an_event_comes_with_its_last_byte() -> None:
    decoder = SSEDecoder()
    assert decoder.decode(b"data: one\n") == []
    assert decoder.decode(b"\n") == [(b"data: one\n\n", b"one")]
    assert decoder.decode(b"data: two\r\n\r") == []
    assert decoder.decode(b"\n") == [(b"data: two\r\n\r\n", b"two")]


def test_a_line_of_a_megabyte() -> None:
    line = b"data: " + b"x" * 1_000_000
    assert data_of(*[line[at : at + 16384] for at in range(0, len(line), 16384)], b"\n\n") == [line[6:]]


def test_a_line_that_never_ends_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "LARGEST_EVENT", 1000)
    decoder = SSEDecoder()
    events = [event for _ in range(100) for event in decoder.decode(b"data: " + b"x" * 94)]
    assert len(decoder._rest) <= 1000
    assert not any(data for _, data in events)
    assert sum(len(raw) for raw, _ in events + decoder.flush()) == 10_000
