"""What every reader has in common: counts that may be anything, text that is measured, names kept short."""

from __future__ import annotations

import math
import re
from typing import Any

from metering.usage import ANOMALY, CLAMPED, CONTRADICTION, LARGEST_COUNT, Part, Reading, Usage

Object = dict[str, Any]
Context = tuple[tuple[str, str], ...]

LONGEST_NAME = 256
DEEPEST_TEXT = 8
MOST_KEPT = 2048
"""Bytes of an answer's first text that are held in memory while it lasts, so that its tokens can be counted."""
NO_TEXT = frozenset(
    "role id type object call_id status signature thoughtSignature encrypted_content data mimeType url b64_json".split()
)
"""Keys of a piece of an answer whose strings are no generated text."""


PLAIN = rb"([ !#-\[\]-~]*)"
"""The inside of a JSON string that is ASCII without escapes: as many characters as bytes."""
INSIDE = re.compile(PLAIN)
PADDING = re.compile(rb'"(?:obfuscation|p)":"%b"\}\n\n\Z' % PLAIN)
"""Of a random length, so that nobody can tell a text by the size of its pieces: OpenAI's and Mistral's."""
NOWHERE = (b"\0", b"\0", b"\0")


class Counts:
    """Reads counts out of a usage object, and remembers what was wrong. `lost`: a total is no number at all."""

    __slots__ = ("flags", "lost")

    def __init__(self) -> None:
        self.flags: list[str] = []
        self.lost = False

    def total(self, *values: Any) -> int:
        """The first of the values that is there, one of the two totals: without it there is no usage to speak of."""
        return self._first(values, total=True)

    def part(self, *values: Any) -> int:
        """The first of the values that is there, as a count."""
        return self._first(values, total=False)

    def flag(self, name: str) -> None:
        """Remember something about the usage, once."""
        if name not in self.flags:
            self.flags.append(name)

    def _first(self, values: tuple[Any, ...], *, total: bool) -> int:
        for value in values:
            if type(value) is int and 0 <= value <= LARGEST_COUNT:
                return value
            if value is not None:
                return self._mended(value, total=total)
        return 0

    def _mended(self, value: Any, *, total: bool) -> int:
        number = _number(value)
        if number is None:
            self.flag(ANOMALY)
            self.lost = self.lost or total
            return 0
        if number > LARGEST_COUNT:
            self.flag(CLAMPED)
            return LARGEST_COUNT
        whole = math.ceil(number) if number > 0 else 0
        if whole != number or isinstance(value, str):
            self.flag(ANOMALY)
        return whole


def _number(value: Any) -> float | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= LONGEST_NAME:
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124 -- NaN
        return None
    return value


