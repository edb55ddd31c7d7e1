"""Values as PostgreSQL's binary COPY wants them: a length, then what the type's receive function reads. Pure.

The format is that of https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format". It spares both sides the
digits of moments, uuids and numbers: the server takes a quarter less time for a row than it does for text.
"""

from __future__ import annotations

import struct
from datetime import date
from functools import lru_cache
from typing import Any

import orjson

HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""What comes before the first row: the signature, no flags, no extension."""
TAIL = b"\xff\xff"
"""What comes after the last row."""
NULL = b"\xff\xff\xff\xff"

LENGTH = struct.Struct(">i")
INTEGER = struct.Struct(">ii")
BIGINT = struct.Struct(">iq")
JSONB = struct.Struct(">iB")

EPOCH = 946_684_800_000_000
"""2000-01-01, from which PostgreSQL counts, in microseconds since 1970."""
EPOCH_DAY = date(2000, 1, 1).toordinal()

Malformed = struct.error
"""What a number that is none, or too big for its column, raises."""


@lru_cache(maxsize=16_384)
def plain(value: str) -> bytes:
    """A text; the same few names come again and again."""
    text = value.encode()
    return LENGTH.pack(len(text)) + text


@lru_cache(maxsize=16_384)
def uuid(value: str | None) -> bytes:
    """A uuid, or null. Raises ValueError, TypeError or AttributeError."""
    return NULL if value is None else LENGTH.pack(16) + sixteen(value)


def sixteen(value: str) -> bytes:
    """The bytes of a uuid. Raises ValueError, TypeError or AttributeError."""
    found = bytes.fromhex(value.replace("-", ""))
    if len(found) != 16:
        raise ValueError(f"{value!r} is not a UUID.")
    return found


@lru_cache(maxsize=1024)
def day(value: str) -> bytes:
    """A date, given as YYYY-MM-DD: it is counted from 2000. Raises ValueError or TypeError."""
    return INTEGER.pack(4, date.fromisoformat(value).toordinal() - EPOCH_DAY)


def instant(microseconds: int) -> bytes:
    """A timestamptz, given as microseconds since 1970: they are counted from 2000."""
    return BIGINT.pack(8, microseconds - EPOCH)


def boolean(value: bool) -> bytes:
    """A boolean."""
    return LENGTH.pack(1) + bool(value).to_bytes(1, "big")


def integer(value: int | None) -> bytes:
    """An integer, or null."""
    return NULL if value is None else INTEGER.pack(4, value)


def bigint(value: int | None) -> bytes:
    """A bigint, or null."""
    return NULL if value is None else BIGINT.pack(8, value)


def jsonb(value: Any) -> bytes:
    """A jsonb, of version 1. Raises TypeError for what JSON cannot say."""
    text = orjson.dumps(value)
    return JSONB.pack(len(text) + 1, 1) + text
