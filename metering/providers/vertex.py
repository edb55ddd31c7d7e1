"""Google Vertex AI: Gemini, the models of other makers, and its endpoint for OpenAI's clients.

https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from metering.providers.anthropic import MessagesReader
from metering.providers.base import Endpoint, Provider, Reader
from metering.providers.chat import ChatReader
from metering.providers.google import MAX_OUTPUT_TOKENS
from metering.providers.openai import EITHER, LATER, MAX_TOKENS, STORE, UNKNOWN, at, chat, models, refused
from metering.providers.vertex_key import read_key
from metering.providers.vertex_usage import PredictReader, VertexReader

VERSION = re.compile(r"/(v1(?:beta1)?)(?=/)")
VERSIONS = "/v1(?:beta1)?"
SCOPE = r"(?:/projects/[A-Za-z0-9:._-]+/locations/[a-z0-9-]+)"
NAME = r"(?P<model>[A-Za-z0-9][A-Za-z0-9._@-]*)"
ENDPOINT = r"(?P<model>endpoints/[a-z0-9-]+)"
OPENAPI = "/endpoints/openapi"


def own_path(path: str) -> str:
    """Keep the version that was asked for, the last where two stand; complete what shorter bases leave out."""
    version = ""
    while match := VERSION.match(path):
        version, path = match[1], path[match.end() :]
    if path.startswith("/models/"):
        path = f"/publishers/google{path}"
    elif path == "/chat/completions":
        path = OPENAPI + path
    return f"/{version or ('v1beta1' if '/publishers/google/' in path else 'v1')}{path}"


def _gemini(where: str) -> tuple[Endpoint, ...]:
    def verb(kind: str, reader: Callable[[], Reader] = VertexReader, **options: Any) -> Endpoint:
        return Endpoint(kind, "POST", at(f"{where}:{kind}"), reader, **options)

    text = (verb("generateContent", stream=False), verb("streamGenerateContent", stream=True))
    return (
        *(replace(endpoint, limits=MAX_OUTPUT_TOKENS) for endpoint in text),
        verb("countTokens", stream=False, free=True),
        verb("computeTokens", stream=False, free=True),
        verb("embedContent", stream=False),
        verb("predict", PredictReader, stream=False, estimable=False),
        refused("predictLongRunning", f"{where}:(?:predictLongRunning|fetchPredictOperation)", LATER),
        refused("rawPredict", f"{where}:(?:rawPredict|streamRawPredict|serverStreamingPredict)", UNKNOWN),
    )


def _raw(publisher: str, reader: Callable[[], Reader], dialect: str) -> tuple[Endpoint, ...]:
    where = f"{VERSIONS}{SCOPE}?/publishers/{publisher}/models/{NAME}"
    return (
        Endpoint("rawPredict", "POST", at(f"{where}:rawPredict"), reader, dialect=dialect, limits=MAX_TOKENS),
        Endpoint(
            "streamRawPredict",
            "POST",
            at(f"{where}:streamRawPredict"),
            reader,
            stream=True,
            dialect=dialect,
            limits=MAX_TOKENS,
        ),
    )


def _claude() -> tuple[Endpoint, ...]:
    counted = at(f"{VERSIONS}{SCOPE}?/publishers/anthropic/models/count-tokens:rawPredict")
    count = Endpoint("count_tokens", "POST", counted, MessagesReader, free=True, stream=False, dialect="anthropic")
    return (count, *_raw("anthropic", MessagesReader, "anthropic"))


def _for_openai() -> tuple[Endpoint, ...]:
    reader = partial(ChatReader, hidden_output=True)
    endpoints = chat(f"{VERSIONS}{SCOPE}?{OPENAPI}", reader, limits=EITHER)
    return tuple(replace(endpoint, dialect="openai") for endpoint in endpoints)


VERTEX = Provider(
    slug="vertex",
    label="Google Vertex AI",
    dialect="google",
    base_url="https://{location}-aiplatform.googleapis.com",
    prefix="/v1",
    own_path=own_path,
    endpoints=(
        *_for_openai(),
        *_gemini(f"{VERSIONS}{SCOPE}?/publishers/google/models/{NAME}"),
        *_gemini(f"{VERSIONS}{SCOPE}/{ENDPOINT}"),
        *_claude(),
        *_raw("(?!google/|anthropic/)[a-z0-9-]+", ChatReader, "openai"),
        *models(f"{VERSIONS}/publishers/[a-z0-9-]+"),
        refused("storage", f"{VERSIONS}{SCOPE}/(?:cachedContents|batchPredictionJobs|tuningJobs)(?:/.*)?", STORE),
    ),
    catalogue="google",
    key_in_query=True,
    account=read_key,
)