class AnswerReader:
    """The frame of a reader: `fold` takes an object, `measure` turns the last usage object into canonical counts."""

    __slots__ = ("around", "characters", "error", "events", "model", "partial", "raw", "terminal", "text", "tier")

    def __init__(self) -> None:
        self.terminal = False
        self.partial = False
        self.characters = 0
        self.events = 0
        self.text = bytearray()
        self.around = NOWHERE
        self.model = ""
        self.tier = ""
        self.error = ""
        self.raw: Object | None = None

    def read(self, document: Any) -> None:
        """Take one more document; anything but an object is passed over."""
        if type(document) is dict:
            self.fold(document)

    def skim(self, event: bytes) -> bool:
        """Count an event that is nothing but text without parsing it; False, with nothing counted, for any other."""
        return False

    def again(self, event: bytes) -> bool:
        """Count an event that differs from the one skimmed last in its text and its padding alone.

        It can't be more than text either. False, with nothing counted, for any other.
        """
        before, after, last = self.around
        start = len(before)
        end = event.find(b'"', start)
        if event.startswith(before) and event.startswith(after, end) and INSIDE.fullmatch(event, start, end):
            stop = len(event) - len(last)
            padding = end + len(after)
            if padding == stop or (last and event.endswith(last) and INSIDE.fullmatch(event, padding, stop)):
                self._count(event, start, end)
                return True
        return False

    def skim_text(self, event: bytes, piece: re.Pattern[bytes]) -> bool:
        """Count the text that `piece` finds (its only group); False where there is none, or it needs parsing."""
        found = piece.search(event)
        if found is None:
            return False
        start, end = found.span(1)
        padding = PADDING.search(event, end)
        stop, begin = padding.span(1) if padding else (len(event), len(event))
        self.around = event[:start], event[end:stop], event[begin:]
        self._count(event, start, end)
        return True

    def _count(self, event: bytes, start: int, end: int) -> None:
        if end > start:
            self.characters += end - start
            self.events += 1
            if (room := MOST_KEPT - len(self.text)) > 0:
                self.text += event[start : min(end, start + room)]

    def fold(self, document: Object) -> None:
        """Take one more object."""
        raise NotImplementedError

    def measure(self, raw: Object, counts: Counts) -> Usage | None:
        """The canonical usage of a provider's usage object; None when it says nothing."""
        raise NotImplementedError

    def parts(self, usage: Usage, counts: Counts) -> tuple[Part, ...]:
        """The shares of the usage that belong to other models; empty: all of it is this model's."""
        return ()

    def context(self) -> Context:
        """What besides model and tier decides the price."""
        return ()

    def provider_cost(self) -> int | None:
        """Nano-USD as the provider reports it."""
        return None

    def reading(self) -> Reading:
        """What was learnt so far."""
        counts = Counts()
        usage = self.measure(self.raw, counts) if self.raw else None
        if counts.lost:
            usage = None
        if usage is not None and contradicts(usage):
            counts.flag(CONTRADICTION)
        return Reading(
            usage,
            clean(self.model),
            () if usage is None else self.parts(usage, counts),
            self.tier and clean(self.tier),
            self.context(),
            None if usage is None else self.provider_cost(),
            self.raw,
            tuple(counts.flags),
            self.error and clean(self.error),
            self.characters,
            self.events,
            self.text,
            self.partial,
        )

    def overlay(self, usage: Any) -> None:
        """Take a usage object that is cumulative: what it tells replaces what was told before, the rest stays."""
        if type(usage) is dict:
            told = {name: value for name, value in usage.items() if value is not None}
            self.raw = self.raw | told if self.raw else told

    def saw(self, text: Any) -> None:
        """Measure a piece of generated text, whatever its form."""
        before = self.characters
        if type(text) is str and len(self.text) >= MOST_KEPT:
            self.characters += len(text)
        else:
            self._measure(text, 0)
        if self.characters > before:
            self.events += 1

    def _measure(self, value: Any, depth: int) -> None:
        """Labels, ids and binary data are no generated text."""
        if type(value) is str:
            self.characters += len(value)
            if (room := MOST_KEPT - len(self.text)) > 0:
                self.text += value[:room].encode(errors="replace")
        elif depth < DEEPEST_TEXT:
            if type(value) is list:
                for item in value:
                    self._measure(item, depth + 1)
            elif type(value) is dict:
                for key, item in value.items():
                    if key not in NO_TEXT:
                        self._measure(item, depth + 1)


def contradicts(usage: Usage) -> bool:
    """Whether the parts of a total are larger than it. They are kept as reported: pricing subtracts within bounds."""
    cached = usage.cache_read_tokens + usage.cache_write_tokens
    told, made = usage.input_tokens, usage.output_tokens
    return cached > told or usage.input_audio_tokens > told or usage.reasoning_tokens > made


def inside(source: Object, *names: str) -> Object:
    """The first of the named members that is an object; else an empty one."""
    for name in names:
        found = source.get(name)
        if type(found) is dict:
            return found
    return {}


def error_code(error: Any) -> str:
    """A word for an error: its code, type or status. Not its message, which may quote the prompt."""
    if type(error) is dict:
        for name in ("code", "type", "status", "status_code"):
            value = error.get(name)
            if type(value) in (str, int) and value:
                return str(value)
    return "error"


def clean(text: str) -> str:
    """A name as it may be stored and shown: short, without control characters and half characters."""
    if len(text) <= LONGEST_NAME and text.isprintable():
        return text
    return "".join(sign for sign in text[:LONGEST_NAME] if sign.isprintable())
