"""The `X-Metering-Tags` header: what it may hold, and the client it names. Pure."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from metering.errors import Refusal
from metering.exact_json import NoValue, Number, decode

LARGEST_HEADER = 4096
MOST_TAGS = 32
LONGEST_VALUE = 256
KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
FORBIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that no value may hold: controls, invisible marks, lone surrogates, line separators."""

EXAMPLE = '{"client":"acme-corp","project":"chatbot"}'


class InvalidTags(Refusal):
    """The header is not what we promise to keep: nothing is forwarded."""

    def __init__(self, problem: str) -> None:
        super().__init__("invalid_tags", f"X-Metering-Tags: {problem} Send a JSON object such as {EXAMPLE}.")


@dataclass(frozen=True, slots=True)
class Tags:
    """`values` is shared between the calls that sent the same header: read it, never change it.

    `client` is the value of the `client` tag without surrounding spaces; empty: none was named.
    """

    values: dict[str, str]
    client: str


NO_TAGS = Tags({}, "")


def parse_tags(header: bytes | None) -> Tags:
    """The tags of a header value as it came over the wire (UTF-8). Raises InvalidTags. Missing or blank: no tags."""
    if not header:
        return NO_TAGS
    if len(header) > LARGEST_HEADER:
        raise InvalidTags(f"{len(header)} bytes, at most {LARGEST_HEADER} are kept.")
    return _parse(header)


@lru_cache(maxsize=1024)
def _parse(header: bytes) -> Tags:
    try:
        text = header.decode()
        return read_tags(decode(text)) if text.strip() else NO_TAGS
    except UnicodeDecodeError as error:
        raise InvalidTags("the bytes are not UTF-8.") from error
    except NoValue as error:
        raise InvalidTags(str(error)) from error
    except (ValueError, RecursionError) as error:
        raise InvalidTags("this is not one JSON object.") from error


def read_tags(pairs: Any) -> Tags:
    """The tags of a JSON value as `exact_json` gives it. Raises InvalidTags, but for what the size of a header says."""
    if type(pairs) is not tuple:
        raise InvalidTags("this is JSON, but not an object.")
    if len(pairs) > MOST_TAGS:
        raise InvalidTags(f"{len(pairs)} tags, at most {MOST_TAGS} are kept.")
    values: dict[str, str] = {}
    for key, value in pairs:
        if not KEY.fullmatch(key):
            raise InvalidTags(f"the key {_shown(key)} must be a letter, then at most 63 of A-Z a-z 0-9 _ . -")
        if key in values:
            raise InvalidTags(f"the key {_shown(key)} stands there twice.")
        values[key] = _value(key, value)
    return Tags(values, values.get("client", "").strip())


def _value(key: str, value: object) -> str:
    if value is True or value is False:
        return "true" if value else "false"
    if not isinstance(value, str):
        raise InvalidTags(f"the value of {_shown(key)} must be a string, a number or a boolean.")
    if isinstance(value, Number):
        value = _number(value)
    if not value.isascii() or not value.isprintable():
        value = unicodedata.normalize("NFC", value)
        if not FORBIDDEN.isdisjoint(map(unicodedata.category, value)):
            raise InvalidTags(f"the value of {_shown(key)} holds a control or invisible character.")
    if len(value) > LONGEST_VALUE:
        raise InvalidTags(f"the value of {_shown(key)} has {len(value)} characters, at most {LONGEST_VALUE} are kept.")
    return value


def _number(text: Number) -> str:
    if not math.isfinite(float(text)):
        raise InvalidTags("a number is too large.")
    return str(text)


def _shown(key: str) -> str:
    """A key as it may stand in a message and a log: short and plain ASCII."""
    return ascii(key if len(key) <= 64 else key[:64] + "…")
