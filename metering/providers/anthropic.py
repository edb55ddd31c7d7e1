"""Anthropic: https://docs.anthropic.com/en/api/messages."""

from __future__ import annotations

import re
from functools import reduce
from operator import add

from metering.providers.base import Endpoint, Provider, under
from metering.providers.openai import LATER, MAX_TOKENS, STORE, UNKNOWN, at, models, refused
from metering.providers.reader import PLAIN, AnswerReader, Context, Counts, Object, error_code, inside
from metering.usage import Part, Usage

UNCLEAR_FALLBACK = "usage_fallback_unclear"
"""Flag: a refused attempt of another model came first, and whether it is billed is not documented; it is left out."""

TEXT = re.compile(rb'"delta":\{"type":"text_delta","text":"%b"' % PLAIN)
SERVER_TOOLS = ("web_search_requests", "web_fetch_requests")


class MessagesReader(AnswerReader):
    """The message stands alone, or `message_start` begins it and `message_delta` overlays its usage, cumulatively.

    `usage.iterations` (compaction, advisors) bill on top of the message and at their own models.
    """

    __slots__ = ()

    def skim(self, event: bytes) -> bool:
        return event.count(b'"type":"content_block_delta"') == 1 and self.skim_text(event, TEXT)

    def fold(self, document: Object) -> None:
        kind = document.get("type")
        if kind == "content_block_delta":
            self.saw(document.get("delta"))
        elif kind == "message_delta":
            self.overlay(document.get("usage"))
            self.partial = False
        elif kind == "message_start":
            self.partial = True
            self._message(inside(document, "message"))
        elif kind == "message_stop":
            self.terminal = True
        elif kind == "message":
            self._message(document)
        elif document.get("error"):
            self.error = error_code(document["error"])

    def _message(self, message: Object) -> None:
        model = message.get("model")
        if type(model) is str:
            self.model = model
        self.saw(message.get("content"))
        self.overlay(message.get("usage"))

    def measure(self, raw: Object, counts: Counts) -> Usage | None:
        if raw.get("service_tier") and type(raw["service_tier"]) is str:
            self.tier = raw["service_tier"]
        if raw.get("input_tokens") is None and raw.get("output_tokens") is None:
            return None
        usage = messages_usage(raw, counts)
        parts = self._iterations(counts)
        together = reduce(add, (part.usage for part in parts), Usage())
        if together.input_tokens < usage.input_tokens or together.output_tokens < usage.output_tokens:
            return usage
        tools = {name: getattr(usage, name) for name in (*SERVER_TOOLS, "reasoning_tokens")}
        return together._replace(**tools)

    def parts(self, usage: Usage, counts: Counts) -> tuple[Part, ...]:
        parts = self._iterations(Counts())
        if len(parts) < 2 or reduce(add, (part.usage for part in parts)).input_tokens != usage.input_tokens:
            return ()
        tools = {name: getattr(usage, name) for name in SERVER_TOOLS}
        own = max(range(len(parts)), key=lambda number: parts[number].model == self.model)
        parts[own] = Part(parts[own].model, parts[own].usage._replace(**tools))
        return tuple(parts)

    def _iterations(self, counts: Counts) -> list[Part]:
        """What each pass used; nothing where a fallback makes it unclear which of them are billed."""
        iterations = (self.raw or {}).get("iterations")
        if type(iterations) is not list:
            return []
        passes = [one for one in iterations if type(one) is dict]
        if any(one.get("type") == "fallback_message" for one in passes):
            counts.flag(UNCLEAR_FALLBACK)
            return []
        return [Part(_model(one) or self.model, messages_usage(one, counts)) for one in passes]

    def context(self) -> Context:
        raw = self.raw or {}
        told = (("speed", "fast"), ("inference_geo", "us"))
        return tuple((name, value) for name, value in told if raw.get(name) == value)


def messages_usage(raw: Object, counts: Counts) -> Usage:
    """`input_tokens` leaves out what was read from and written to the cache; ours holds it."""
    read = counts.part(raw.get("cache_read_input_tokens"))
    written = counts.part(raw.get("cache_creation_input_tokens"))
    lifetimes = inside(raw, "cache_creation")
    tools = inside(raw, "server_tool_use")
    return Usage(
        input_tokens=counts.total(raw.get("input_tokens")) + read + written,
        output_tokens=counts.total(raw.get("output_tokens")),
        cache_read_tokens=read,
        cache_write_tokens=written,
        cache_write_5m=counts.part(lifetimes.get("ephemeral_5m_input_tokens")),
        cache_write_1h=counts.part(lifetimes.get("ephemeral_1h_input_tokens")),
        reasoning_tokens=counts.part(inside(raw, "output_tokens_details").get("thinking_tokens")),
        web_search_requests=counts.part(tools.get("web_search_requests")),
        web_fetch_requests=counts.part(tools.get("web_fetch_requests")),
    )


def _model(iteration: Object) -> str:
    model = iteration.get("model")
    return model if type(model) is str else ""


def messages(prefix: str) -> tuple[Endpoint, ...]:
    """The Messages API below a version, for Anthropic and those who speak its dialect beside their own."""
    return (
        Endpoint("messages", "POST", at(f"{prefix}/messages"), MessagesReader, dialect="anthropic", limits=MAX_TOKENS),
        Endpoint(
            "count_tokens",
            "POST",
            at(f"{prefix}/messages/count_tokens"),
            MessagesReader,
            free=True,
            stream=False,
            dialect="anthropic",
        ),
    )


ANTHROPIC = Provider(
    slug="anthropic",
    label="Anthropic",
    dialect="anthropic",
    base_url="https://api.anthropic.com",
    prefix="/v1",
    own_path=under("/v1"),
    endpoints=(
        *messages("/v1"),
        *models("/v1"),
        refused("batches", "/v1/messages/batches(?:/.*)?", LATER),
        refused("complete", "/v1/complete", UNKNOWN),
        refused("storage", "/v1/(?:files|skills|agents|sessions|environments)(?:/.*)?", STORE),
    ),
    catalogue="anthropic",
    key_header=b"x-api-key",
    key_prefix=b"",
    extra_headers=((b"anthropic-version", b"2023-06-01"),),
)
