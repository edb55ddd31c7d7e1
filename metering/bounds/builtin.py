"""Tools that the provider runs itself while it answers: each use reads the prompt again, longer. Pure.

How often they are used is what the request states, or a number that is forwarded for it where the provider takes one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from metering.bounds.numbers import Limit, stated, whole

USES = 10
"""Uses of built-in tools in an answer where the request states none; Anthropic's own loop ends after as many rounds."""
MOST_USES = 100
RESULT_TOKENS = 50_000
"""What a use adds to the prompt: what a search found, the output of a program."""
FILES_TOKENS = 204_800
"""A search in files: OpenAI's 50 pieces of 4,096 tokens."""
EVERYTHING = 2**31
"""A page, or what somebody's server answers, may be as long as what the model can read."""
RESULTS = {"file_search": FILES_TOKENS, "mcp": EVERYTHING, "mcp_toolset": EVERYTHING, "tool_search": 0}
ADVICE_TOKENS = 16_384
"""What an advisor writes where the request states no limit."""
HEADING_TOKENS = 1_024
"""What stands around a page that was read, or around advice."""
DEFINITION_TOKENS = 4_096
"""What a built-in tool's own, hidden description takes of the prompt."""


class BuiltIn(NamedTuple):
    """What the built-in tools of a request may add.

    `uses` of tools, each of which makes the prompt longer by `result` tokens, and `rounds` in which it is read again.
    `repeats`: whether every round may write as much as the limit of the output says. `advice`: tokens that other
    `models` write to so many `questions`, for each of which they read everything. `tools`: how many have a description
    of the provider's own.
    """

    uses: int = 0
    rounds: int = 0
    result: int = 0
    tools: int = 0
    repeats: bool = False
    searches: int = 0
    questions: int = 0
    advice: int = 0
    models: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    reason: str = ""


NONE = BuiltIn()
PICTURES = "What its built-in image generation costs is not told by its answers."
OWN = {
    "responses": frozenset("function custom namespace local_shell apply_patch computer computer_use_preview".split()),
    "chat": frozenset({"function", "custom"}),
}
"""Tools that the client runs."""
OWN_OF_ANTHROPIC = ("bash_", "text_editor_", "computer_", "memory_")


def built_in(kind: str, dialect: str, document: Mapping[str, Any]) -> BuiltIn:
    """The built-in tools of a request to an endpoint of this kind."""
    tools = document.get("tools")
    tools = [tool for tool in tools if type(tool) is dict] if type(tools) is list else []
    if kind == "messages":
        return _messages(document, tools) if tools or document.get("mcp_servers") else NONE
    if dialect == "google" and not kind.startswith("chat"):
        return _gemini(tools) if tools else NONE
    find: Callable[..., BuiltIn] = _responses if kind == "responses" else _chat
    return find(document, tools)


def _served(tools: list[dict[str, Any]], own: frozenset[str]) -> list[str]:
    """The kinds of the tools that the provider runs."""
    kinds = [str(tool.get("type", "function")) for tool in tools]
    return [kind for kind in kinds if kind not in own]


def _responses(document: Mapping[str, Any], tools: list[dict[str, Any]]) -> BuiltIn:
    prompt = document.get("prompt")
    stored = ["prompt"] if type(prompt) is dict and prompt.get("id") else []  # it may hold tools of its own
    served = _served(tools, OWN["responses"]) + stored
    if not served:
        return NONE
    if "image_generation" in served:
        return BuiltIn(reason=PICTURES)
    uses = stated(document, ("max_tool_calls",), usual=USES, most=MOST_USES)
    searches = uses.value if stored or any(kind.startswith("web_search") for kind in served) else 0
    result = max(RESULTS.get(kind, RESULT_TOKENS) for kind in served)
    return BuiltIn(uses.value, uses.value, result, len(served), searches=searches, limits=uses.limits)


