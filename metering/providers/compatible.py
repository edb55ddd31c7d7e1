"""Providers that speak OpenAI's dialect, a row each; and anybody's own server, made from the same row.

What their streams report unasked was seen in recorded traffic: Groq in `x_groq`, Mistral, Together, Z.AI and OpenRouter
on the last chunk, Perplexity on every chunk. The others are asked with `stream_options.include_usage`.
"""

from __future__ import annotations

import re
from functools import partial
from urllib.parse import urlsplit

from metering.providers.anthropic import messages
from metering.providers.base import Endpoint, Provider, under
from metering.providers.chat import ChatReader
from metering.providers.media import TranscriptionReader
from metering.providers.openai import (
    EITHER,
    MAX_COMPLETION_TOKENS,
    MAX_TOKENS,
    UNKNOWN,
    at,
    chat,
    completions,
    embeddings,
    like_openai,
    models,
    refused,
    responses,
    with_cost,
)
from metering.providers.openai_usage import cost_in_credits, cost_in_ticks, total_cost
from metering.providers.pages import PagesReader

OPENROUTER_CHAT, OPENROUTER_RESPONSES = with_cost(cost_in_credits)
XAI_CHAT, XAI_RESPONSES = with_cost(cost_in_ticks)
PERPLEXITY_CHAT = partial(ChatReader, total_cost)


def _speech(prefix: str) -> tuple[Endpoint, ...]:
    return (refused("audio.speech", f"{prefix}/audio/speech", UNKNOWN),)


def _transcriptions(prefix: str) -> tuple[Endpoint, ...]:
    path = at(f"{prefix}/audio/transcriptions")
    return (Endpoint("audio.transcriptions", "POST", path, TranscriptionReader, estimable=False, form=True),)


def _pictures(prefix: str) -> tuple[Endpoint, ...]:
    return (refused("images.generations", f"{prefix}/images/(?:generations|edits)", UNKNOWN),)


def _mistral() -> tuple[Endpoint, ...]:
    prefix = "/v1"
    fill = Endpoint("fim.completions", "POST", at(f"{prefix}/fim/completions"), ChatReader, limits=MAX_TOKENS)
    agents = Endpoint("agents.completions", "POST", at(f"{prefix}/agents/completions"), ChatReader)
    pages = Endpoint("ocr", "POST", at(f"{prefix}/ocr"), PagesReader, estimable=False, stream=False)
    talk = chat(prefix, asks_usage=False)
    return (*talk, fill, agents, pages, *embeddings(prefix), *_transcriptions(prefix), *models(prefix))


def _huggingface_path(path: str) -> str:
    """The router's own path, or that of the sub-provider that was named before the version."""
    return path if SUB_PROVIDER.fullmatch(path) else under("/v1")(path)


SUB_PROVIDER = re.compile(r"/[a-z0-9-]+/v\d(?:/openai)?/chat/completions")
HUGGINGFACE = Provider(
    slug="huggingface",
    label="Hugging Face",
    dialect="openai",
    base_url="https://router.huggingface.co",
    prefix="/v1",
    own_path=_huggingface_path,
    endpoints=(*chat("/v1"), *models("/v1"), *chat(r"/[a-z0-9-]+/v\d(?:/openai)?")),
    catalogue="own/huggingface",
)

