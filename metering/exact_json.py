"""JSON read without losing anything: names that stand there twice, and numbers as they were written. Pure."""

from __future__ import annotations

import json
from typing import Any


class Number(str):
    """A number as it was written; of any size and precision."""

    __slots__ = ()


class NoValue(ValueError):
    """`NaN` or an infinity, which Python's reader would take and JSON does not have."""


def decode(text: str) -> Any:
    """What the text says. An object is a tuple of its pairs, which nothing else is; a number is a Number.

    Raises ValueError, NoValue among them, and RecursionError.
    """
    return _DECODER.decode(text)


def _constant(text: str) -> None:
    raise NoValue(f"{text} is not a JSON value.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=tuple, parse_int=Number, parse_float=Number, parse_constant=_constant, strict=True
)
