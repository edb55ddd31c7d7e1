"""Asking a chat stream for its usage, and hiding the extra chunk from a client that did not ask. Pure.

OpenAI and its likes report the usage of a stream only for `"stream_options": {"include_usage": true}`, in one more
chunk with `"choices": []`, on which code that reads `chunk.choices[0]` falls over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

ASKED = b'"stream_options":{"include_usage":true},'
_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


def ask_for_usage(body: bytes, document: dict[str, Any]) -> tuple[bytes, bool]:
    """The body with usage asked for, and whether the chunk must be hidden since the client did not ask for it.

    `document` is the body parsed. Only the bytes that ask are changed. Not a stream, or asked for already: unchanged.
    """
    options = document.get("stream_options", {})
    if document.get("stream") is not True or not (options is None or isinstance(options, dict)):
        return body, False
    if options and options.get("include_usage") is True:
        return body, False
    if "stream_options" not in document:
        start = body.index(b"{") + 1
        return body[:start] + ASKED + body[start:], True
    try:
        return _within_options(body.decode(), options).encode(), True
    except (ValueError, RecursionError):  # deeper, or with longer numbers, than the standard library reads
        return body, False


def reports_usage_alone(document: Any) -> bool:
    """Whether a chunk is the extra one: no choices, but usage. Chunks with choices are never hidden."""
    return type(document) is dict and document.get("choices") == [] and document.get("usage") is not None


def _within_options(text: str, options: dict[str, Any] | None) -> str:
    start, end = _last_value(text, text.index("{"), "stream_options")
    if options is None:
        return text[:start] + '{"include_usage":true}' + text[end:]
    if "include_usage" in options:
        start, end = _last_value(text, start, "include_usage")
        return text[:start] + "true" + text[end:]
    return text[: start + 1] + '"include_usage":true' + ("," if options else "") + text[start + 1 :]


def _last_value(text: str, start: int, name: str) -> tuple[int, int]:
    """Where the value of a key lies in the object at `start`; of duplicate keys the last counts."""
    return [(begun, ended) for key, begun, ended in _members(text, start) if key == name][-1]


def _members(text: str, start: int) -> Iterator[tuple[str, int, int]]:
    """Each key of the object at `start`, with the beginning and the end of its value."""
    ended = start
    while text[ended] in "{,":
        key, colon = _DECODER.raw_decode(text, _skip(text, ended + 1))
        begun = _skip(text, _skip(text, colon) + 1)
        _, end = _DECODER.raw_decode(text, begun)
        yield key, begun, end
        ended = _skip(text, end)


def _skip(text: str, position: int) -> int:
    space = _SPACE.match(text, position)
    assert space is not None
    return space.end()
