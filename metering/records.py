"""The lines of a spool file: a checksum, a space, compact JSON. Pure."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import orjson


class BadLine(ValueError):
    """A line that was torn or damaged: its checksum does not fit its text."""


def encode(record: dict[str, Any]) -> bytes:
    """One line, newline included. Integers must fit 64 bits; anything that JSON cannot say raises TypeError."""
    return line(orjson.dumps(record))


def line(text: bytes) -> bytes:
    """The line of a record that is JSON already, without a newline in it."""
    return b"%08x %b\n" % (crc32(text), text)


def intact(line: bytes) -> bytes:
    """The JSON of one line, with or without its newline. Raises BadLine."""
    text = line[9:].removesuffix(b"\n")
    if line[:9] != b"%08x " % crc32(text):
        raise BadLine("The line's checksum does not fit its text.")
    return text


def decode(line: bytes) -> dict[str, Any]:
    """The record of one line, with or without its newline. Raises BadLine."""
    text = intact(line)
    try:
        record = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadLine("The line is not JSON.") from error
    if not isinstance(record, dict):
        raise BadLine("The line is not a JSON object.")
    return record
