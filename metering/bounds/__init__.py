"""The most that a call can use, from its request alone: what a hard cap reserves before it is forwarded. Pure.

For every answer of a provider that honours the limits which are forwarded, what it uses is at most what is said here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from metering.bounds import clouds, others, prose
from metering.bounds.base import Bound, Call
from metering.bounds.numbers import Limit
from metering.providers.base import Endpoint

__all__ = ["DEFAULT_WINDOW", "Bound", "Limit", "bound"]

DEFAULT_WINDOW = 1_048_576
"""Tokens that a model can read, where the price list does not tell."""
LATER = "A call in the background reports its usage later and elsewhere."
UNTOLD = "What such a call used is not told by its answer."

RULES: dict[str, Callable[[Call], Bound]] = {
    "agents.completions": others.agent,
    "audio.transcriptions": others.transcriptions,
    "audio.translations": others.transcriptions,
    "batchEmbedContents": others.embeddings,
    "converse": clouds.converse,
    "converse-stream": clouds.converse,
    "embedContent": others.embeddings,
    "embeddings": others.embeddings,
    "images.edits": others.images,
    "images.generations": others.images,
    "invoke": clouds.invoke,
    "invoke-with-response-stream": clouds.invoke,
    "ocr": others.pages,
    "predict": others.embeddings,
    "rawPredict": clouds.raw_predict,
    "rerank": others.rerank,
    "streamRawPredict": clouds.raw_predict,
}
"""By kind of endpoint; all others read and write text."""


def bound(
    endpoint: Endpoint, dialect: str, document: Mapping[str, Any], body_bytes: int, *, model: str = "", window: int = 0
) -> Bound:
    """The most that a call uses. `document` is its body parsed, of so many bytes; `dialect` is the endpoint's.

    `model` is what it asks for, `window` the tokens which that can read: 0 where nobody knows. Never raises, whatever
    JSON it is.
    """
    if endpoint.free or not endpoint.metered:
        return Bound(requests=0)
    if endpoint.later is not None and endpoint.later(document):
        return Bound(reason=LATER, untold=True)
    if endpoint.untold:
        return Bound(reason=UNTOLD, untold=True)
    rule = RULES.get(endpoint.kind, prose.text)
    return rule(Call(endpoint, dialect, document, body_bytes, model, window or DEFAULT_WINDOW))
