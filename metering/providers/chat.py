"""Readers of OpenAI's first dialect: chat completions, completions, embeddings, and what else answers in its shape."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from metering.providers.openai_usage import nano, openai_usage
from metering.providers.reader import PLAIN, AnswerReader, Counts, Object, error_code
from metering.usage import Usage

TEXT = re.compile(rb'"delta":\{"content":"%b"\}' % PLAIN)
"""What stands in nearly every event of a stream, in OpenAI's own writing."""

Cost = Callable[[Object], Decimal | None]


class ChatReader(AnswerReader):
    """`usage` is on the whole answer, or on one or each of a stream's chunks: the last one counts.

    `cost` finds the provider's own figure. `hidden_output`: the completion leaves out the thinking, which only the
    total tells (Google's endpoint for OpenAI clients).
    """

    __slots__ = ("_cost", "_finished", "_hidden_output")

    def __init__(self, cost: Cost | None = None, *, hidden_output: bool = False) -> None:
        super().__init__()
        self._cost = cost
        self._finished = False
        self._hidden_output = hidden_output

    def skim(self, event: bytes) -> bool:
        return (
            self.model != ""
            and event.count(b'"delta"') == 1
            and event.count(b'"usage"') == event.count(b'"usage":null')
            and b'"error"' not in event
            and self.skim_text(event, TEXT)
        )

    def fold(self, document: Object) -> None:
        usage = document.get("usage") or _groq_usage(document)
        if usage and type(usage) is dict:
            self.raw = usage
        choices = document.get("choices")
        if type(choices) is list:
            for choice in choices:
                if type(choice) is dict:
                    self._choice(choice)
        if usage and self.raw is usage:
            self.partial = not self._finished and _goes_on(choices)
        model = document.get("model")
        if model and type(model) is str:
            self.model = model
        tier = document.get("service_tier")
        if tier and type(tier) is str:
            self.tier = tier
        if document.get("error"):
            self.error = error_code(document["error"])

    def _choice(self, choice: Object) -> None:
        if choice.get("finish_reason"):
            self._finished = True
        delta = choice.get("delta")
        if type(delta) is dict and len(delta) == 1:
            text = delta.get("content")
            if type(text) is str:
                self.saw(text)
                return
        if self.raw is None:  # the text is only measured for the case that no usage comes
            self.saw([choice.get("delta"), choice.get("message"), choice.get("text")])
        if choice.get("error"):
            self.error = error_code(choice["error"])

    def measure(self, raw: Object, counts: Counts) -> Usage | None:
        usage = openai_usage(raw, counts)
        if usage is None or not self._hidden_output:
            return usage
        output = counts.total(raw.get("total_tokens")) - usage.input_tokens
        return usage._replace(output_tokens=max(usage.output_tokens, output))

    def provider_cost(self) -> int | None:
        return nano(self._cost(self.raw)) if self._cost and self.raw else None


def _goes_on(choices: Any) -> bool:
    """Whether a chunk has a piece of an answer, and not only a usage."""
    told = choices if type(choices) is list else []
    return any(type(choice) is dict and "delta" in choice for choice in told)


def _groq_usage(document: Object) -> Any:
    """Groq's streams: in `x_groq` of the last chunk."""
    extra = document.get("x_groq")
    return extra.get("usage") if type(extra) is dict else None
