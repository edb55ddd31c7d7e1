"""Cohere: https://docs.cohere.com/reference. It bills units of its own, fewer than the tokens that it counts."""

from __future__ import annotations

import re

from metering.providers.base import Endpoint, Provider
from metering.providers.openai import LATER, MAX_TOKENS, STORE, Endpoints, at, chat, embeddings, models, refused, untold
from metering.providers.reader import AnswerReader, Counts, Object, inside
from metering.usage import CONTRADICTION, Reading, Usage

VERSION = re.compile(r"/(v[12])(?=/)")
COMPATIBLE = "/compatibility/v1"
FOR_OPENAI = re.compile(r"(?:/compatibility|/v1)*(?=/(?:chat/completions|embeddings)$)")
NEWEST = re.compile(r"/(?:chat|embed|rerank)")
FAILED = frozenset({"error", "error_toxic", "error_limit"})


class CohereReader(AnswerReader):
    """`usage` (v2) or `meta` (v1) is on the whole answer, or in the event that ends a stream.

    Preambles and templates are not billed; what was cached is counted among all tokens, the billed ones or not.
    """

    __slots__ = ()

    def fold(self, document: Object) -> None:
        kind = document.get("type") or document.get("event_type")
        if kind in ("message-end", "stream-end") or document.get("is_finished") is True:
            self.terminal = True
            self._end(inside(document, "delta", "response"))
        elif kind is not None or "is_finished" in document:
            self.saw(document.get("delta") or document.get("text"))
        else:
            self.saw([document.get("message"), document.get("text"), document.get("generations")])
            self._end(document)

    def _end(self, answer: Object) -> None:
        usage = inside(answer, "usage", "meta")
        if usage:
            self.raw = usage
        reason = answer.get("finish_reason")
        if type(reason) is str and reason.lower() in FAILED:
            self.error = reason

    def measure(self, raw: Object, counts: Counts) -> Usage | None:
        billed = inside(raw, "billed_units", "tokens")
        names = ("input_tokens", "output_tokens", "image_tokens", "search_units")
        if all(billed.get(name) is None for name in names):
            return None
        pictures = counts.part(billed.get("image_tokens"))
        return Usage(
            input_tokens=counts.total(billed.get("input_tokens")) + pictures,
            output_tokens=counts.total(billed.get("output_tokens")),
            cache_read_tokens=counts.part(raw.get("cached_tokens")),
            input_image_tokens=pictures,
            search_units=counts.part(billed.get("search_units")),
        )

    def reading(self) -> Reading:
        found = super().reading()
        return found._replace(flags=tuple(flag for flag in found.flags if flag != CONTRADICTION))


def own_path(path: str) -> str:
    """Keep the version that was asked for, the last where two stand; without one, the newest that has the endpoint."""
    if match := FOR_OPENAI.match(path):
        return COMPATIBLE + path[match.end() :]
    version = ""
    while match := VERSION.match(path):
        version, path = match[1], path[match.end() :]
    return f"/{version or ('v2' if NEWEST.fullmatch(path) else 'v1')}{path}"


def _own() -> Endpoints:
    return (
        Endpoint("chat", "POST", at("/v[12]/chat"), CohereReader, limits=MAX_TOKENS),
        Endpoint("generate", "POST", at("/v1/generate"), CohereReader, limits=MAX_TOKENS),
        Endpoint("summarize", "POST", at("/v1/summarize"), CohereReader, stream=False),
        Endpoint("embed", "POST", at("/v[12]/embed"), CohereReader, estimable=False, stream=False),
        Endpoint("rerank", "POST", at("/v[12]/rerank"), CohereReader, estimable=False, stream=False),
        Endpoint("tokenize", "POST", at("/v1/(?:de)?tokenize"), CohereReader, free=True, stream=False),
        *untold("classify", "/v1/classify", CohereReader),
        *untold("audio.transcriptions", "/v2/audio/transcriptions", CohereReader, form=True),
        *models("/v1"),
        refused("batches", "/v[12]/(?:embed-jobs|batches)(?:/.*)?", LATER),
        refused("storage", "/v[12]/(?:datasets|connectors|finetuning)(?:/.*)?", STORE),
    )


COHERE = Provider(
    slug="cohere",
    label="Cohere",
    dialect="flat",
    base_url="https://api.cohere.com",
    prefix="/v2",
    own_path=own_path,
    endpoints=(*_own(), *chat(COMPATIBLE, asks_usage=False), *embeddings(COMPATIBLE)),
    catalogue="cohere",
)
