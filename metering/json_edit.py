"""Setting one value in the text of a JSON object; every other byte stays as the client wrote it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]
"""The way to a value: names of members, and places in arrays."""

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_MARK = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]]', re.DOTALL)
_SCALAR = re.compile(rb"[^\s,\]}]++")
_SPACE = re.compile(rb"[ \t\n\r]*+")


def set_value(body: bytes, document: dict[str, Any], path: Path, value: bytes) -> bytes:
    """The body with `value`, JSON, at `path`; objects that are missing on the way are made.

    What stands where an object should be, such as null, is replaced.

    `document` is the body parsed. Of duplicate keys the last counts, as for every parser. A place in an array must be
    there: IndexError.
    """
    start, node = body.index(b"{"), document
    for depth, step in enumerate(path):
        rest = path[depth + 1 :]
        if type(node) is dict and step not in node:
            return _inserted(body, start, _member(path[depth:], value), comma=bool(node))
        node = node[step]  # type: ignore[index]  # a place in an array, or a name that is there
        start, end = _place(body, start, step)
        if not rest or type(node) is not (list if type(rest[0]) is int else dict):
            new = b"{" + _member(rest, value) + b"}" if rest else value
            return body[:start] + new + body[end:]
    return body


def _member(path: Path, value: bytes) -> bytes:
    """`"a":{"b":value}` for a path a, b."""
    for step in reversed(path[1:]):
        value = b"{" + json.dumps(step).encode() + b":" + value + b"}"
    return json.dumps(path[0]).encode() + b":" + value


def _inserted(body: bytes, start: int, member: bytes, *, comma: bool) -> bytes:
    start += 1
    return body[:start] + member + (b"," if comma else b"") + body[start:]


def _place(body: bytes, start: int, step: str | int) -> tuple[int, int]:
    """Where the value of a key of the object, or of a place in the array, at `start` begins and ends."""
    if isinstance(step, int):
        return list(_elements(body, start))[step]
    return [(begun, ended) for key, begun, ended in _members(body, start) if _is(key, step)][-1]


def _is(key: bytes, name: str) -> bool:
    return (json.loads(key) if b"\\" in key else key[1:-1].decode()) == name


def _members(body: bytes, start: int) -> Iterator[tuple[bytes, int, int]]:
    """Each key of the object at `start`, in its quotes, with the beginning and the end of its value."""
    ended = start
    while body[ended] in b"{,":
        name = _STRING.match(body, _skip(body, ended + 1))
        if name is None:
            return
        begun = _skip(body, _skip(body, name.end()) + 1)
        end = _value_end(body, begun)
        yield name[0], begun, end
        ended = _skip(body, end)


def _elements(body: bytes, start: int) -> Iterator[tuple[int, int]]:
    ended = start
    while body[ended] in b"[,":
        begun = _skip(body, ended + 1)
        end = _value_end(body, begun)
        yield begun, end
        ended = _skip(body, end)


def _value_end(body: bytes, start: int) -> int:
    if body[start] not in b'{["':
        return _end(_SCALAR, body, start)
    depth = 0
    for mark in _MARK.finditer(body, start):
        sign = body[mark.start()]
        depth += (sign in b"{[") - (sign in b"}]")
        if not depth:
            return mark.end()
    return len(body)


def _skip(body: bytes, position: int) -> int:
    return _end(_SPACE, body, position)


def _end(pattern: re.Pattern[bytes], body: bytes, position: int) -> int:
    found = pattern.match(body, position)
    assert found is not None
    return found.end()
