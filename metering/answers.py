"""From the bytes of a provider's answer to what its reader learns, and to the bytes that go on to the client. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson

from metering.compression import inflater
from metering.eventstream import CONTENT_TYPE, EventStreamDecoder
from metering.json_stream import JSONDecoder
from metering.providers.base import Reader
from metering.providers.injection import reports_usage_alone
from metering.sse import BYTE_ORDER_MARK, Event, SSEDecoder
from metering.usage import Reading

Headers = list[tuple[bytes, bytes]]
"""Of the answer; names in lower case."""

Decoder = SSEDecoder | JSONDecoder | EventStreamDecoder

FIRST_BYTES: dict[bytes, Callable[[], Decoder]] = {b"{": JSONDecoder, b"[": JSONDecoder, b"\0": EventStreamDecoder}
"""What an answer begins with, where it is no SSE."""

DONE = b"[DONE]"
UNREADABLE = object()


class StreamAnswer:
    """A streamed answer: SSE, or JSON documents where the provider sends those; its first bytes tell, not its headers.

    Amazon's binary streams are told by their content type as well, so that a damaged one is still read as what it is.

    `terminal` turns true with the event that ends the stream ([DONE], or what the reader knows as the last).
    `hide_usage` keeps the extra usage chunk from the client; only then are bytes held back until an event is complete.
    """

    __slots__ = ("_alike", "_decoder", "_head", "_held", "_hides", "_inflater", "_reader", "terminal")

    def __init__(self, reader: Reader, headers: Headers | None = None, *, hide_usage: bool = False) -> None:
        self.terminal = False
        self._alike = False
        self._reader = reader
        self._inflater = inflater(headers or [])
        self._hides = hide_usage and self._inflater is None
        self._decoder: Decoder | None = EventStreamDecoder() if _is_binary(headers or []) else None
        self._head = b""
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """Read a chunk; what goes on to the client now: `chunk` itself, nearly always."""
        if self._alike and self._reader.again(chunk):
            return chunk
        decoder = self._decoder
        if decoder is None or self._inflater is not None:
            return self._feed_first(chunk)
        # After an event that came whole and was skimmed, nothing waits for its end: one like it is whole as well.
        self._alike = decoder.is_whole(chunk) and self._reader.skim(chunk)
        if self._alike:
            return chunk
        passed = self._take(decoder.decode(chunk))
        return passed if self._hides else chunk

    def _feed_first(self, chunk: bytes) -> bytes:
        """Read a chunk that must be inflated, or that tells which decoder to use."""
        text = chunk if self._inflater is None else self._inflater.feed(chunk)
        decoder = self._decoder or self._choose(text)
        if decoder is None:
            return b"" if self._hides else chunk
        if self._head:
            text, self._head = self._head, b""
        passed = self._take(decoder.decode(text))
        return passed if self._hides else chunk

    def rest(self) -> bytes:
        """After the last chunk: what was held back."""
        self._flush()
        held, self._held = self._held, b""
        return held

    def finish(self) -> Reading:
        """What was learnt, a last event without its blank line included."""
        self._flush()
        return self._reader.reading()

    def _choose(self, text: bytes) -> Decoder | None:
        """The decoder for what the answer begins with; None until something but space has come."""
        self._head += text
        start = self._head.removeprefix(BYTE_ORDER_MARK).lstrip()
        if start and not BYTE_ORDER_MARK.startswith(start):
            self._decoder = FIRST_BYTES.get(start[:1], SSEDecoder)()
        return self._decoder

    def _flush(self) -> None:
        if self._decoder is not None:
            held = self._take(self._decoder.flush())
        else:
            held, self._head = self._head, b""
        if self._hides:
            self._held += held

    def _take(self, events: list[Event]) -> bytes:
        """Read events; where something is hidden, the bytes of those that the client may see."""
        reader = self._reader
        hides = self._hides
        shown = []
        for raw, data in events:
            if data == DONE:
                self.terminal = True
            elif data and not reader.skim(data):
                document = parse(data)
                reader.read(document)
                if hides and reports_usage_alone(document):
                    continue
            if hides:
                shown.append(raw)
        if reader.terminal:
            self.terminal = True
        return b"".join(shown)


def read_body(reader: Reader, body: bytes, headers: Headers | None = None) -> Reading:
    """Read a whole answer: an object, an array of documents, or events that came under another content type."""
    if headers and (read_head := getattr(reader, "read_head", None)) is not None:
        read_head(headers)
    compressed = inflater(headers or [])
    text = body if compressed is None else compressed.feed(body)
    document = parse(text)
    if document is UNREADABLE:
        answer = StreamAnswer(reader)
        answer.feed(text)
        return answer.finish()
    for part in document if type(document) is list else [document]:
        reader.read(part)
    return reader.reading()


def _is_binary(headers: Headers) -> bool:
    return any(name == b"content-type" and value.lower().startswith(CONTENT_TYPE) for name, value in headers)


def parse(data: bytes) -> Any:
    """JSON as leniently as it gets: broken UTF-8 and NaN are read. UNREADABLE, which no reader takes, for all else."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(data.decode(errors="replace"))
    except (ValueError, RecursionError):
        return UNREADABLE
