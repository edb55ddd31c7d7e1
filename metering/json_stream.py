"""JSON documents out of bytes that arrive in any pieces: the elements of one array, or objects one after another. Pure.

Google streams an array when `alt=sse` is not asked for; a provider may also answer a stream with one plain object.
"""

from __future__ import annotations

import re

from metering.sse import LARGEST_EVENT, Event

_MARK = re.compile(rb'["{}\[\]]')
_STRING_END = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


class JSONDecoder:
    """Cuts a stream of JSON into events, one for each top-level object or element of a top-level array.

    The same shape as SSEDecoder. Brackets inside strings do not count; nothing else of JSON's grammar is checked.
    """

    __slots__ = ("_depth", "_in_string", "_rest", "_scanned", "_start", "_top")

    def __init__(self) -> None:
        self._rest = b""
        self._forget()

    def _forget(self) -> None:
        self._scanned = self._depth = self._top = 0
        self._start = -1
        self._in_string = False

    def is_whole(self, chunk: bytes) -> bool:
        """Whether a chunk is exactly one event of server-sent ones: never, here."""
        return False

    def decode(self, chunk: bytes) -> list[Event]:
        """The documents that `chunk` completed."""
        text = self._rest + chunk if self._rest else chunk
        events: list[Event] = []
        begun = 0
        while (mark := self._next_mark(text)) is not None:
            if self._bracket(text[mark], mark):
                events.append((text[begun : mark + 1], text[self._start : mark + 1]))
                begun, self._start = mark + 1, -1
        self._rest = text[begun:]
        self._scanned -= begun
        self._start -= begun if self._start >= 0 else 0
        if len(self._rest) > LARGEST_EVENT:
            events.append((self._rest, b""))
            self._rest = b""
            self._forget()
        return events

    def flush(self) -> list[Event]:
        """What is left: the array's closing bracket, or a document that was cut short and cannot be read."""
        rest, self._rest = self._rest, b""
        self._forget()
        return [(rest, b"")] if rest else []

    def _next_mark(self, text: bytes) -> int | None:
        """The position of the next bracket outside a string; None when `text` is used up."""
        while True:
            if self._in_string:
                end = _STRING_END.match(text, self._scanned)
                if end is None:
                    # An odd run of backslashes at the end escapes a byte that is still to come.
                    self._scanned = len(text) - (len(text) - len(text.rstrip(b"\\"))) % 2
                    return None
                self._in_string = False
                self._scanned = end.end()
            mark = _MARK.search(text, self._scanned)
            self._scanned = mark.end() if mark else len(text)
            if mark is None or mark[0] != b'"':
                return mark and mark.start()
            self._in_string = True

    def _bracket(self, sign: int, position: int) -> bool:
        """Follow one bracket; True when it closes a document."""
        if sign in b"{[":
            if self._depth == 0 and sign == ord("["):
                self._top = 1
            elif self._depth == self._top:
                self._start = position
            self._depth += 1
            return False
        self._depth = max(0, self._depth - 1)
        closed = self._start >= 0 and self._depth == self._top
        if self._depth == 0:
            self._top = 0
        return closed
