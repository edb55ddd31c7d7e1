"""The short text fields of a multipart/form-data body: what an upload says about its model and its options. Pure.

The format is RFC 7578. Files and long fields are stepped over, never copied.
"""

from __future__ import annotations

import re

LONGEST_FIELD = 1024
MOST_PARTS = 100
LONGEST_DELIMITER = 74
"""Bytes of the boundary and what is around it, RFC 2046."""

_NAME = re.compile(rb'^content-disposition:\s*form-data\s*;.*?\bname="([^"]*)"', re.IGNORECASE | re.MULTILINE)
_FILE = re.compile(rb"^content-disposition:.*?\bfilename\*?=", re.IGNORECASE | re.MULTILINE)


class InvalidForm(ValueError):
    """The body is no multipart/form-data."""


def text_fields(body: bytes | bytearray) -> dict[str, str]:
    """The fields by name, the last of each, as text; a form that is cut short is read to its end. Raises InvalidForm.

    The boundary is what the body begins with, as every client writes it.
    """
    delimiter, line_end, _ = bytes(body[:LONGEST_DELIMITER]).partition(b"\r\n")
    if not line_end or not delimiter.startswith(b"--") or len(delimiter) < 3:
        raise InvalidForm("The body is not multipart/form-data: it does not begin with its boundary.")
    fields: dict[str, str] = {}
    for part in _parts(body, delimiter):
        head, separator, value = body[part].partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if separator and name and not _FILE.search(head) and len(value) <= LONGEST_FIELD:
            fields[name[1].decode(errors="replace")] = value.decode(errors="replace")
    return fields


def _parts(body: bytes | bytearray, delimiter: bytes) -> list[slice]:
    """Where each part lies, from its headers to its end; of a long one only the beginning."""
    parts: list[slice] = []
    start = body.find(delimiter)
    while start >= 0 and body[start + len(delimiter) : start + len(delimiter) + 2] != b"--":
        if len(parts) == MOST_PARTS:
            raise InvalidForm(f"The form has more than {MOST_PARTS} parts.")
        begun = start + len(delimiter) + 2
        end = body.find(b"\r\n" + delimiter, begun)
        start = end + 2 if end >= 0 else -1
        parts.append(slice(begun, min(end if end >= 0 else len(body), begun + 4 * LONGEST_FIELD)))
    return parts
