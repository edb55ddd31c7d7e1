"""OpenAI: https://platform.openai.com/docs/api-reference. The endpoints here serve its many likes as well."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from metering.providers.account import Probe
from metering.providers.base import MODEL, Endpoint, Provider, Reader, under
from metering.providers.chat import ChatReader
from metering.providers.media import MediaReader, TranscriptionReader
from metering.providers.responses import ResponsesReader

Endpoints = tuple[Endpoint, ...]

NO_READING: Callable[[], Reader] = ChatReader
IDENTIFIER = r"[A-Za-z0-9_-]+"
ANY = ""

MAX_TOKENS = (("max_tokens",),)
MAX_COMPLETION_TOKENS = (("max_completion_tokens",), ("max_tokens",))
EITHER = (("max_tokens",), ("max_completion_tokens",))
MAX_OUTPUT_TOKENS = (("max_output_tokens",),)
OPENAI_COMPLETION = 16
"""Tokens that OpenAI writes in its older completions unless told otherwise."""

PAINTER, MODERATOR = "dall-e-2", "omni-moderation-latest"
"""The models of calls that name none."""


def at(path: str) -> re.Pattern[str]:
    """A pattern for a whole path."""
    return re.compile(path)


def chat(
    prefix: str,
    reader: Callable[[], Reader] = ChatReader,
    *,
    asks_usage: bool = True,
    limits: tuple[tuple[str, ...], ...] = MAX_TOKENS,
) -> Endpoints:
    """Chat completions below a version."""
    path = at(f"{prefix}/chat/completions")
    return (Endpoint("chat.completions", "POST", path, reader, asks_usage=asks_usage, limits=limits),)


def completions(
    prefix: str, reader: Callable[[], Reader] = ChatReader, *, asks_usage: bool = True, usual_output: int = 0
) -> Endpoints:
    """The older completions below a version."""
    path = at(f"{prefix}/completions")
    return (
        Endpoint(
            "completions", "POST", path, reader, asks_usage=asks_usage, limits=MAX_TOKENS, usual_output=usual_output
        ),
    )


def embeddings(prefix: str, reader: Callable[[], Reader] = ChatReader) -> Endpoints:
    """Embeddings below a version."""
    return (Endpoint("embeddings", "POST", at(f"{prefix}/embeddings"), reader, stream=False),)


def models(prefix: str) -> Endpoints:
    """The list of models, and one of them: read, not metered."""
    one = at(f"{prefix}/models(?:/{MODEL})?")
    return (Endpoint("models", "GET", one, NO_READING, metered=False, stream=False),)


def responses(prefix: str, reader: Callable[[], Reader] = ResponsesReader) -> Endpoints:
    """The Responses API below a version: what makes a response is metered, what looks at a stored one is not."""
    stored = f"{prefix}/responses/{IDENTIFIER}"
    return (
        Endpoint("responses", "POST", at(f"{prefix}/responses"), reader, later=in_background, limits=MAX_OUTPUT_TOKENS),
        Endpoint("responses.compact", "POST", at(f"{prefix}/responses/compact"), reader, stream=False),
        Endpoint(
            "responses.input_tokens", "POST", at(f"{prefix}/responses/input_tokens"), reader, free=True, stream=False
        ),
        Endpoint("responses.retrieve", "GET", at(f"{stored}(?:/input_items)?"), reader, metered=False, stream=False),
        Endpoint("responses.delete", "DELETE", at(stored), reader, metered=False, stream=False),
        Endpoint("responses.cancel", "POST", at(f"{stored}/cancel"), reader, metered=False, stream=False),
    )


def recordings(prefix: str) -> Endpoints:
    """Text from recordings below a version: transcriptions, and translations into English."""
    kinds = ("transcriptions", "translations")
    return tuple(
        Endpoint(f"audio.{kind}", "POST", at(f"{prefix}/audio/{kind}"), TranscriptionReader, estimable=False, form=True)
        for kind in kinds
    )


def speech(prefix: str) -> Endpoints:
    """Text read aloud, below a version: only a stream of events tells its tokens."""
    return untold("audio.speech", f"{prefix}/audio/speech", MediaReader)


def media(prefix: str) -> Endpoints:
    """Pictures and sound below a version."""
    return (
        _pictures("images.generations", at(f"{prefix}/images/generations")),
        _pictures("images.edits", at(f"{prefix}/images/edits"), form=True),
        *recordings(prefix),
        *speech(prefix),
    )


def _pictures(kind: str, path: re.Pattern[str], *, form: bool = False) -> Endpoint:
    return Endpoint(kind, "POST", path, MediaReader, estimable=False, form=form, usual_model=PAINTER)


def in_background(document: Mapping[str, Any]) -> bool:
    """A response made in the background reports its usage to whoever fetches it later, if anybody does."""
    return document.get("background") is True


def refused(kind: str, path: str, reason: str) -> Endpoint:
    """An endpoint that we know, cannot meter and therefore do not forward."""
    return Endpoint(kind, ANY, at(path), NO_READING, metered=False, refusal=reason)


def untold(kind: str, path: str, reader: Callable[[], Reader] = MediaReader, *, form: bool = False) -> Endpoints:
    """An endpoint whose answers may not tell what they used: its calls are unpriced, and refused under a hard cap."""
    return (Endpoint(kind, "POST", at(path), reader, estimable=False, untold=True, form=form),)


LATER = "Its usage is reported later and elsewhere, so it cannot be metered: make the calls one by one."
UNKNOWN = "Its answers do not report what they used, so it cannot be metered."
STORE = "It stores data or runs jobs at the provider, which is not metered here: call the provider directly."

MODERATIONS = Endpoint(
    "moderations", "POST", at("/v1/moderations"), ChatReader, free=True, stream=False, usual_model=MODERATOR
)
REFUSED: Endpoints = (
    refused("images.variations", "/v1/images/variations", UNKNOWN),
    refused("batches", "/v1/batches(?:/.*)?", LATER),
    refused("realtime", "/v1/realtime(?:/.*)?", LATER),
    refused("videos", "/v1/videos(?:/.*)?", LATER),
    refused(
        "storage",
        "/v1/(?:files|uploads|fine_tuning|vector_stores|assistants|threads|containers|conversations|evals)(?:/.*)?",
        STORE,
    ),
)

OPENAI = Provider(
    slug="openai",
    label="OpenAI",
    dialect="openai",
    base_url="https://api.openai.com",
    prefix="/v1",
    own_path=under("/v1"),
    endpoints=(
        *chat("/v1", limits=MAX_COMPLETION_TOKENS),
        *responses("/v1"),
        *completions("/v1", usual_output=OPENAI_COMPLETION),
        *embeddings("/v1"),
        *models("/v1"),
        *media("/v1"),
        MODERATIONS,
        *REFUSED,
    ),
    catalogue="openai",
)


def like_openai(
    slug: str,
    label: str,
    base_url: str,
    prefix: str,
    endpoints: Endpoints,
    *,
    catalogue: str = "",
    dialect: str = "openai",
    probe: Probe | None = None,
) -> Provider:
    """A provider that speaks OpenAI's dialect under its own version `prefix`."""
    return Provider(slug, label, dialect, base_url, prefix, under(prefix), endpoints, catalogue, probe=probe)


def with_cost(cost: Callable[..., Any]) -> tuple[Callable[[], Reader], Callable[[], Reader]]:
    """The readers of chat completions and of responses for a provider that reports its own cost."""
    return partial(ChatReader, cost), partial(ResponsesReader, cost)
