"""What a call used, in one vocabulary for every provider. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import compress
from operator import add
from typing import Any, NamedTuple

LARGEST_COUNT = 2**31 - 1
"""No call uses more of anything: what a provider reports above it is clamped and flagged."""

CLAMPED = "usage_clamped"
"""Flag: a count was too large and was cut to LARGEST_COUNT."""

ANOMALY = "usage_anomaly"
"""Flag: a count was not a count (negative, fraction, text, boolean…); the nearest sensible one stands in its place."""

CONTRADICTION = "usage_contradiction"
"""Flag: the parts of a total are larger than the total. Kept as reported."""


class Usage(NamedTuple):
    """Canonical counts of one call, INCLUSIVE: totals first, and sub-counts that are parts of them.

    `input_tokens` holds every prompt token: cache reads, cache writes, audio, images, video and tool prompts too.
    `output_tokens` holds everything generated: reasoning, audio and images too. `cache_write_tokens` holds both
    `cache_write_5m` and `cache_write_1h`; `cache_read_audio_tokens` are in both `cache_read_tokens` and
    `input_audio_tokens`. `audio_seconds` are whole seconds; the rest are plain numbers of things.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    reasoning_tokens: int = 0
    input_audio_tokens: int = 0
    input_image_tokens: int = 0
    input_video_tokens: int = 0
    input_tool_tokens: int = 0
    output_audio_tokens: int = 0
    output_image_tokens: int = 0
    cache_read_audio_tokens: int = 0
    web_search_requests: int = 0
    web_fetch_requests: int = 0
    grounding_queries: int = 0
    file_search_requests: int = 0
    code_interpreter_calls: int = 0
    image_generation_calls: int = 0
    search_units: int = 0
    audio_seconds: int = 0
    document_pages: int = 0

    @property
    def total_tokens(self) -> int:
        """Tokens in and out."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:  # type: ignore[override]  # a sum of counts, not a longer tuple
        return Usage(*map(add, self, other))

    def counts(self) -> dict[str, int]:
        """The counts that are not zero, by name: the form kept on an event."""
        return dict(compress(zip(COUNTS, self, strict=True), self))

    @classmethod
    def from_counts(cls, counts: Mapping[str, int]) -> Usage:
        """The inverse of counts(); a name that is no count of ours raises TypeError."""
        return cls(**counts)


COUNTS = Usage._fields
"""The names of all counts."""


@dataclass(frozen=True, slots=True)
class Part:
    """A share of a call's usage, to be priced at its own model."""

    model: str
    usage: Usage


class Reading(NamedTuple):
    """What a reader learnt from one answer.

    `usage` is None when the provider sent none, so that zero stays zero. `parts` is empty when the whole usage belongs
    to `model`. `context` holds what else the price depends on, such as ("speed", "fast"). `provider_cost` is nano-USD
    as the provider reported it. `error` is the message of an error that came inside a 200. What begins with `output_`
    is for the estimate of a stream that never reported: how much generated text was seen, in how many events, and its
    first bytes, never stored. `partial`: the usage is what the stream began with, and its last word did not come.
    """

    usage: Usage | None
    model: str = ""
    parts: tuple[Part, ...] = ()
    service_tier: str = ""
    context: tuple[tuple[str, str], ...] = ()
    provider_cost: int | None = None
    raw_usage: Mapping[str, Any] | None = None
    flags: tuple[str, ...] = ()
    error: str = ""
    output_characters: int = 0
    output_events: int = 0
    output_text: bytes | bytearray = b""
    partial: bool = False

    def as_asked(self, model: str) -> Reading:
        """The reading of a provider that bills what was asked for (`model`), whatever name the answer gives it."""
        parts = tuple(
            [Part(model if part.model in ("", self.model) else part.model, part.usage) for part in self.parts]
        )
        return self._replace(model=model, parts=parts)
