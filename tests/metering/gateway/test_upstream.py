"""A body that comes chunk by chunk is read as one that comes in any other pieces."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.gateway.upstream import Idle, UpstreamConnection, size_line

if TYPE_CHECKING:
    from metering.gateway.origin import ConnectFailed, Connection, Headers

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


class Transport(asyncio.Transport):
    def write(self, data: bytes | bytearray | memoryview) -> None:
        """The request."""

    def resume_reading(self) -> None:
        """Always reading."""

    def abort(self) -> None:
        """Gone."""


class Heard:
    """A sink that keeps what it was told."""

    def __init__(self) -> None:
        self.data = b""
        self.chunks: list[bytes] = []
        self.ended = ""

    def wants_dispatch(self, connection: Connection) -> bool:
        return True

    def failed(self, error: ConnectFailed) -> None:
        raise AssertionError(error)

    def head(self, status: int, headers: Headers) -> None:
        assert status == 200

    def body(self, data: bytes, chunk: bytes = b"") -> None:
        self.data += data
        if chunk:
            assert chunk == b"%x\r\n%b\r\n" % (len(data), data)
            self.chunks.append(chunk)

    def end(self) -> None:
        self.ended = "end"

    def lost(self, reason: str) -> None:
        self.ended = "lost"


def heard(reads: list[bytes]) -> Heard:
    connection = UpstreamConnection(Idle(lambda: 0.0))
    connection.connection_made(Transport())
    sink = Heard()
    connection.send(sink, b"GET / HTTP/1.1\r\n\r\n")
    for read in [HEAD, *reads]:
        connection.data_received(read)
    return sink


def framed(data: bytes, form: str = "%x", extension: str = "") -> bytes:
    return f"{form % len(data)}{extension}\r\n".encode() + data + b"\r\n"


CHUNKS = st.builds(
    framed,
    st.binary(min_size=1, max_size=300) | st.sampled_from([b"\r\n", b"0\r\n\r\n", b"5\r\nhello\r\n", b"x" * 70_000]),
    st.sampled_from(["%x", "%X", "0%x"]),
    st.sampled_from(["", "", ";a=b"]),
)


@given(st.lists(CHUNKS, max_size=6), st.data())
def test_chunks_are_read_alike_however_they_come(chunks: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(chunks) + b"0\r\n\r\n"
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=5)))
    cut = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    found = [heard(reads) for reads in ([stream], [*chunks, b"0\r\n\r\n"], cut)]
    assert [one.ended for one in found] == ["end"] * 3
    assert found[0].data == found[1].data == found[2].data


def test_a_read_that_is_one_chunk_is_handed_on_as_it_is() -> None:
    first, second = framed(b"data: 1\n\n"), framed(b"data: 2\n\n")
    assert heard([first, second, second + second, second, second[:4], second[4:], second]).chunks == [second] * 3


@pytest.mark.parametrize(
    "bad", [b"-1\r\n\r\n\r\n", b"g\r\nabc\r\n", b"+3\r\nabc\r\n", b"\r\n3\r\nabc\r\n", b"3\r\nabcd\r\n"]
)
def test_what_is_no_chunk_is_refused(bad: bytes) -> None:
    assert heard([framed(b"first"), bad]).ended == "lost"


def test_every_length_of_a_chunk_has_its_size() -> None:
    for size in (1, 15, 16, 255, 256, 4095, 4096, 65_536):
        assert size_line(len(framed(b"x" * size))) == b"%x\r\n" % size
    assert size_line(5) is None
    assert size_line(21) is None
