from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.multipart import MOST_PARTS, InvalidForm, text_fields

TYPE = "multipart/form-data; boundary=edge"


def part(name: str, value: bytes, more: str = "") -> bytes:
    return f'--edge\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b"\r\n"


FILE = part("file", b"\x00\xff--edg\r\n\r\n" * 10_000, '; filename="audio.wav"\r\nContent-Type: audio/wav')


def test_fields_are_found_before_and_behind_a_file() -> None:
    body = part("model", b"gpt-4o-transcribe") + FILE + part("stream", b"true") + b"--edge--\r\n"
    assert text_fields(TYPE, body) == {"model": "gpt-4o-transcribe", "stream": "true"}


@pytest.mark.parametrize(
    "content_type",
    ['multipart/form-data; boundary="edge"', "Multipart/Form-Data;charset=utf-8;boundary=edge", TYPE + "; x=y"],
)
def test_the_boundary_is_read_in_each_spelling(content_type: str) -> None:
    assert text_fields(content_type, part("model", b"m") + b"--edge--") == {"model": "m"}


def test_a_form_without_its_end_is_read_as_far_as_it_goes() -> None:
    assert text_fields(TYPE, part("model", b"m") + FILE[:100]) == {"model": "m"}


def test_a_long_field_is_stepped_over() -> None:
    assert text_fields(TYPE, part("prompt", b"x" * 100_000) + part("model", b"m") + b"--edge--") == {"model": "m"}


@pytest.mark.parametrize(
    "content_type", ["", "application/json", "multipart/form-data", "multipart/form-data; boundary="]
)
def test_no_boundary_is_an_invalid_form(content_type: str) -> None:
    with pytest.raises(InvalidForm, match="boundary"):
        text_fields(content_type, part("model", b"m"))


def test_too_many_parts_are_an_invalid_form() -> None:
    with pytest.raises(InvalidForm, match="100 parts"):
        text_fields(TYPE, part("a", b"") * (MOST_PARTS + 1) + b"--edge--")


@given(st.binary(max_size=200))
def test_any_other_body_has_no_fields(body: bytes) -> None:
    assert text_fields(TYPE, body) == {}
