"""What a call used whose provider never said so, or broke off before its last word. Pure, and always marked.

What the stream told stands; the rest is counted in the text that was sent and seen: with OpenAI's own encodings for
OpenAI's models, for every other family by a stated number of characters a token. Hidden reasoning is in no text, so
that an estimate of a reasoning model is too low.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from metering import encodings
from metering.families import OTHERS, Family, family, tokens_of
from metering.prompt_text import SETTINGS, Prompt
from metering.tokens import estimate_input
from metering.usage import Reading, Usage

logger = logging.getLogger(__name__)

MOST_COUNTED = 1 << 20
"""Characters of a prompt that are counted; of a longer one the rest is taken to be like them."""
MOST_KEPT = 4096
"""Bytes of a request that a stream holds in memory: of a longer one its beginning and its end stand for the rest."""
BINARY = (b";base64,", b'"data":"', b'"data": "')
"""What binary data begins with in the JSON of every dialect."""
LEAST_BINARY = 256
MEDIUM_TOKENS = 1000
"""A picture, a document or a sound in a prompt: a picture of a megapixel is 765 at OpenAI, 1,334 at Anthropic."""
MESSAGE_TOKENS = 3
"""What frames each message of a chat, and the answer's beginning (OpenAI's cookbook, "How to count tokens")."""


class Request(NamedTuple):
    """What is known of a request: its length, and all of it, parsed or as bytes, or a part of its text.

    `text` stands for `characters` like it; `media` and `messages` are counted apart.
    """

    body_bytes: int
    document: Mapping[str, Any] | None = None
    body: bytes = b""
    text: str = ""
    characters: int = 0
    media: int = 0
    messages: int = 0


class Told(NamedTuple):
    """What a call leaves behind for its estimate; `model` is the one that was asked for."""

    model: str
    request: Request
    reading: Reading


def kept(body: bytes | bytearray) -> Request:
    """Of a request as much as is kept in memory while its answer is streamed. Quick, as calls wait for it."""
    if len(body) <= MOST_KEPT:
        return Request(len(body), body=bytes(body))
    spans = sorted(span for mark in BINARY for span in _binary(body, mark))
    begin = min(MOST_KEPT // 2, spans[0][0] if spans else len(body))
    end = max(len(body) - MOST_KEPT // 2, spans[-1][1] if spans else 0)
    sample = body[:begin] + body[end:]
    text = sample.decode(errors="ignore")
    rest = len(body) - sum(stop - start for start, stop in spans)
    return Request(len(body), text=text, characters=rest * len(text) // max(1, len(sample)), media=len(spans))


def _binary(body: bytes | bytearray, mark: bytes) -> Iterator[tuple[int, int]]:
    """Where binary data stands that begins with a mark and ends with its text."""
    at = body.find(mark)
    while at >= 0:
        start = at + len(mark)
        stop = body.find(b'"', start)
        if stop - start >= LEAST_BINARY and body.find(b";base64,", start, stop) < 0:
            yield start, stop
        at = body.find(mark, max(start, stop))


def estimate(told: Told) -> Usage:
    """The counts of a call, at least one token of input. Never raises."""
    kind = family(told.reading.model or told.model)
    try:
        return _counted(told, kind)
    except encodings.NoEncoding:
        logger.exception("Tokens of OpenAI's models are estimated by length")
        return _counted(told, OTHERS)


def by_length(told: Told) -> Usage:
    """The counts of a call by lengths alone, at once: four bytes or characters a token, and one token an event."""
    reading = told.reading
    written = max(estimate_input(reading.output_characters), reading.output_events) if reading.output_characters else 0
    return _completed(reading.usage, estimate_input(told.request.body_bytes), written)


def _counted(told: Told, kind: Family) -> Usage:
    reading = told.reading
    seen = bytes(reading.output_text).decode(errors="ignore")
    written = max(_scaled(kind, seen, reading.output_characters), reading.output_events)
    asked = 0 if reading.usage and reading.usage.input_tokens else input_tokens(kind, told.request)
    return _completed(reading.usage, asked, written)


def _completed(usage: Usage | None, asked: int, written: int) -> Usage:
    """What the answer told, and the estimate where it told less."""
    usage = usage or Usage()
    return usage._replace(
        input_tokens=usage.input_tokens or max(1, asked), output_tokens=max(usage.output_tokens, written)
    )


def input_tokens(kind: Family, request: Request) -> int:
    """The tokens of a prompt: its text, its media and the frame of its messages. Raises `encodings.NoEncoding`."""
    request = _measured(request, MOST_COUNTED)
    frame = MESSAGE_TOKENS * (request.messages + 1) if request.messages else 0
    return _scaled(kind, request.text, request.characters) + request.media * MEDIUM_TOKENS + frame


def _measured(request: Request, most: int) -> Request:
    """A request with the beginning of its text in place of its document or body."""
    document = request.document
    if document is None:
        if not request.body:
            return request
        document = orjson.loads(request.body)
    prompt = Prompt()
    prompt.read({name: value for name, value in document.items() if name not in SETTINGS})
    text = "\n".join(prompt.texts)
    return Request(request.body_bytes, None, b"", text[:most], len(text), prompt.media, prompt.messages)


def _scaled(kind: Family, text: str, characters: int) -> int:
    """The tokens of a text of so many characters, of which only the first are known."""
    if not text:
        return 0
    found = tokens_of(kind, text)
    return found if characters <= len(text) else -(-found * characters // len(text))
