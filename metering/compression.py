"""Reading a copy of an answer that came compressed although we asked for `Accept-Encoding: identity`. Pure."""

from __future__ import annotations

import zlib

MOST_BYTES = 64 * 1024 * 1024
"""What one answer may grow to; a bomb beyond it is not read further."""

GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


class Inflater:
    """Incremental gzip and deflate. `broken`: the data was not what it says, too large, or in an unknown encoding."""

    __slots__ = ("_inflate", "_left", "broken")

    def __init__(self, encoding: str) -> None:
        self._inflate = zlib.decompressobj(GZIP_OR_ZLIB)
        self._left = MOST_BYTES
        self.broken = encoding not in ("gzip", "x-gzip", "deflate")

    def feed(self, chunk: bytes) -> bytes:
        """What `chunk` brought to light; nothing once broken. Never raises."""
        if self.broken:
            return b""
        try:
            text = self._inflate.decompress(chunk, self._left + 1)
        except zlib.error:
            self.broken = True
            return b""
        self._left -= len(text)
        self.broken = self._left < 0
        return b"" if self.broken else text


def inflater(headers: list[tuple[bytes, bytes]]) -> Inflater | None:
    """What reads an answer with these headers (names in lower case); None: it is not compressed."""
    if b"content-encoding" not in dict(headers):
        return None
    for name, value in headers:
        if name == b"content-encoding":
            encoding = value.decode("latin-1").strip().lower()
            return None if encoding in ("", "identity") else Inflater(encoding)
    return None
