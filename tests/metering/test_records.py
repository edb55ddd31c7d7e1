from __future__ import annotations

import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.records import BadLine, decode, encode

TEXT = st.text('"\\\n\x00a€🎉', max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
RECORD = {"kind": "intent", "id": "a", "tags": {"client": "acme\n corp", "ö": "ü"}, "cost": None}


def test_a_line_is_checksum_space_json_newline() -> None:
    assert encode({"kind": "intent"}) == b'3023d93a {"kind":"intent"}\n'


@given(st.dictionaries(TEXT, JSON, max_size=3))
def test_a_record_comes_back(record: dict[str, Any]) -> None:
    line = encode(record)
    assert line.count(b"\n") == 1
    assert decode(line) == decode(line[:-1]) == record


@pytest.mark.parametrize("cut", range(len(encode(RECORD)) - 1))
def test_a_torn_line_is_bad(cut: int) -> None:
    with pytest.raises(BadLine):
        decode(encode(RECORD)[:cut])


@given(st.integers(0, len(encode(RECORD)) - 2), st.integers(1, 255))
def test_a_damaged_line_is_bad(position: int, change: int) -> None:
    line = bytearray(encode(RECORD))
    line[position] ^= change
    with pytest.raises(BadLine):
        decode(bytes(line))


@pytest.mark.parametrize("text", [b"[1]", b"1", b"null", b"{", b""])
def test_a_sound_checksum_of_no_object_is_bad(text: bytes) -> None:
    with pytest.raises(BadLine):
        decode(b"%08x %b\n" % (zlib.crc32(text), text))
