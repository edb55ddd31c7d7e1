"""What a client of the fault tests asks of their provider: it stands in the prompt, so that both know it.

Nothing here or in what judges the product is the product's own; see `test_oracle.py`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

WHOLE, RESET, TRUNCATED, SILENT, MUTE, FAILED, BUSY = "whole", "reset", "truncated", "silent", "mute", "failed", "busy"
"""How an answer ends: as it should · connection reset or body cut off half-way · no further byte, or none at all ·
status 500 · status 429."""

REFUSING = {FAILED: 500, BUSY: 429}
BROKEN = {RESET, TRUNCATED, SILENT, MUTE}
"""Ends after which nobody but the provider knows what the call has used."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer: cached ones are part of the input, reasoning is part of the output."""

    input: int
    cached: int
    output: int
    reasoning: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One call: whose it is, and what the provider is to do; `seconds` is how long its answer takes."""

    run: str
    call: str
    seed: int
    seconds: float
    pieces: int
    end: str = WHOLE

    def usage(self) -> Usage:
        """What the provider will say that the call has used."""
        random = Random(self.seed)
        tokens, output = random.randint(50, 4000), random.randint(20, 900)
        return Usage(tokens, random.randint(0, tokens), output, random.randint(0, output))


def request_body(plan: Plan, *, model: str, stream: bool, ask_usage: bool) -> bytes:
    """A chat completion in OpenAI's dialect whose prompt is the plan."""
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": json.dumps(asdict(plan))}]}
    if stream:
        body["stream"] = True
    if ask_usage:
        body["stream_options"] = {"include_usage": True}
    return json.dumps(body).encode()


def plan_of(request: dict[str, Any]) -> Plan:
    """The plan in a request's prompt."""
    return Plan(**json.loads(request["messages"][0]["content"]))
