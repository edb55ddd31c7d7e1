"""How much a model may write: what the request states, or a limit that is forwarded for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

from metering.bounds.base import Call
from metering.bounds.numbers import Limit, Stated, stated, whole

Paths = tuple[tuple[str, ...], ...]

USUAL_OUTPUT = 16_384
"""The limit that is forwarded where the request states none."""
LEAST_OUTPUT = 256
MOST_CHOICES = 128
CANDIDATES = (("generationConfig", "candidateCount"),)
NAMES = ("max_completion_tokens", "max_tokens")
"""What OpenAI's clients call the limit, whether or not the provider honours that name."""

# Models that refuse a limit above their own, which is less than the usual: the price list tells no maximum of outputs.
# https://platform.openai.com/docs/models, https://docs.anthropic.com/en/docs/about-claude/models,
# https://ai.google.dev/gemini-api/docs/models, https://console.groq.com/docs/models.
SMALLER = {
    4_096: ("gpt-3.5", "gpt-4-", "gpt-4o-2024-05-13", "claude-3-haiku", "claude-3-opus", "claude-3-sonnet"),
    8_192: ("claude-3-5", "deepseek-chat", "gemini-1.5", "gemini-2.0", "gemma", "llama-4", "llama3-"),
}


def output(call: Call) -> Stated:
    """The most tokens of one choice. Of several limits that a provider honours, the largest counts."""
    paths = call.endpoint.limits
    if not paths:
        return Stated(call.window)
    if call.document.get("prediction"):  # OpenAI takes no max_completion_tokens beside it
        paths = paths[::-1]
    source, paths = _place(call.document, paths)
    value, unfit, said = 0, [], False
    for path in paths:
        number = whole(source.get(path[-1]))
        if number is not None:
            said = True
            value = max(value, min(number, call.window))
            if not 0 < number <= call.window:
                unfit.append(path)
    value = value or _otherwise(call)
    return Stated(value, tuple([Limit(path, value) for path in (unfit if said else paths[:1])]))


def choices(call: Call) -> Stated:
    """How many answers are written to the one prompt, or to each of several."""
    document = call.document
    if call.endpoint.kind.endswith("enerateContent"):
        source, paths = _place(document, CANDIDATES)
        return stated(source, paths[0], usual=1, most=MOST_CHOICES, silent=True)
    if call.endpoint.kind in ("messages", "responses"):
        return Stated(1)
    n = stated(document, ("n",), usual=1, most=MOST_CHOICES, silent=True)
    if call.endpoint.kind != "completions":
        return n
    best = stated(document, ("best_of",), usual=1, most=MOST_CHOICES, silent=True)
    return Stated(max(n.value, best.value) * _prompts(document.get("prompt")), n.limits + best.limits)


def _otherwise(call: Call) -> int:
    """What to forward where the request states no limit that the provider honours."""
    other = max(whole(call.document.get(name)) or 0 for name in NAMES)
    if other and call.endpoint.kind.endswith("completions"):
        return min(other, call.window)
    if call.endpoint.usual_output:
        return call.endpoint.usual_output
    # Servers that count prompt and limit together refuse what is longer than their window.
    room = max(call.window - call.body_bytes // 3, call.window // 8)
    return max(LEAST_OUTPUT, min(USUAL_OUTPUT, room, largest_output(call.model)))


@lru_cache(maxsize=1024)
def largest_output(model: str) -> int:
    """What the model writes at most, as far as that is less than the usual limit."""
    name = model.rpartition("/")[2].lower()
    if name == "gpt-4":
        return 4_096
    return next((most for most, names in SMALLER.items() if name.startswith(names)), USUAL_OUTPUT)


def _prompts(prompt: Any) -> int:
    """How many prompts there are: a list of texts or of lists of tokens, but a list of tokens is one."""
    several = type(prompt) is list and prompt and type(prompt[0]) in (str, list)
    return len(prompt) if several else 1


def _place(document: Mapping[str, Any], paths: Paths) -> tuple[Mapping[str, Any], Paths]:
    """The object that holds the last names of the paths, and the paths in the names that the request uses.

    Google takes `generation_config` for `generationConfig` as well, and so for what is in it.
    """
    if len(paths[0]) == 1:
        return document, paths
    outer = _named(document, paths[0][0])
    inner = document.get(outer)
    source = inner if type(inner) is dict else {}
    return source, tuple([(outer, _named(source, path[1])) for path in paths])


def _named(source: Mapping[str, Any], name: str) -> str:
    other = _snake(name)
    return other if other in source and name not in source else name


@cache
def _snake(name: str) -> str:
    return "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in name)
