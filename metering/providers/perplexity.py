"""Perplexity: https://docs.perplexity.ai/api-reference. Its answers tell their cost, the fees for searches included."""

from __future__ import annotations

from dataclasses import replace

from metering.providers.account import Probe
from metering.providers.base import Provider, under
from metering.providers.openai import LATER, UNKNOWN, Endpoints, at, chat, models, refused, responses, with_cost
from metering.providers.openai_usage import total_cost

CHAT, RESPONSES = with_cost(total_cost)
WITHOUT_VERSION = ("/chat/completions", "/search", "/async")
UNVERSIONED = under("")


def own_path(path: str) -> str:
    """The older endpoints have no version, the later ones /v1."""
    bare = UNVERSIONED(path)
    return bare if bare.startswith(WITHOUT_VERSION) else "/v1" + bare


def _agent() -> Endpoints:
    """The Responses API, which has a second name."""
    made, *others = responses("/v1", RESPONSES)
    return (replace(made, pattern=at("/v1/(?:responses|agent)")), *others)


PERPLEXITY = Provider(
    slug="perplexity",
    label="Perplexity",
    dialect="openai",
    base_url="https://api.perplexity.ai",
    prefix="",
    own_path=own_path,
    endpoints=(
        *chat("", CHAT, asks_usage=False),
        *_agent(),
        *models("/v1"),
        refused("search", "/search", UNKNOWN),
        refused("async", "/async(?:/.*)?", LATER),
    ),
    catalogue="perplexity",
    probe=Probe("POST", "/chat/completions", b"{}", frozenset({400, 422})),
)
