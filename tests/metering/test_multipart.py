from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.multipart import MOST_PARTS, InvalidForm, text_fields


def part(name: str, value: bytes, more: str = "") -> bytes:
    return f'--edge\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b"\r\n"


FILE = part("file", b"\x00\xff--edg\r\n\r\n" * 10_000, '; filename="audio.wav"\r\nContent-Type: audio/wav')


def test_fields_are_found_before_and_behind_a_file() -> None:
    body = part("model", b"gpt-4o-transcribe") + FILE + part("stream", b"true") + b"--edge--\r\n"
    assert text_fields(body) == {"model": "gpt-4o-transcribe", "stream": "true"}


def test_a_file_cannot_speak_for_a_field() -> None:
    forged = part("file", b"x\r\n\r\n" + part("model", b"cheap")[len("--edge\r\n") :], '; filename="a.wav"')
    assert text_fields(part("model", b"dear") + forged + b"--edge--") == {"model": "dear"}


def test_a_form_without_its_end_is_read_as_far_as_it_goes() -> None:
    assert text_fields(part("model", b"m") + FILE[:100]) == {"model": "m"}


def test_a_long_field_is_stepped_over() -> None:
    assert text_fields(part("prompt", b"x" * 100_000) + part("model", b"m") + b"--edge--") == {"model": "m"}


@pytest.mark.parametrize("body", [b"", b"{}", b"--\r\n", b"edge\r\n", b"--" + b"x" * 100 + b"\r\n", b"--edge"])
def test_no_boundary_is_an_invalid_form(body: bytes) -> None:
    with pytest.raises(InvalidForm, match="boundary"):
        text_fields(body)


def test_too_many_parts_are_an_invalid_form() -> None:
    with pytest.raises(InvalidForm, match="100 parts"):
        text_fields(part("a", b"") * (MOST_PARTS + 1) + b"--edge--")


@given(st.binary(max_size=200))
def test_any_other_form_has_no_fields(rest: bytes) -> None:
    assert text_fields(b"--edge\r\n" + rest) == {}