COMPATIBLE: tuple[Provider, ...] = (
    like_openai("mistral", "Mistral", "https://api.mistral.ai", "/v1", _mistral(), catalogue="mistral", dialect="flat"),
    like_openai(
        "groq",
        "Groq",
        "https://api.groq.com",
        "/openai/v1",
        (
            *chat("/openai/v1", asks_usage=False, limits=MAX_COMPLETION_TOKENS),
            *responses("/openai/v1"),
            *_transcriptions("/openai/v1"),
            *models("/openai/v1"),
            *_speech("/openai/v1"),
        ),
        catalogue="groq",
    ),
    like_openai(
        "deepseek",
        "DeepSeek",
        "https://api.deepseek.com",
        "",
        (*chat("(?:/beta)?"), *completions("(?:/beta)?"), *responses(""), *messages("/anthropic/v1"), *models("")),
        catalogue="deepseek",
    ),
    like_openai(
        "xai",
        "xAI",
        "https://api.x.ai",
        "/v1",
        (
            *chat("/v1", XAI_CHAT, limits=MAX_COMPLETION_TOKENS),
            *responses("/v1", XAI_RESPONSES),
            *models("/v1"),
            *_pictures("/v1"),
        ),
        catalogue="x-ai",
    ),
    like_openai(
        "together",
        "Together AI",
        "https://api.together.ai",
        "/v1",
        (
            *chat("/v1", asks_usage=False),
            *completions("/v1", asks_usage=False),
            *embeddings("/v1"),
            *models("/v1"),
            *_pictures("/v1"),
            *_speech("/v1"),
        ),
        catalogue="together",
    ),
    like_openai(
        "openrouter",
        "OpenRouter",
        "https://openrouter.ai",
        "/api/v1",
        (
            *chat("/api/v1", OPENROUTER_CHAT, asks_usage=False, limits=EITHER),
            *completions("/api/v1", OPENROUTER_CHAT, asks_usage=False),
            *embeddings("/api/v1", OPENROUTER_CHAT),
            *responses("/api/v1", OPENROUTER_RESPONSES),
            *models("/api/v1"),
        ),
        catalogue="openrouter",
    ),
    like_openai(
        "perplexity",
        "Perplexity",
        "https://api.perplexity.ai",
        "",
        chat("", PERPLEXITY_CHAT, asks_usage=False),
        catalogue="perplexity",
    ),
    like_openai(
        "fireworks",
        "Fireworks AI",
        "https://api.fireworks.ai",
        "/inference/v1",
        (
            *chat("/inference/v1", limits=EITHER),
            *completions("/inference/v1"),
            *embeddings("/inference/v1"),
            *responses("/inference/v1"),
            *models("/inference/v1"),
        ),
        catalogue="fireworks",
    ),
    like_openai(
        "cerebras",
        "Cerebras",
        "https://api.cerebras.ai",
        "/v1",
        (*chat("/v1", limits=MAX_COMPLETION_TOKENS), *completions("/v1"), *models("/v1")),
        catalogue="cerebras",
    ),
    like_openai(
        "zai",
        "Z.AI",
        "https://api.z.ai",
        "/api/paas/v4",
        (*chat("/api/paas/v4", asks_usage=False), *embeddings("/api/paas/v4"), *models("/api/paas/v4")),
        catalogue="zai",
    ),
    like_openai(
        "moonshotai",
        "Moonshot AI",
        "https://api.moonshot.ai",
        "/v1",
        (*chat("/v1", limits=EITHER), *models("/v1")),
        catalogue="moonshotai",
    ),
    like_openai(
        "voyageai",
        "Voyage AI",
        "https://api.voyageai.com",
        "/v1",
        (*embeddings("/v1"), Endpoint("rerank", "POST", at("/v1/rerank"), ChatReader, stream=False)),
        catalogue="voyageai",
        dialect="flat",
    ),
    HUGGINGFACE,
)


def compatible(slug: str, base_url: str, label: str) -> Provider:
    """Somebody's own server that speaks OpenAI's dialect. Its prices are the workspace's own, under `own/<slug>`.

    `base_url` is what an OpenAI client would be given, version included; one without a path gets /v1.
    """
    prefix = "" if urlsplit(base_url).path.strip("/") else "/v1"
    calls = (*chat(prefix), *completions(prefix), *embeddings(prefix), *responses(prefix), *models(prefix))
    return like_openai(slug, label, base_url, prefix, calls, catalogue=f"own/{slug}")
