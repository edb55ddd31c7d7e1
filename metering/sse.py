"""Server-sent events out of bytes that arrive in any pieces. Pure.

The format is https://html.spec.whatwg.org/multipage/server-sent-events.html: a line ends in LF, CRLF or CR, a blank
line ends an event. Unlike a browser we keep every event's bytes, so that they can be forwarded untouched, and we do not
drop an event that the end of the stream cut short: some providers never send the last blank line.
"""

from __future__ import annotations

import re

LARGEST_EVENT = 32 * 1024 * 1024
"""Bytes. A longer event is passed on in pieces without data, so that a line that never ends cannot fill the memory."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BLANK_LINE = re.compile(rb"(?>\r\n|\r|\n)(?>\r\n|\r|\n)")


Event = tuple[bytes, bytes]
"""`raw`, the event as it came, its blank line included, and `data`, the joined `data:` lines: empty for a comment."""


class SSEDecoder:
    """Cuts a stream into events. Their joined `raw`, flush() included, is the stream, however it was split."""

    __slots__ = ("_rest", "_seen")

    def __init__(self) -> None:
        self._rest = b""
        self._seen = 0

    def decode(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completed."""
        if not self._rest and _is_one_line(chunk):
            return [(chunk, chunk[6:-2])]
        text = self._rest + chunk if self._rest else chunk
        ends = _ends(text, self._seen) if b"\r" in text else _line_feed_ends(text, self._seen)
        events: list[Event] = []
        start = 0
        for end in ends:
            raw = text[start:end]
            start = end
            events.append((raw, raw[6:-2] if _is_one_line(raw) else _data(raw)))
        if start != len(text):
            self._keep(text[start:], events)
        elif self._rest:
            self._rest = b""
            self._seen = 0
        return events

    def is_whole(self, chunk: bytes) -> bool:
        """Whether a chunk is exactly one event, and nothing before it waits for its end."""
        return not self._rest and chunk.find(b"\n\n") == len(chunk) - 2 and chunk[-1:] == b"\n" and b"\r" not in chunk

    def flush(self) -> list[Event]:
        """The event that the end of the stream cut short, if any bytes are left."""
        rest, self._rest, self._seen = self._rest, b"", 0
        return [(rest, _data(rest))] if rest else []

    def _keep(self, rest: bytes, events: list[Event]) -> None:
        if len(rest) > LARGEST_EVENT:
            events.append((rest, b""))
            rest = b""
        self._rest = rest
        self._seen = max(0, len(rest) - 3)


def _is_one_line(raw: bytes) -> bool:
    """Whether this is what nearly all events are: one line of data and a blank line."""
    return raw[:6] == b"data: " and raw.find(b"\n") == len(raw) - 2 and raw[-1:] == b"\n" and b"\r" not in raw


def _line_feed_ends(text: bytes, seen: int) -> list[int]:
    """Where events end in a text without carriage returns; up to `seen` there is no end."""
    ends = []
    end = text.find(b"\n\n", seen) + 2
    while end > 1:
        ends.append(end)
        end = text.find(b"\n\n", end) + 2
    return ends


def _ends(text: bytes, seen: int) -> list[int]:
    """Where events end in any text. A carriage return at its end may be half of a CRLF: only the next byte tells."""
    ends = [blank.end() for blank in _BLANK_LINE.finditer(text, seen)]
    if ends and ends[-1] == len(text) and text[-1:] == b"\r":
        ends.pop()
    return ends


def _data(raw: bytes) -> bytes:
    lines = raw.removeprefix(BYTE_ORDER_MARK).splitlines()
    data = [line[5:].removeprefix(b" ") for line in lines if line[:5] == b"data:"]
    return data[0] if len(data) == 1 else b"\n".join(data)
