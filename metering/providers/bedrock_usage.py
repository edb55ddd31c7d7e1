"""Readers of Amazon Bedrock: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_Operations_Amazon_Bedrock_Runtime.html.

Converse has one shape for all models. What an invoked model answers is its maker's own; where that tells no usage,
Bedrock's metrics at the end of a stream do, or its headers.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from metering.eventstream import DAMAGED
from metering.providers.account import Headers
from metering.providers.anthropic import MessagesReader
from metering.providers.chat import ChatReader
from metering.providers.reader import AnswerReader, Counts, Object, inside
from metering.usage import Reading, Usage

STREAM_DAMAGED = "stream_damaged"
"""Flag: a part of the stream could not be read, so what it used may be more than what was read."""

METRICS = "amazon-bedrock-invocationMetrics"
GUARDRAIL = "amazon-bedrock-guardrailAction"
FAILURES = ("Exception", "Error")
HEAD = {
    b"x-amzn-bedrock-input-token-count": "inputTokens",
    b"x-amzn-bedrock-output-token-count": "outputTokens",
    b"x-amzn-bedrock-cache-read-input-token-count": "cacheReadInputTokens",
    b"x-amzn-bedrock-cache-write-input-token-count": "cacheWriteInputTokens",
}
CONVERSE = frozenset("output messageStart contentBlockStart contentBlockDelta contentBlockStop metadata".split())
MESSAGES = frozenset("message message_start content_block_start content_block_delta message_delta error".split())


class ConverseReader(AnswerReader):
    """`usage` is on the whole answer, or in the `metadata` that ends a stream. A prompt router names the model."""

    __slots__ = ("_damaged",)

    def __init__(self) -> None:
        super().__init__()
        self._damaged = False

    def fold(self, document: Object) -> None:
        if DAMAGED in document:
            self._damaged = True
            return
        self.error = failure(document) or self.error
        delta = document.get("contentBlockDelta")
        metadata = document.get("metadata")
        if type(delta) is dict:
            self.saw(delta.get("delta"))
        elif type(metadata) is dict:
            self._totals(metadata)
            self.terminal = True
        else:
            self.saw(document.get("output"))
            self._totals(document)

    def _totals(self, document: Object) -> None:
        self.overlay(document.get("usage"))
        tier = inside(document, "serviceTier").get("type")
        if type(tier) is str:
            self.tier = tier
        invoked = inside(inside(document, "trace"), "promptRouter").get("invokedModelId")
        if type(invoked) is str:
            self.model = invoked.rpartition("/")[2]

    def measure(self, raw: Object, counts: Counts) -> Usage | None:
        return converse_usage(raw, counts)

    def reading(self) -> Reading:
        found = super().reading()
        return found._replace(flags=(*found.flags, STREAM_DAMAGED)) if self._damaged else found


class PlainReader(AnswerReader):
    """Titan and Llama count in the answer itself; what else answers in plain members (Cohere, Mistral) does not."""

    __slots__ = ()

    def fold(self, document: Object) -> None:
        results = document.get("results")
        first = results[0] if type(results) is list and results and type(results[0]) is dict else {}
        for text in ("outputText", "generation", "completion", "text", "generations", "outputs", "completions"):
            self.saw(document.get(text))
        self.saw(first.get("outputText"))
        if document.get(GUARDRAIL) == "INTERVENED":  # the counts are those of the guardrail's own words
            return
        self.overlay(
            {
                "inputTokens": _either(document, "inputTextTokenCount", "prompt_token_count"),
                "outputTokens": _either(document, "totalOutputTextTokenCount", "generation_token_count")
                if results is None
                else first.get("tokenCount"),
            }
        )

    def measure(self, raw: Object, counts: Counts) -> Usage | None:
        return converse_usage(raw, counts)


class InvokeReader:
    """Reads an answer as its maker's, told by its shape; what that lacks, Bedrock's metrics or its headers tell."""

    __slots__ = ("_damaged", "_error", "_head", "_metrics", "_reader", "terminal")

    def __init__(self) -> None:
        self.terminal = False
        self._damaged = False
        self._error = ""
        self._head: Object = {}
        self._metrics: Object = {}
        self._reader: AnswerReader | None = None

    def read_head(self, headers: Headers) -> None:
        """Take the headers of the answer."""
        self._head = {
            HEAD[name]: int(value) for name, value in headers if name in HEAD and value.isdigit() and len(value) < 12
        }

    def skim(self, event: bytes) -> bool:
        """Whether an event is nothing but a piece of text: never, they are wrapped."""
        return False

    def again(self, event: bytes) -> bool:
        """Whether an event is the one skimmed last with another text: never."""
        return False

    def read(self, document: Any) -> None:
        """Take one more document. Never raises, whatever JSON it is."""
        if type(document) is not dict:
            return
        chunk = document.get("chunk")
        if type(chunk) is dict and "bytes" in chunk:
            document = _unpack(chunk["bytes"])
        if type(document) is not dict or DAMAGED in document:
            self._damaged = True
            return
        self._error = failure(document) or self._error
        metrics = document.get(METRICS)
        if type(metrics) is dict:
            self._metrics = metrics
        if self._reader is None:
            self._reader = _reader_of(document)
        self._reader.read(document)
        self.terminal = self._reader.terminal or bool(self._metrics)

    def reading(self) -> Reading:
        """What was learnt so far."""
        found = self._reader.reading() if self._reader else Reading(None)
        if found.usage is None:
            found = self._by_bedrock(found)
        flags = (*found.flags, STREAM_DAMAGED) if self._damaged else found.flags
        return found._replace(error=found.error or self._error, flags=flags)

    def _by_bedrock(self, found: Reading) -> Reading:
        told = {
            "inputTokens": self._metrics.get("inputTokenCount"),
            "outputTokens": self._metrics.get("outputTokenCount"),
            "cacheReadInputTokens": self._metrics.get("cacheReadInputTokenCount"),
            "cacheWriteInputTokens": self._metrics.get("cacheWriteInputTokenCount"),
        }
        raw = told if self._metrics else self._head
        counts = Counts()
        usage = converse_usage(raw, counts)
        if usage is None or counts.lost:
            return found
        return found._replace(usage=usage, raw_usage=raw, flags=(*found.flags, *counts.flags))


def converse_usage(raw: Mapping[str, Any], counts: Counts) -> Usage | None:
    """`inputTokens` leaves out what was read from and written to the cache; names in `…Count` say the same again."""
    if raw.get("inputTokens") is None and raw.get("outputTokens") is None:
        return None
    read = counts.part(raw.get("cacheReadInputTokens"), raw.get("cacheReadInputTokenCount"))
    written = counts.part(raw.get("cacheWriteInputTokens"), raw.get("cacheWriteInputTokenCount"))
    details = raw.get("cacheDetails")
    lifetimes = [part for part in details if type(part) is dict] if type(details) is list else []
    return Usage(
        input_tokens=counts.total(raw.get("inputTokens")) + read + written,
        output_tokens=counts.total(raw.get("outputTokens")),
        cache_read_tokens=read,
        cache_write_tokens=written,
        cache_write_5m=_written("5m", lifetimes, counts),
        cache_write_1h=_written("1h", lifetimes, counts),
    )


def failure(document: Object) -> str:
    """The name of an error within a stream: the only member of its document."""
    name = next(iter(document), "")
    return name if len(document) == 1 and name.endswith(FAILURES) else ""


def _written(lifetime: str, details: Iterable[Object], counts: Counts) -> int:
    return sum(counts.part(part.get("inputTokens")) for part in details if part.get("ttl") == lifetime)


def _reader_of(document: Object) -> AnswerReader:
    kind = document.get("type")
    if type(kind) is str and kind in MESSAGES:
        return MessagesReader()
    if "choices" in document:
        return ChatReader()
    return ConverseReader() if not CONVERSE.isdisjoint(document) else PlainReader()


def _either(document: Object, *names: str) -> Any:
    return next((document[name] for name in names if document.get(name) is not None), None)


def _unpack(data: Any) -> Any:
    """The JSON in a chunk of an invoked model's stream; None where there is none."""
    try:
        return orjson.loads(base64.b64decode(data))
    except (orjson.JSONDecodeError, binascii.Error, TypeError, ValueError):
        return None