def _chat(document: Mapping[str, Any], tools: list[dict[str, Any]]) -> BuiltIn:
    served = _served(tools, OWN["chat"]) if tools else []
    if not served:
        return _searched(document)
    if not any(kind.startswith("openrouter:") for kind in served):
        return BuiltIn(USES, USES, RESULT_TOKENS, len(served), repeats=True, searches=USES)
    uses = stated(document, ("max_tool_calls",), usual=USES, most=MOST_USES)
    inner = [tool["parameters"] for tool in tools if type(tool.get("parameters")) is dict]
    models = tuple(one["model"] for one in inner if type(one.get("model")) is str)
    advice = sum(whole(one.get("max_completion_tokens")) or ADVICE_TOKENS for one in inner if one.get("model"))
    return BuiltIn(
        uses.value,
        uses.value,
        max(RESULT_TOKENS, advice),
        len(served),
        repeats=True,
        searches=uses.value,
        questions=uses.value if models else 0,
        advice=advice * uses.value,
        models=models,
        limits=uses.limits,
    )


def _searched(document: Mapping[str, Any]) -> BuiltIn:
    """A search before the answer: OpenAI's models for it, xAI's live search, OpenRouter's plug-in."""
    live = document.get("search_parameters")
    if type(live) is dict and live.get("mode") != "off":
        return BuiltIn(1, 1, RESULT_TOKENS, searches=min(whole(live.get("max_search_results")) or 20, MOST_USES))
    online = str(document.get("model")).endswith(":online")
    if online or document.get("plugins") or document.get("web_search_options") is not None:
        return BuiltIn(1, 1, RESULT_TOKENS, searches=1)
    return NONE


def _messages(document: Mapping[str, Any], tools: list[dict[str, Any]]) -> BuiltIn:
    described = [(place, tool) for place, tool in enumerate(tools) if type(tool.get("type")) is str]
    served = [_served_tool(place, tool) for place, tool in described if _is_served(tool["type"])]
    if document.get("mcp_servers"):
        served.append(BuiltIn(USES, result=EVERYTHING))
    uses = sum(tool.uses for tool in served)
    return BuiltIn(
        uses,
        min(uses, USES),
        max((tool.result for tool in served), default=0),
        len(described),
        repeats=True,
        searches=sum(tool.searches for tool in served),
        questions=sum(tool.questions for tool in served),
        advice=sum(tool.advice for tool in served),
        models=tuple(model for tool in served for model in tool.models),
        limits=tuple(limit for tool in served for limit in tool.limits),
    )


def _served_tool(place: int, tool: dict[str, Any]) -> BuiltIn:
    """One tool that Anthropic runs: of some the request may limit the uses, the others end with the loop."""
    kind = tool["type"]
    if not kind.startswith(("web_", "advisor_")):
        return BuiltIn(USES, result=RESULTS.get(kind, RESULT_TOKENS))
    uses = stated(tool, ("tools", place, "max_uses"), usual=USES, most=MOST_USES)
    if kind.startswith("web_search_"):
        return BuiltIn(uses.value, result=RESULT_TOKENS, searches=uses.value, limits=uses.limits)
    if kind.startswith("web_"):
        page = whole(tool.get("max_content_tokens")) or EVERYTHING
        return BuiltIn(uses.value, result=page + HEADING_TOKENS, limits=uses.limits)
    words = stated(tool, ("tools", place, "max_tokens"), usual=ADVICE_TOKENS, most=ADVICE_TOKENS)
    model = str(tool.get("model"))
    advice = words.value * uses.value
    return BuiltIn(
        uses.value,
        result=words.value + HEADING_TOKENS,
        questions=uses.value,
        advice=advice,
        models=(model,),
        limits=uses.limits + words.limits,
    )


def _is_served(kind: str) -> bool:
    return kind != "custom" and not kind.startswith(OWN_OF_ANTHROPIC)


# What Gemini's own tools add; of a search, what was found is not charged (https://ai.google.dev/pricing).
GEMINI = {
    "googleSearch": (1, DEFINITION_TOKENS),
    "googleSearchRetrieval": (1, DEFINITION_TOKENS),
    "googleMaps": (1, DEFINITION_TOKENS),
    "codeExecution": (5, RESULT_TOKENS),
}
OWN_OF_GEMINI = frozenset({"functionDeclarations", "computerUse"})


def _gemini(tools: list[dict[str, Any]]) -> BuiltIn:
    names = [_camel(name) for tool in tools for name in tool]
    served = [name for name in names if name not in OWN_OF_GEMINI]
    if not served:
        return NONE
    added = [GEMINI.get(name, (1, EVERYTHING)) for name in served]
    uses = sum(uses for uses, _ in added)
    return BuiltIn(uses, uses, max(result for _, result in added), len(served))


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
