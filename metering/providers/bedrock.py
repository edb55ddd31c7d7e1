"""Amazon Bedrock: its runtime, and its endpoints for OpenAI's and Anthropic's clients.

https://docs.aws.amazon.com/bedrock/latest/userguide/endpoints.html
"""

from __future__ import annotations

import re
from dataclasses import replace

from metering.providers.anthropic import messages
from metering.providers.base import Endpoint, Provider
from metering.providers.bedrock_key import read_key
from metering.providers.bedrock_usage import ConverseReader, InvokeReader
from metering.providers.openai import (
    LATER,
    MAX_COMPLETION_TOKENS,
    MAX_TOKENS,
    STORE,
    UNKNOWN,
    at,
    chat,
    models,
    refused,
    responses,
)

MODEL_ID = r"(?P<model>(?:[A-Za-z0-9._:~-]|%3[Aa]|%2[Ff])+)"
"""A model, an inference profile or the ARN of one, as SDKs escape them."""
MAX_OUTPUT = (("inferenceConfig", "maxTokens"),)
OPENAI = re.compile(r"(?:/(?:openai|v1))*(?=/(?:chat/completions|responses|models|batches|files)(?:/|$))")
ANTHROPIC = re.compile(r"(?:/(?:anthropic|v1))*(?=/messages(?:/|$))")
MANTLE = "/v1"


def own_path(path: str) -> str:
    """The runtime's paths as they are; those of OpenAI's clients under /openai/v1, or under /v1 where they ask so.

    /openai/v1 is answered by the runtime, /v1 and /anthropic/v1 by the second endpoint, which has other models.
    """
    if match := ANTHROPIC.match(path):
        return "/anthropic/v1" + path[match.end() :]
    if match := OPENAI.match(path):
        return (MANTLE if match[0] == MANTLE else "/openai/v1") + path[match.end() :]
    return path


def _runtime() -> tuple[Endpoint, ...]:
    model = f"/model/{MODEL_ID}"
    streamed = at(f"{model}/invoke-with-response-stream")
    return (
        Endpoint("converse", "POST", at(f"{model}/converse"), ConverseReader, stream=False, limits=MAX_OUTPUT),
        Endpoint(
            "converse-stream", "POST", at(f"{model}/converse-stream"), ConverseReader, stream=True, limits=MAX_OUTPUT
        ),
        Endpoint("invoke", "POST", at(f"{model}/invoke"), InvokeReader, stream=False, limits=MAX_TOKENS),
        Endpoint("invoke-with-response-stream", "POST", streamed, InvokeReader, stream=True, limits=MAX_TOKENS),
        Endpoint("count_tokens", "POST", at(f"{model}/count-tokens"), ConverseReader, free=True, stream=False),
        refused("bidirectional", f"{model}/invoke-with-bidirectional-stream", LATER),
        refused("async-invoke", "/async-invoke(?:/.*)?", LATER),
        refused("guardrails", "/guardrail/.*", UNKNOWN),
    )


def _for_openai(prefix: str) -> tuple[Endpoint, ...]:
    endpoints = (
        *chat(prefix, limits=MAX_COMPLETION_TOKENS),
        *responses(prefix),
        *models(prefix),
        refused("storage", f"{prefix}/(?:batches|files)(?:/.*)?", STORE),
    )
    return tuple(replace(endpoint, dialect="openai") for endpoint in endpoints)


BEDROCK = Provider(
    slug="bedrock",
    label="Amazon Bedrock",
    dialect="aws",
    base_url="https://bedrock-runtime.{region}.amazonaws.com",
    prefix="/openai/v1",
    own_path=own_path,
    endpoints=(*_runtime(), *_for_openai("/openai/v1"), *_for_openai(MANTLE), *messages("/anthropic/v1")),
    catalogue="aws",
    priced_as_asked=True,
    account=read_key,
)
