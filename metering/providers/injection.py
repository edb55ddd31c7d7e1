"""What we may have to add to a request: asking a stream for its usage, and limits that make a cap hold. Pure.

OpenAI and its likes report the usage of a stream only for `"stream_options": {"include_usage": true}`, in one more
chunk with `"choices": []`, on which code that reads `chunk.choices[0]` falls over.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from metering.json_edit import Path, set_value


def ask_for_usage(body: bytes, document: dict[str, Any]) -> tuple[bytes, bool]:
    """The body with usage asked for, and whether the chunk must be hidden since the client did not ask for it.

    `document` is the body parsed. Only the bytes that ask are changed. Not a stream, or asked for already: unchanged.
    """
    options = document.get("stream_options", {})
    if document.get("stream") is not True or not (options is None or isinstance(options, dict)):
        return body, False
    if options and options.get("include_usage") is True:
        return body, False
    return set_value(body, document, ("stream_options", "include_usage"), b"true"), True


def limit_output(body: bytes, document: dict[str, Any], limits: Iterable[tuple[Path, int]]) -> bytes:
    """The body with each number at its place, such as 16384 at ("generationConfig", "maxOutputTokens").

    `document` is the body parsed, before or after usage was asked for. Only the bytes of these numbers are changed.
    """
    for path, number in limits:
        body = set_value(body, document, path, b"%d" % number)
        document = _with(document, path, number)
    return body


def reports_usage_alone(document: Any) -> bool:
    """Whether a chunk is the extra one: no choices, but usage. Chunks with choices are never hidden."""
    return type(document) is dict and document.get("choices") == [] and document.get("usage") is not None


def _with(node: Any, path: Path, number: int) -> Any:
    """A copy of the parsed body with a number at its place, so that two limits may share an object that is made."""
    if not path:
        return number
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        return [_with(item, rest, number) if place == step else item for place, item in enumerate(node)]
    members = node if isinstance(node, dict) else {}
    return members | {step: _with(members.get(step), rest, number)}
