from __future__ import annotations

import pytest

from metering.gateway import heads
from metering.gateway.heads import Heads
from metering.gateway.request import Head

TEXT = b"POST /proxy/openai/v1/chat/completions HTTP/1.1\r\nHost: t\r\nContent-Length: %b\r\nAccept: */*\r\n\r\n"


def parsed(*names: bytes) -> Head:
    head = Head()
    head.headers = [(name, b"1") for name in names]
    return head


HEAD = parsed(b"host", b"content-length", b"accept")


def known(text: bytes = TEXT % b"2", head: Head = HEAD) -> Heads:
    found = Heads()
    found.remember(text + b"{}", head)
    return found


@pytest.mark.parametrize("length", [b"2", b"0", b"17", b"123456789012"])
def test_a_head_is_known_whatever_the_length_of_its_body(length: bytes) -> None:
    recalled = known().recall(TEXT % length + b'{"a":1}')
    assert recalled is not None
    head, start, told = recalled
    assert head is HEAD
    assert told == int(length)
    assert start == len(TEXT % length)


@pytest.mark.parametrize(
    "other",
    [
        TEXT % b"2x",
        TEXT % b"-2",
        TEXT % b"1234567890123",
        TEXT.replace(b"chat", b"chit") % b"2",
        TEXT.replace(b"Accept", b"accept") % b"2",
        TEXT.replace(b"\r\nAccept", b"\r\nContent-Length: 9\r\nAccept") % b"2",
        (TEXT % b"2")[:-2],
        b"\r\n" + TEXT % b"2",
    ],
)
def test_another_head_is_not(other: bytes) -> None:
    assert known().recall(other) is None


@pytest.mark.parametrize(
    ("text", "head"),
    [
        (TEXT % b"2", parsed(b"host", b"content-length")),  # the parser saw other lines
        (TEXT % b"2", parsed(b"host", b"content-length", b"transfer-encoding")),
        (TEXT % b"2", parsed(b"host", b"content-length", b"expect")),
        (TEXT.replace(b"Accept", b"Content-Length") % b"2", parsed(b"host", b"content-length", b"content-length")),
        (TEXT.replace(b"t\r\nContent", b"t\nContent") % b"2", HEAD),
        (TEXT.replace(b"Accept: */*", b"Accept: %b" % (b"x" * heads.LONGEST)) % b"2", HEAD),
        (TEXT.replace(b"Content-Length: %b\r\n", b""), parsed(b"host", b"accept")),
    ],
)
def test_a_head_that_may_be_read_in_two_ways_is_not_remembered(text: bytes, head: Head) -> None:
    assert known(text, head).recall(text + b"{}") is None


def test_memory_is_bounded_and_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "MOST", 2)
    found = Heads()
    texts = [TEXT.replace(b"chat", b"chat%d" % number) % b"2" for number in range(3)]
    for text in texts:
        found.remember(text, HEAD)
    assert [found.recall(text) is not None for text in texts] == [False, True, True]
