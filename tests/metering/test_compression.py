from __future__ import annotations

import gzip
import zlib

import pytest

from metering import compression
from metering.compression import inflater

TEXT = b'data: {"usage": {"prompt_tokens": 1}}\n\n' * 50

GZIP = gzip.compress(TEXT, mtime=0)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [(b"gzip", GZIP), (b"GZIP", GZIP), (b"x-gzip", GZIP), (b"deflate", zlib.compress(TEXT))],
)
def test_what_was_compressed_is_read_piece_by_piece(encoding: bytes, body: bytes) -> None:
    found = inflater([(b"content-type", b"text/event-stream"), (b"content-encoding", encoding)])
    assert found is not None
    assert b"".join(found.feed(body[at : at + 1]) for at in range(len(body))) == TEXT
    assert not found.broken


@pytest.mark.parametrize("headers", [[], [(b"content-encoding", b"identity")], [(b"content-encoding", b"")]])
def test_what_is_not_compressed_needs_nothing(headers: list[tuple[bytes, bytes]]) -> None:
    assert inflater(headers) is None


@pytest.mark.parametrize(("encoding", "body"), [(b"br", b"x"), (b"gzip", b"not gzip"), (b"gzip, br", b"x")])
def test_what_cannot_be_read_is_broken_and_silent(encoding: bytes, body: bytes) -> None:
    found = inflater([(b"content-encoding", encoding)])
    assert found is not None
    assert found.feed(body) == found.feed(gzip.compress(TEXT, mtime=0)) == b""
    assert found.broken


def test_a_bomb_is_not_inflated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "MOST_BYTES", 1000)
    found = inflater([(b"content-encoding", b"gzip")])
    assert found is not None
    assert found.feed(gzip.compress(b"0" * 10_000_000)) == b""
    assert found.broken
