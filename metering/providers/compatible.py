"""Providers that speak OpenAI's dialect, a row each; and anybody's own server, made from the same row.

What their streams report unasked was seen in recorded traffic: Groq in `x_groq`, Mistral, Together and Z.AI on the last
chunk. The others are asked with `stream_options.include_usage`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

from metering.providers.account import Probe
from metering.providers.anthropic import messages
from metering.providers.base import Endpoint, Provider, Reader, under
from metering.providers.chat import ChatReader
from metering.providers.media import CostedReader, MediaReader
from metering.providers.openai import (
    EITHER,
    LATER,
    MAX_COMPLETION_TOKENS,
    MAX_TOKENS,
    STORE,
    at,
    chat,
    completions,
    embeddings,
    like_openai,
    models,
    recordings,
    refused,
    responses,
    speech,
    untold,
    with_cost,
)
from metering.providers.openai_usage import cost_in_ticks
from metering.providers.pages import PagesReader

INVALID = frozenset({400, 422})
"""How an empty request is refused to those whose key is taken."""

XAI_CHAT, XAI_RESPONSES = with_cost(cost_in_ticks)


def _pictures(prefix: str, reader: Callable[[], Reader] = MediaReader) -> tuple[Endpoint, ...]:
    """Pictures, which are not priced by what an answer counts."""
    return untold("images.generations", f"{prefix}/images/(?:generations|edits)", reader, form=True)


def _rerank(prefix: str) -> tuple[Endpoint, ...]:
    return (Endpoint("rerank", "POST", at(f"{prefix}/rerank"), ChatReader, estimable=False, stream=False),)


def _mistral() -> tuple[Endpoint, ...]:
    prefix = "/v1"
    fill = Endpoint("fim.completions", "POST", at(f"{prefix}/fim/completions"), ChatReader, limits=MAX_TOKENS)
    agent = at(f"{prefix}/agents/completions")
    agents = Endpoint("agents.completions", "POST", agent, ChatReader, usual_model="agent")
    pages = Endpoint("ocr", "POST", at(f"{prefix}/ocr"), PagesReader, estimable=False, stream=False)
    talk = chat(prefix, asks_usage=False)
    return (
        *talk,
        fill,
        agents,
        pages,
        *embeddings(prefix),
        *recordings(prefix),
        *speech(prefix),
        *models(prefix),
        *untold("moderations", f"{prefix}/(?:chat/)?(?:moderations|classifications)"),
        refused("conversations", f"{prefix}/conversations(?:/.*)?", LATER),
        refused("batches", f"{prefix}/batch(?:/.*)?", LATER),
        refused("storage", f"{prefix}/(?:files|fine_tuning|libraries|agents)(?:/.*)?", STORE),
    )


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
    endpoints=(*chat("/v1"), *responses("/v1"), *models("/v1"), *chat(r"/[a-z0-9-]+/v\d(?:/openai)?")),
    catalogue="own/huggingface",
    probe=Probe("POST", "/v1/chat/completions", b"{}", INVALID),
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
            *recordings("/openai/v1"),
            *speech("/openai/v1"),
            *models("/openai/v1"),
            refused("batches", "/openai/v1/batches(?:/.*)?", LATER),
            refused("storage", "/openai/v1/files(?:/.*)?", STORE),
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
            *_pictures("/v1", partial(CostedReader, cost_in_ticks)),
            refused("videos", "/v1/videos(?:/.*)?", LATER),
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
            *_rerank("/v1"),
            *recordings("/v1"),
            *speech("/v1"),
            *_pictures("/v1"),
            *models("/v1"),
            refused("batches", "/v1/batches(?:/.*)?", LATER),
            refused("storage", "/v1/(?:files|fine-tunes|fine-tuning)(?:/.*)?", STORE),
        ),
        catalogue="together",
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
        probe=Probe("POST", "/api/paas/v4/chat/completions", b"{}", INVALID),
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
        "novita",
        "Novita AI",
        "https://api.novita.ai",
        "/openai/v1",
        (*chat("/openai/v1"), *completions("/openai/v1"), *embeddings("/openai/v1"), *models("/openai/v1")),
        catalogue="novita",
        probe=Probe("POST", "/openai/v1/chat/completions", b"{}", INVALID),
    ),
    like_openai(
        "voyageai",
        "Voyage AI",
        "https://api.voyageai.com",
        "/v1",
        (
            *embeddings("/v1"),
            *_rerank("/v1"),
            Endpoint("embeddings", "POST", at("/v1/(?:contextualized|multimodal)embeddings"), ChatReader, stream=False),
            refused("batches", "/v1/(?:batches|files)(?:/.*)?", LATER),
        ),
        catalogue="voyageai",
        dialect="flat",
        probe=Probe("POST", "/v1/embeddings", b"{}", INVALID),
    ),
    HUGGINGFACE,
)


def compatible(slug: str, base_url: str, label: str) -> Provider:
    """Somebody's own server that speaks OpenAI's dialect. Its prices are the workspace's own, under `own/<slug>`.

    `base_url` is what an OpenAI client would be given, version included; one without a path gets /v1.
    """
    prefix = "" if urlsplit(base_url).path.strip("/") else "/v1"
    calls = (
        *chat(prefix),
        *completions(prefix),
        *embeddings(prefix),
        *responses(prefix),
        *_rerank(prefix),
        *recordings(prefix),
        *models(prefix),
    )
    return like_openai(slug, label, base_url, prefix, calls, catalogue=f"own/{slug}")
