"""What a call used whose provider never said so, or broke off before its last word. Pure, and always marked.

What the stream told stands; the rest is counted in the text that was sent and seen: with OpenAI's own encodings for
OpenAI's models, for every other family by a stated number of characters a token. Hidden reasoning is in no text, so
that an estimate of a reasoning model is too low.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from metering import encodings
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

OLDER = re.compile(r"gpt-4(?!o|\.\d)|gpt-3|text-embedding|davinci|babbage")
"""OpenAI's models that read cl100k_base; all others read o200k_base."""
OPENAI = re.compile(r"(?:ft:)?(?:gpt-|chatgpt-|o\d(?:-|$)|text-embedding-|davinci|babbage|codex|computer-use)")
MAKERS = re.compile(r"^(?:[a-z]{2,6}\.)?(?:openai|anthropic|google)[./]|^models/")
"""What resellers put before a model's own name: `openai/gpt-5`, `us.anthropic.claude-…`."""


@dataclass(frozen=True, slots=True)
class Family:
    """How a maker's models are counted: by an encoding, or by tenths of a character a token.

    `latin` is for ASCII; `alphabet` for letters of two bytes in UTF-8, such as Greek, Cyrillic and Arabic, and accented
    ones; `ideograph` for those of three and four, such as Chinese, Japanese, Hindi and emoji.
    """

    encoding: str = ""
    latin: int = 40
    alphabet: int = 25
    ideograph: int = 12


# Claude: 3.4 characters a token in recorded answers; Gemini: "about 4 characters" (Google's page on tokens).
CLAUDE = Family(latin=34, alphabet=20, ideograph=9)
GEMINI = Family(latin=40, alphabet=27, ideograph=13)
OTHERS = Family(latin=37, alphabet=24, ideograph=11)

NO_TEXT = frozenset(
    "b64_json cache_control call_id data encrypted_content file_id id mime_type mimeType media_type role signature"
    " status thoughtSignature tool_call_id tool_use_id type".split()
)
"""Members of a prompt whose strings the model does not read."""
SETTINGS = frozenset(
    "background conversation container encoding_format generationConfig include logit_bias logprobs metadata modalities"
    " model prediction previous_response_id prompt_cache_key prompt_cache_retention reasoning reasoning_effort"
    " safetySettings safety_identifier service_tier speed stop stop_sequences store stream stream_options thinking"
    " tool_choice toolConfig truncation user verbosity".split()
)
"""Members of a request that are no prompt."""
STRUCTURED = frozenset("tools functions response_format json_schema schema input_schema parameters arguments".split())
"""Members that the model reads with their brackets and names."""
MEDIA = frozenset(
    "image_url input_image image input_audio audio_url video_url file input_file document inlineData inline_data"
    " fileData file_data".split()
)
"""Names of members and types of parts that carry media."""


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


def family(model: str) -> Family:
    """How to count for a model, by its name."""
    name = MAKERS.sub("", model.lower())
    if OPENAI.match(name):
        return Family("cl100k_base" if OLDER.match(name.removeprefix("ft:")) else "o200k_base")
    if "claude" in name:
        return CLAUDE
    return GEMINI if name.startswith(("gemini", "gemma", "learnlm")) else OTHERS


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


def tokens_of(kind: Family, text: str) -> int:
    """The tokens of a text. Raises `encodings.NoEncoding`."""
    if kind.encoding:
        return encodings.count(kind.encoding, text)
    data = text.encode(errors="replace")
    latin = len(data.translate(None, NOT_ASCII))
    ideographs = len(data) - len(data.translate(None, LONG_LEADS))
    alphabet = len(text) - latin - ideographs
    tenths = ((latin, kind.latin), (alphabet, kind.alphabet), (ideographs, kind.ideograph))
    return sum(-(-characters * 10 // size) for characters, size in tenths)


NOT_ASCII = bytes(range(0x80, 0x100))
LONG_LEADS = bytes(range(0xE0, 0x100))
"""First bytes of characters of three and four bytes in UTF-8."""


def _scaled(kind: Family, text: str, characters: int) -> int:
    """The tokens of a text of so many characters, of which only the first are known."""
    if not text:
        return 0
    found = tokens_of(kind, text)
    return found if characters <= len(text) else -(-found * characters // len(text))


class Prompt:
    """The texts of a request, how many media it carries, and how many messages."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.media = 0
        self.messages = 0

    def read(self, document: Any) -> None:
        """Look through it, without recursion: a request may be nested as deep as it likes."""
        rooms = [document]
        while rooms:
            room = rooms.pop()
            if type(room) is str:
                self._text(room)
            elif type(room) is list:
                rooms += reversed(room)
            elif type(room) is dict:
                self.messages += "role" in room
                kind = room.get("type")
                if type(kind) is str and kind in MEDIA and "text" not in room:
                    self.media += 1
                    continue
                rooms += reversed([self._member(name, value) for name, value in room.items() if name not in NO_TEXT])

    def _member(self, name: str, value: Any) -> Any:
        """What of a member is still to be looked through."""
        if name in MEDIA and value:
            self.media += 1
            return None
        if name in STRUCTURED and type(value) in (dict, list):
            try:
                self.texts.append(orjson.dumps(value).decode())
            except TypeError:  # numbers beyond 64 bits, or nested without end: then its texts alone
                return list(value.values()) if type(value) is dict else value
            return None
        return value

    def _text(self, text: str) -> None:
        if text.startswith("data:"):
            self.media += 1
        elif text:
            self.texts.append(text)
