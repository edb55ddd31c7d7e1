"""Numbers as a request states them, which may be anything, and what to forward in place of those that bound nothing.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from metering.json_edit import Path


class Limit(NamedTuple):
    """A number to set in the body before it is forwarded, so that the bound is real."""

    path: Path
    value: int


class Stated(NamedTuple):
    """The number to count with, and the limits that make it true: none when the request says it already."""

    value: int
    limits: tuple[Limit, ...] = ()


def whole(value: Any) -> int | None:
    """A number of things as written: 12, 12.0 and "12" are 12, null is None, and what is no such number is 0."""
    if value is None or type(value) is int:
        return value if value is None or value > 0 else 0
    if type(value) is float and value.is_integer() and value > 0:
        return int(value)
    if type(value) is str and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return 0


def stated(source: Mapping[str, Any], path: Path, *, usual: int, most: int, silent: bool = False) -> Stated:
    """The number at the end of `path`, whose last object is `source`.

    Absent, it is `usual`, which is forwarded unless that is the provider's own default (`silent`). Above `most` it is
    cut to that; what is no number counts, and is forwarded, as `usual`.
    """
    value = whole(source.get(str(path[-1])))
    if value is None and silent:
        return Stated(usual)
    if not value:
        return Stated(usual, (Limit(path, usual),))
    if value > most:
        return Stated(most, (Limit(path, most),))
    return Stated(value)
