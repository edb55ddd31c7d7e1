"""Amazon's binary event streams (`application/vnd.amazon.eventstream`) out of bytes that arrive in any pieces. Pure.

A message is a prelude (its length, the length of its headers, their checksum), headers, a payload and a checksum:
https://smithy.io/2.0/aws/amazon-eventstream.html. Each comes out as one JSON document with the event's type as its only
member: `{"metadata":{"usage":…}}`, or, for an error within the stream, `{"throttlingException":{"message":…}}`.
"""

from __future__ import annotations

import json
from struct import Struct, error
from zlib import crc32

from metering.sse import Event

CONTENT_TYPE = b"application/vnd.amazon.eventstream"
LARGEST_MESSAGE = 24 * 1024 * 1024
"""Bytes; the format allows 16 MiB of payload and 128 KiB of headers."""
DAMAGED = ":damaged"
"""The only member of the document that stands for bytes which are no messages. Event types do not begin so."""
NOTICE = json.dumps({DAMAGED: True}).encode()

PRELUDE = Struct(">III")
SHORT = Struct(">H")
CHECKSUM = Struct(">I")
LEAST_MESSAGE = PRELUDE.size + CHECKSUM.size
VALUE_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of the header values of a fixed size, by type."""
BYTES, STRING = LENGTHS_TOLD = 6, 7
NAMES = ("event", ":event-type"), ("exception", ":exception-type"), ("error", ":error-code")


class EventStreamDecoder:
    """Cuts a stream into messages. Their joined `raw`, flush() included, is the stream, however it was split.

    A message with a wrong checksum yields a notice in its place. Where the lengths cannot be trusted there is no next
    message: what follows is passed on without data.
    """

    __slots__ = ("_lost", "_rest", "_wanted")

    def __init__(self) -> None:
        self._rest = bytearray()
        self._wanted = PRELUDE.size
        self._lost = False

    def is_whole(self, chunk: bytes) -> bool:
        """Whether a chunk is exactly one event of server-sent ones: never, here."""
        return False

    def decode(self, chunk: bytes) -> list[Event]:
        """The messages that `chunk` completed. Never raises."""
        if self._lost:
            return [(chunk, b"")]
        self._rest += chunk
        events: list[Event] = []
        start = 0
        while len(self._rest) - start >= self._wanted and not self._lost:
            start = self._next(start, events)
        del self._rest[:start]
        return events

    def flush(self) -> list[Event]:
        """What the end of the stream cut short, as damage, if any bytes are left."""
        rest, self._rest = bytes(self._rest), bytearray()
        return [(rest, NOTICE)] if rest else []

    def _next(self, start: int, events: list[Event]) -> int:
        """Read one step on from `start`: the prelude that tells how much to wait for, or a whole message."""
        length, headers, checksum = PRELUDE.unpack_from(self._rest, start)
        sound = crc32(self._rest[start : start + 8]) == checksum
        if not sound or not LEAST_MESSAGE + headers <= length <= LARGEST_MESSAGE:
            self._lost = True
            events.append((bytes(self._rest[start:]), NOTICE))
            return len(self._rest)
        end: int = start + length
        if len(self._rest) < end:
            self._wanted = length
            return start
        self._wanted = PRELUDE.size
        raw = bytes(self._rest[start:end])
        events.append((raw, _document(raw, headers)))
        return end


def _document(raw: bytes, headers: int) -> bytes:
    """The JSON document of a message whose prelude is sound."""
    content = len(raw) - CHECKSUM.size
    if CHECKSUM.unpack_from(raw, content)[0] != crc32(raw[:content]):
        return NOTICE
    begin = PRELUDE.size + headers
    try:
        strings = _strings(raw[PRELUDE.size : begin])
    except (IndexError, KeyError, error):
        return NOTICE
    kind = strings.get(":message-type", "event")
    name = next((strings.get(header, "") for of, header in NAMES if of == kind), "")
    payload = raw[begin:content]
    return b"{%b:%b}" % (json.dumps(name).encode(), payload if payload.strip() else b"{}")


def _strings(block: bytes) -> dict[str, str]:
    """The headers that are strings; raises IndexError, KeyError or struct.error when they are cut short or unknown."""
    found = {}
    at = 0
    while at < len(block):
        end = at + 1 + block[at]
        name, kind = block[at + 1 : end].decode(errors="replace"), block[end]
        at = end + 1
        size = SHORT.unpack_from(block, at)[0] + SHORT.size if kind in LENGTHS_TOLD else VALUE_SIZES[kind]
        if kind == STRING:
            found[name] = block[at + SHORT.size : at + size].decode(errors="replace")
        at += size
    return found
