"""Azure OpenAI and Microsoft Foundry: https://learn.microsoft.com/azure/foundry/openai/latest.

A resource has an address of its own, and its models are called by the names of their deployments. An answer names the
model behind a deployment, which is what it is priced by.
"""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

from metering.providers.anthropic import messages
from metering.providers.base import Endpoint, OwnAddress, Provider
from metering.providers.openai import (
    LATER,
    MAX_COMPLETION_TOKENS,
    OPENAI_COMPLETION,
    STORE,
    Endpoints,
    chat,
    completions,
    embeddings,
    media,
    models,
    refused,
    responses,
)

LATEST = "/openai/v1"
DEPLOYMENT = r"/openai/deployments/(?P<model>[A-Za-z0-9._-]+)"
NAMED = re.compile(r"(?:/openai)*(?=/deployments/)")
VERSIONED = re.compile(r"(?:/openai|/v1)*/v1(?=/)")
DATED = re.compile(r"(?:/openai)+(?=/)")
FOR_ANTHROPIC = re.compile(r"(?:/anthropic|/v1)*(?=/messages(?:/|$))")
FOUNDRY = re.compile(r"/models/(?:chat/completions|(?:images/)?embeddings)")
BELOW_RESOURCE = re.compile(r"/(?:openai|anthropic|models|api/projects)(?:/.*)?$")
"""Where the part of an address begins that our own paths bring."""


def own_path(path: str) -> str:
    """A deployment's path, the dated API that stands under /openai, or the latest, /openai/v1, which is the default."""
    if FOUNDRY.fullmatch(path):
        return path
    if match := NAMED.match(path):
        return "/openai" + path[match.end() :]
    if match := FOR_ANTHROPIC.match(path):
        return "/anthropic/v1" + path[match.end() :]
    if match := VERSIONED.match(path):
        return LATEST + path[match.end() :]
    if match := DATED.match(path):
        return "/openai" + path[match.end() :]
    return LATEST + path


def resource(url: str) -> str:
    """The address of a resource, from any that the portal shows: what the paths of calls bring is cut off."""
    parts = urlsplit(url.strip())
    return urlunsplit((parts.scheme, parts.netloc, BELOW_RESOURCE.sub("", parts.path).rstrip("/"), "", ""))


def _text(prefix: str) -> Endpoints:
    return (
        *chat(prefix, limits=MAX_COMPLETION_TOKENS),
        *completions(prefix, usual_output=OPENAI_COMPLETION),
        *embeddings(prefix),
    )


def _foundry() -> Endpoints:
    """Models of other makers: https://learn.microsoft.com/rest/api/aifoundry/modelinference."""
    talk, *_ = chat("/models")
    (vectors,) = embeddings("/models")
    pictures = replace(vectors, pattern=re.compile("/models/images/embeddings"), estimable=False)
    return (talk, vectors, pictures)


def _refusals() -> tuple[Endpoint, ...]:
    version = "/openai(?:/v1)?"
    stored = "files|uploads|fine_tuning|vector_stores|assistants|threads|containers|conversations|evals"
    return (
        refused("batches", f"{version}/batches(?:/.*)?", LATER),
        refused("batches", f"{DEPLOYMENT}/(?:chat/completions/batches|batches)", LATER),
        refused("realtime", f"{version}/realtime(?:/.*)?", LATER),
        refused("videos", f"{version}/(?:videos|video/generations)(?:/.*)?", LATER),
        refused("storage", f"{version}/(?:{stored})(?:/.*)?", STORE),
    )


AZURE = Provider(
    slug="azure",
    label="Azure OpenAI",
    dialect="openai",
    base_url="",
    prefix="",
    own_path=own_path,
    endpoints=(
        *_text(DEPLOYMENT),
        *media(DEPLOYMENT),
        *_text(LATEST),
        *media(LATEST),
        *responses("/openai(?:/v1)?"),
        *models("/openai(?:/v1)?"),
        *_foundry(),
        *messages("/anthropic/v1"),
        *_refusals(),
    ),
    catalogue="azure",
    key_header=b"api-key",
    key_prefix=b"",
    own_address=OwnAddress(
        resource, "Under Keys and Endpoint of your resource in Azure, such as https://my-resource.openai.azure.com."
    ),
)
