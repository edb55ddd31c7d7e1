"""Google Gemini: https://ai.google.dev/api, and its endpoint for OpenAI clients under /v1beta/openai."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import Any

from metering.providers.base import Endpoint, Provider
from metering.providers.chat import ChatReader
from metering.providers.openai import EITHER, LATER, STORE, UNKNOWN, at, chat, embeddings, models, refused
from metering.providers.reader import AnswerReader, Counts, Object, error_code
from metering.usage import Usage

# https://ai.google.dev/api/generate-content#Modality, by name and, as Vertex AI may send it, by number.
IMAGE, VIDEO, AUDIO = ("IMAGE", 2), ("VIDEO", 3), ("AUDIO", 4)

VERSION = re.compile(r"/(v\d+(?:(?:alpha|beta)\d*)?)(?=/)")
MAX_OUTPUT_TOKENS = (("generationConfig", "maxOutputTokens"),)
FOR_OPENAI = re.compile(r"(?:/openai)?/(?:chat/completions|embeddings|images/generations)")


class GeminiReader(AnswerReader):
    """Each chunk of a stream has the usage so far, of each count the last is right. A stream ends without a word."""

    __slots__ = ("_queries",)

    def __init__(self) -> None:
        super().__init__()
        self._queries: dict[int, int] = {}

    def fold(self, document: Object) -> None:
        self.overlay(document.get("usageMetadata"))
        model = document.get("modelVersion")
        if model and type(model) is str:
            self.model = model
        if document.get("error"):
            self.error = error_code(document["error"])
        candidates = document.get("candidates")
        if type(candidates) is list:
            self.partial = not any(type(one) is dict and one.get("finishReason") for one in candidates)
            for number, candidate in enumerate(candidates):
                if type(candidate) is dict:
                    self._candidate(number, candidate)

    def _candidate(self, number: int, candidate: Object) -> None:
        content = candidate.get("content")
        if type(content) is dict:
            self.saw(content.get("parts"))
        grounding = candidate.get("groundingMetadata")
        queries = grounding.get("webSearchQueries") if type(grounding) is dict else None
        if type(queries) is list:
            index = candidate.get("index")
            place = index if type(index) is int else number
            self._queries[place] = max(len(queries), self._queries.get(place, 0))

    def measure(self, raw: Object, counts: Counts) -> Usage | None:
        tier = raw.get("serviceTier") or raw.get("trafficType")
        if type(tier) is str:
            self.tier = tier
        usage = gemini_usage(raw, counts)
        return usage and usage._replace(grounding_queries=sum(self._queries.values()))


def gemini_usage(raw: Object, counts: Counts) -> Usage | None:
    """The prompt holds what was cached but not what tools added; the candidates leave out the thoughts."""
    prompt, candidates = raw.get("promptTokenCount"), raw.get("candidatesTokenCount")
    thoughts, tools = counts.part(raw.get("thoughtsTokenCount")), counts.part(raw.get("toolUsePromptTokenCount"))
    if prompt is None and candidates is None and not thoughts:
        return None
    asked = _modalities(raw, "promptTokensDetails", "promptTokenDetails")
    made = _modalities(raw, "candidatesTokensDetails")
    return Usage(
        input_tokens=counts.total(prompt) + tools,
        output_tokens=counts.total(candidates) + thoughts,
        cache_read_tokens=counts.part(raw.get("cachedContentTokenCount")),
        cache_read_audio_tokens=_of(AUDIO, _modalities(raw, "cacheTokensDetails"), counts),
        reasoning_tokens=thoughts,
        input_audio_tokens=_of(AUDIO, asked, counts),
        input_image_tokens=_of(IMAGE, asked, counts),
        input_video_tokens=_of(VIDEO, asked, counts),
        input_tool_tokens=tools,
        output_audio_tokens=_of(AUDIO, made, counts),
        output_image_tokens=_of(IMAGE, made, counts),
    )


def _modalities(raw: Object, *names: str) -> list[Object]:
    for name in names:
        details = raw.get(name)
        if type(details) is list:
            return [detail for detail in details if type(detail) is dict]
    return []


def _of(modality: tuple[str, int], details: list[Object], counts: Counts) -> int:
    return sum(counts.part(detail.get("tokenCount")) for detail in details if _is(detail.get("modality"), modality))


def _is(value: Any, modality: tuple[str, int]) -> bool:
    return type(value) in (str, int) and value in modality


def own_path(path: str) -> str:
    """Keep the version that was asked for, the last where two stand; v1beta where none does."""
    version = "v1beta"
    while match := VERSION.match(path):
        version, path = match[1], path[match.end() :]
    if path.startswith("/openai/"):
        rest = path.removeprefix("/openai")
        while match := VERSION.match(rest):
            rest = rest[match.end() :]
        return "/v1beta/openai" + rest
    return ("/v1beta/openai" if FOR_OPENAI.fullmatch(path) else f"/{version}") + path


def _gemini() -> tuple[Endpoint, ...]:
    name = r"/v1(?:alpha|beta)?/(?:models/)?(?P<model>(?:tunedModels/)?[A-Za-z0-9][A-Za-z0-9._-]*)"

    def verb(kind: str, **options: Any) -> Endpoint:
        return Endpoint(kind, "POST", at(f"{name}:{kind}"), GeminiReader, **options)

    return (
        verb("generateContent", stream=False, limits=MAX_OUTPUT_TOKENS),
        verb("streamGenerateContent", stream=True, limits=MAX_OUTPUT_TOKENS),
        verb("embedContent", stream=False),
        verb("batchEmbedContents", stream=False),
        verb("countTokens", stream=False, free=True),
        refused("predict", f"{name}:(?:predict|generateAnswer|generateText|embedText)", UNKNOWN),
        refused("batches", f"{name}:(?:predictLongRunning|batchGenerateContent|asyncBatchEmbedContent)", LATER),
        refused(
            "storage", r"/v1(?:alpha|beta)?/(?:cachedContents|files|corpora|fileSearchStores|batches)(?:/.*)?", STORE
        ),
        refused("interactions", r"/v1(?:alpha|beta)?/interactions(?:/.*)?", LATER),
    )


def _for_openai() -> tuple[Endpoint, ...]:
    prefix = "/v1beta/openai"
    metered = (
        *chat(prefix, partial(ChatReader, hidden_output=True), limits=EITHER),
        *embeddings(prefix),
        *models(prefix),
    )
    refusals = (refused("images.generations", f"{prefix}/images/generations", UNKNOWN),)
    return tuple(replace(endpoint, dialect="openai", bearer=True) for endpoint in (*metered, *refusals))


GOOGLE = Provider(
    slug="google",
    label="Google Gemini",
    dialect="google",
    base_url="https://generativelanguage.googleapis.com",
    prefix="/v1beta",
    own_path=own_path,
    endpoints=(*_gemini(), *models("/v1(?:alpha|beta)?"), *_for_openai()),
    catalogue="google",
    key_header=b"x-goog-api-key",
    key_prefix=b"",
    key_in_query=True,
)
