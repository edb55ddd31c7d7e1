"""What a bound is, and what it is found from. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from metering.bounds.numbers import Limit
from metering.providers.base import Endpoint

HIDDEN_TOKENS = 1_024
"""What a provider adds to a prompt: the frames of messages, and a system prompt of its own (Grok's has 700 tokens)."""


class Bound(NamedTuple):
    """The most that a call uses; it is forwarded with `limits`. With a `reason`, a sentence, it has no bound.

    `untold`: the reason is that its answer does not tell what it used, so that it has no price either.
    `kinds` are the kinds of media that the prompt may hold, for models that price them apart; `cache` says whether it
    asks for caching: "", "short" or "long". `models` are other models whose work is part of the answer.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    requests: int = 1
    limits: tuple[Limit, ...] = ()
    reason: str = ""
    kinds: frozenset[str] = frozenset()
    cache: str = ""
    searches: int = 0
    audio_seconds: int = 0
    document_pages: int = 0
    models: tuple[str, ...] = ()
    untold: bool = False


class Call(NamedTuple):
    """A call as it came: its body parsed, the bytes of that, and the tokens that its model can read."""

    endpoint: Endpoint
    dialect: str
    document: Mapping[str, Any]
    body_bytes: int
    model: str
    window: int
