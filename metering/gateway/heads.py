"""Heads that were parsed before: an SDK sends the same one call after call, but for the length of the body.

Whoever parsed a head has it remembered under its bytes; the next request that begins with the same bytes need not be
parsed again, and finds what the head led to.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metering.gateway.request import Head

LONGEST = 4096
MOST = 1024
END = b"\r\n\r\n"

_LENGTH = re.compile(rb"\r\ncontent-length: ?(\d{1,12})(?=\r\n)", re.IGNORECASE)


Recalled = tuple["Head", int, int]
"""A known head at the beginning of some bytes, where the body starts in them, and how long the body is."""


class Heads:
    """The known heads of one process, at most MOST of them, each of at most LONGEST bytes."""

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}

    def recall(self, data: bytes) -> Recalled | None:
        """The head that `data` begins with, when it is known; only heads that tell the length of a body are."""
        end = data.find(END, 0, LONGEST)
        length = _LENGTH.search(data, 0, end + 2) if end > 0 else None
        if length is None:
            return None
        head = self._known.get(data[: length.start(1)] + data[length.end(1) : end])
        return None if head is None else (head, end + 4, int(length[1]))

    def remember(self, data: bytes, head: Head) -> None:
        """Keep a head that was just parsed from the beginning of `data`.

        Only where its bytes can't be read in another way: its lines are those that the parser saw, and one of them
        alone tells the length.
        """
        end = data.find(END, 0, LONGEST)
        length = _LENGTH.search(data, 0, end + 2) if end > 0 else None
        text = data[:end]
        lines = text.count(b"\n")
        if length is None or lines != len(head.headers) or lines != text.count(b"\r\n"):
            return
        if [name for name, _ in head.headers if name in _FRAMING] != [b"content-length"]:
            return
        if len(self._known) >= MOST:
            del self._known[next(iter(self._known))]
        self._known[text[: length.start(1)] + text[length.end(1) :]] = head


_FRAMING = frozenset((b"content-length", b"transfer-encoding", b"expect"))
