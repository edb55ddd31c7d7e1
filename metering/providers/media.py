"""Readers of OpenAI's images, transcriptions and speech: https://platform.openai.com/docs/api-reference."""

from __future__ import annotations

from metering.providers.chat import ChatReader
from metering.providers.openai_usage import openai_usage
from metering.providers.reader import Counts, Object
from metering.usage import Usage

ENDS = frozenset({"image_generation.completed", "image_edit.completed", "transcript.text.done", "speech.audio.done"})


class MediaReader(ChatReader):
    """`usage` is on the whole answer, or on the event that ends a stream. Older models send none."""

    __slots__ = ()

    def fold(self, document: Object) -> None:
        super().fold(document)
        kind = document.get("type")
        if type(kind) is str and kind in ENDS:
            self.terminal = True


class CostedReader(MediaReader):
    """Pictures of a provider that tells what they cost, and may tell no tokens."""

    __slots__ = ()

    def measure(self, raw: Object, counts: Counts) -> Usage | None:
        usage = super().measure(raw, counts)
        return Usage() if usage is None and self.provider_cost() is not None else usage


class TranscriptionReader(MediaReader):
    """Groq, and OpenAI's oldest model, tell the length of the recording instead: `duration`, in seconds."""

    __slots__ = ()

    def fold(self, document: Object) -> None:
        super().fold(document)
        if self.raw is None and document.get("duration") is not None:
            self.raw = {"type": "duration", "seconds": document["duration"]}

    def measure(self, raw: Object, counts: Counts) -> Usage | None:
        usage = openai_usage(raw, counts)
        # A recording's length is a fraction of seconds; rounding it up is no anomaly.
        if raw.get("type") == "duration" and type(raw.get("seconds")) is float:
            counts.flags.clear()
        return usage
