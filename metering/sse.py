"""Server-sent events out of bytes that arrive in any pieces. Pure.

The format is https://html.spec.whatwg.org/multipage/server-sent-events.html: a line ends in LF, CRLF or CR, a blank
line ends an event. Unlike a browser we keep every event's bytes, so that they can be forwarded untouched, and we do not
drop an event that the end of the stream cut short: some providers never send the last blank line.
"""

from __future__ import annotations

import re
from typing import NamedTuple

LARGEST_EVENT = 32 * 1024 * 1024
"""Bytes. A longer event is passed on in pieces without data, so that a line that never ends cannot fill the memory."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BLANK_LINE = re.compile(rb"(?>\r\n|\r|\n)(?>\r\n|\r|\n)")


class Event(NamedTuple):
    """`raw` is the event as it came, its blank line included; `data` the joined `data:` lines, empty for a comment."""

    raw: bytes
    data: bytes


class SSEDecoder:
    """Cuts a stream into events. `b"".join(event.raw …)`, flush() included, is the stream, however it was split."""

    __slots__ = ("_begun", "_rest", "_seen")

    def __init__(self) -> None:
        self._rest = b""
        self._seen = 0
        self._begun = False

    def decode(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completed."""
        text = self._rest + chunk if self._rest else chunk
        events: list[Event] = []
        start = 0
        # A carriage return that ends the text may be half of a CRLF: only the next byte tells.
        if b"\r" in text:
            while (blank := _BLANK_LINE.search(text, max(start, self._seen))) and not _undecided(blank, text):
                events.append(self._event(text[start : blank.end()]))
                start = blank.end()
        else:
            while (end := text.find(b"\n\n", max(start, self._seen)) + 2) > 1:
                events.append(self._event(text[start:end]))
                start = end
        return self._keep(text[start:], events)

    def flush(self) -> list[Event]:
        """The event that the end of the stream cut short, if any bytes are left."""
        rest, self._rest, self._seen = self._rest, b"", 0
        return [self._event(rest)] if rest else []

    def _keep(self, rest: bytes, events: list[Event]) -> list[Event]:
        if len(rest) > LARGEST_EVENT:
            events.append(Event(rest, b""))
            rest = b""
        self._rest = rest
        self._seen = max(0, len(rest) - 3)
        return events

    def _event(self, raw: bytes) -> Event:
        if not self._begun:
            self._begun = True
            return Event(raw, _data(raw.removeprefix(BYTE_ORDER_MARK)))
        return Event(raw, _data(raw))


def _undecided(blank: re.Match[bytes], text: bytes) -> bool:
    return blank.end() == len(text) and text[-1:] == b"\r"


def _data(raw: bytes) -> bytes:
    if raw[:6] == b"data: " and raw[-2:] == b"\n\n" and b"\n" not in raw[:-2] and b"\r" not in raw:
        return raw[6:-2]
    lines = [line[5:].removeprefix(b" ") for line in raw.splitlines() if line[:5] == b"data:"]
    return lines[0] if len(lines) == 1 else b"\n".join(lines)
