"""The bound of a call that reads a prompt and writes an answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metering.bounds.base import HIDDEN_TOKENS, Bound, Call
from metering.bounds.builtin import DEFINITION_TOKENS, BuiltIn, built_in
from metering.bounds.output import USUAL_OUTPUT, choices, output
from metering.bounds.prompt import Prompt

PRESET = "A preset's model and prompt are kept at the provider."
RESEARCH = "How much a model for deep research reads and searches has no limit."


def text(call: Call) -> Bound:
    """The bound of chat completions, messages, responses, Gemini's contents and the like."""
    document = call.document
    tools = built_in(call.endpoint.kind, call.dialect, document)
    if reason := tools.reason or _unbounded(call):
        return Bound(reason=reason)
    prompt = Prompt(call.dialect).read(document)
    one, several = output(call), choices(call)
    written = one.value * several.value * (tools.rounds + 1 if tools.repeats else 1) + tools.advice
    if document.get("prediction"):  # what was predicted wrongly is billed as written
        written += call.body_bytes
    first = prompt_tokens(call, prompt, tools)
    read = read_again(call, first, tools, one.value)
    if _compacts(document):
        read += max(call.window, first)
        written += max(one.value, USUAL_OUTPUT)
    return Bound(
        read,
        written,
        limits=one.limits + several.limits + tools.limits,
        kinds=prompt.every_kind(),
        cache=prompt.cache,
        searches=tools.searches,
        models=tools.models + _others(document),
    )


def prompt_tokens(call: Call, prompt: Prompt, tools: BuiltIn) -> int:
    """The prompt as it is read first, with what the provider adds to it."""
    hidden = HIDDEN_TOKENS * (2 if call.document.get("tools") else 1) + tools.tools * DEFINITION_TOKENS
    return prompt.tokens(call.body_bytes, call.window) + hidden


def read_again(call: Call, first: int, tools: BuiltIn, written: int) -> int:
    """The prompt of every round, each longer than the one before, and of every question to another model."""
    if not tools.rounds:
        return first
    most = max(call.window, first)
    longer = tools.result + written
    # The dearest order: as many uses as there can be before the first round, and then one before each.
    rounds = [min(most, first + use * longer) for use in range(tools.uses - tools.rounds + 1, tools.uses + 1)]
    return first + sum(rounds) + tools.questions * (rounds[-1] + DEFINITION_TOKENS)


def _unbounded(call: Call) -> str:
    document = call.document
    if document.get("preset") or call.model.startswith("@preset/"):
        return PRESET
    return RESEARCH if "deep-research" in call.model and not document.get("tools") else ""


def _compacts(document: Mapping[str, Any]) -> bool:
    """Whether the provider may sum up the conversation first (Anthropic, OpenAI)."""
    managed = document.get("context_management")
    edits = managed.get("edits") if type(managed) is dict else managed
    return type(edits) is list and any("compact" in str(edit.get("type")) for edit in edits if type(edit) is dict)


def _others(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Models that may answer in the place of the one that was asked."""
    if "models" not in document and "fallbacks" not in document:
        return ()
    named = [document.get("models"), document.get("fallbacks")]
    listed = [one for some in named if type(some) is list for one in some]
    models = [one.get("model") if type(one) is dict else one for one in listed]
    return tuple(one for one in models if type(one) is str)
