"""The short text fields of a multipart/form-data body: what an upload says about its model and its options. Pure.

The format is RFC 7578. Files and long fields are stepped over, never copied.
"""

from __future__ import annotations

import re

LONGEST_FIELD = 1024
MOST_PARTS = 100

_BOUNDARY = re.compile(r'multipart/form-data\s*;.*?\bboundary="?([^";,\s]{1,70})', re.IGNORECASE | re.DOTALL)
_NAME = re.compile(rb'^content-disposition:\s*form-data\s*;.*?\bname="([^"]*)"', re.IGNORECASE | re.MULTILINE)
_FILE = re.compile(rb"^content-disposition:.*?\bfilename\*?=", re.IGNORECASE | re.MULTILINE)


class InvalidForm(ValueError):
    """The body is not the multipart/form-data that its content type announces."""


def text_fields(content_type: str, body: bytes) -> dict[str, str]:
    """The fields by name, the last of each, as text; a form that is cut short is read to its end. Raises InvalidForm."""
    boundary = _BOUNDARY.match(content_type)
    if boundary is None:
        raise InvalidForm("The content type must be multipart/form-data with a boundary.")
    fields: dict[str, str] = {}
    for part in _parts(body, b"--" + boundary[1].encode("latin-1", errors="replace")):
        head, separator, value = body[part].partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if separator and name and not _FILE.search(head) and len(value) <= LONGEST_FIELD:
            fields[name[1].decode(errors="replace")] = value.decode(errors="replace")
    return fields


def _parts(body: bytes, delimiter: bytes) -> list[slice]:
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
