from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering import json_stream
from metering.json_stream import JSONDecoder

TEXT = st.text('"\\{}[],:a\n€', max_size=8)
VALUES = st.recursive(
    st.none() | st.integers() | TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=4
)
OBJECTS = st.lists(st.dictionaries(TEXT, VALUES), max_size=3)


def documents(*chunks: bytes) -> list[bytes]:
    decoder = JSONDecoder()
    events = [event for chunk in chunks for event in decoder.decode(chunk)]
    left = decoder.flush()
    assert b"".join(raw for raw, _ in events + left) == b"".join(chunks)
    return [data for _, data in events]


def written(found: list[dict[str, Any]], form: str) -> bytes:
    if form == "array":
        return json.dumps(found, indent=2).encode()
    return "\n".join(json.dumps(one, ensure_ascii=False) for one in found).encode()


@given(OBJECTS, st.sampled_from(["array", "lines"]), st.data())
def test_documents_come_out_however_they_are_split(found: list[dict[str, Any]], form: str, draw: st.DataObject) -> None:
    text = written(found, form)
    whole = documents(text)
    assert [json.loads(one) for one in whole] == found
    cut = draw.draw(st.integers(0, len(text)))
    assert documents(text[:cut], text[cut:]) == whole
    assert documents(*[text[at : at + 1] for at in range(len(text))]) == whole


@given(st.binary(max_size=40) | st.text('{}[]",\\ a', max_size=40).map(str.encode))
def test_anything_else_does_no_harm(text: bytes) -> None:
    assert documents(text) == documents(*[text[at : at + 1] for at in range(len(text))])


def test_a_document_comes_with_its_last_byte() -> None:
    decoder = JSONDecoder()
    assert decoder.decode(b'[{"a": "}]') == []
    assert decoder.decode(b'"') == []
    assert decoder.decode(b"}") == [(b'[{"a": "}]"}', b'{"a": "}]"}')]
    assert decoder.decode(b",{}") == [(b",{}", b"{}")]


def test_a_document_that_was_cut_short_is_left_out() -> None:
    assert documents(b'[{"a": 1}, {"b": ') == [b'{"a": 1}']


def test_a_string_that_never_ends_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "LARGEST_EVENT", 1000)
    decoder = JSONDecoder()
    decoder.decode(b'[{"a": "')
    for _ in range(100):
        decoder.decode(b"x" * 100)
    assert len(decoder._rest) <= 1000
