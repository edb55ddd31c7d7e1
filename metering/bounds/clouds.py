"""The bounds of calls to Amazon Bedrock and to other makers' models on Vertex AI. Pure.

The body of a model that is invoked is its maker's own, so where its limit of the output stands depends on the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from metering.bounds import others, prose
from metering.bounds.base import Bound, Call
from metering.bounds.prompt import IMAGE_TOKENS, IMAGE_TOKENS_OF

SYSTEM_TOOLS = "How often a system tool is used, and what it adds to the prompt, has no limit."
TEXT_SOURCES = frozenset({"text", "content"})
"""Sources of a document that are text within the body."""

USUAL_OUTPUT = 4_096
"""What every text model on Bedrock writes, unless it is listed here: a limit above a model's own is refused."""
# https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html, the most of each model's output.
MOST_OUTPUT = {
    "claude-3-5": 8_192,
    "claude-3-7": 16_384,
    "claude-3-": 4_096,
    "claude-v": 4_096,
    "claude-instant": 4_096,
    "claude": 16_384,
    "titan-text-premier": 3_072,
    "titan-text-express": 8_192,
    "nova-2": 16_384,
    "nova-": 5_000,
    "llama": 2_048,
    "gpt-": 16_384,
}
"""By a part of the name, the first that fits."""

MAX_TOKENS = (("max_tokens",),)
LIMITS: dict[str, tuple[tuple[str, ...], ...]] = {
    "titan-text": (("textGenerationConfig", "maxTokenCount"),),
    "amazon.nova": (("inferenceConfig", "maxTokens"), ("inferenceConfig", "max_new_tokens")),
    "meta.llama": (("max_gen_len",),),
    "openai.": (("max_completion_tokens",), ("max_tokens",)),
}
"""Where the limit stands in the body of a model that is invoked, by a part of its name."""


def converse(call: Call) -> Bound:
    """One shape for all models: its pictures, documents and films stand in `source`, whose bytes bound nothing."""
    tools = call.document.get("toolConfig")
    listed = tools.get("tools") if type(tools) is dict else None
    if type(listed) is list and any(type(tool) is dict and tool.get("systemTool") for tool in listed):
        return Bound(reason=SYSTEM_TOOLS)
    found = prose.text(_usual(call))
    media, kinds = _media(call)
    return found._replace(input_tokens=found.input_tokens + media, kinds=found.kinds | kinds)


def invoke(call: Call) -> Bound:
    """In the maker's own shape."""
    model = call.model.lower()
    if "anthropic." in model:
        return messages(call)
    if "embed" in model:
        return others.embeddings(call)
    limits = next((limits for part, limits in LIMITS.items() if part in model), MAX_TOKENS)
    found = converse(call._replace(endpoint=replace(call.endpoint, limits=limits)))
    images = call.document.get("images")
    pictures = len(images) if type(images) is list else 0
    return found._replace(input_tokens=found.input_tokens + pictures * IMAGE_TOKENS)


def raw_predict(call: Call) -> Bound:
    """On Vertex AI: Anthropic's messages, and what answers in OpenAI's shape."""
    return messages(call) if call.dialect == "anthropic" else prose.text(call)


def messages(call: Call) -> Bound:
    """Anthropic's messages under another path, whose error texts may be another dialect's."""
    endpoint = replace(call.endpoint, kind="messages", limits=MAX_TOKENS)
    return prose.text(_usual(call._replace(endpoint=endpoint, dialect="anthropic")))


def _usual(call: Call) -> Call:
    return call._replace(endpoint=replace(call.endpoint, usual_output=most_output(call.model)))


@lru_cache(maxsize=1024)
def most_output(model: str) -> int:
    """The limit to forward for a model that is given none."""
    name = model.lower()
    return next((most for part, most in MOST_OUTPUT.items() if part in name), USUAL_OUTPUT)


def _media(call: Call) -> tuple[int, frozenset[str]]:
    """Tokens of what is shown, at most as many as the model can read, and the kinds of it."""
    each = IMAGE_TOKENS_OF["anthropic"] if "anthropic." in call.model else IMAGE_TOKENS
    tokens, kinds = 0, set()
    rooms: list[Any] = [call.document.get(name) for name in ("messages", "system")]
    while rooms:
        room = rooms.pop()
        if type(room) is list:
            rooms += room
        elif type(room) is dict:
            rooms += room.values()
            for kind in ("image", "document", "video", "audio"):
                source = _source(room.get(kind))
                if source and not (kind == "document" and TEXT_SOURCES & source.keys()):
                    kinds |= {"image"} if kind == "document" else {kind}
                    tokens += each if kind == "image" else call.window
    return min(tokens, call.window), frozenset(kinds)


def _source(block: Any) -> Mapping[str, Any]:
    source = block.get("source") if type(block) is dict else None
    return source if type(source) is dict else {}
