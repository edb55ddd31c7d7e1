"""OpenAI's usage object, in its two sets of names and with what other providers add to it.

`prompt_tokens`/`completion_tokens` (chat, completions, embeddings) and `input_tokens`/`output_tokens` (responses,
images, transcriptions): https://platform.openai.com/docs/api-reference. Cached, cache-written, audio and reasoning
tokens are parts of the totals, with the exceptions told below.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from billing.money import LARGEST, to_nano
from metering.providers.reader import Counts, Object, inside
from metering.usage import LARGEST_COUNT, Usage

NAMED = ("prompt_tokens", "input_tokens", "completion_tokens", "output_tokens", "total_tokens")


USUAL = frozenset(
    {"prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details"}
)
ASKED = frozenset({"cached_tokens", "audio_tokens"})
MADE = frozenset({"reasoning_tokens", "audio_tokens", "accepted_prediction_tokens", "rejected_prediction_tokens"})
NOTHING: Object = {}
INTEGERS = {int}


def openai_usage(raw: Object, counts: Counts) -> Usage | None:
    """The canonical usage of an object with either set of names; None when it holds no total."""
    return _usual(raw) or _any(raw, counts)


def _usual(raw: Object) -> Usage | None:
    """The usage of an everyday chat answer, in a fraction of the time; None when there is anything special about it."""
    asked = raw.get("prompt_tokens_details") or NOTHING
    made = raw.get("completion_tokens_details") or NOTHING
    if not (
        raw.keys() <= USUAL and type(asked) is dict is type(made) and asked.keys() <= ASKED and made.keys() <= MADE
    ):
        return None
    found: tuple[Any, ...] = (
        raw.get("prompt_tokens"),
        raw.get("completion_tokens"),
        asked.get("cached_tokens", 0),
        made.get("reasoning_tokens", 0),
        asked.get("audio_tokens", 0),
        made.get("audio_tokens", 0),
    )
    if {*map(type, found)} != INTEGERS or min(found) < 0 or max(found) > LARGEST_COUNT:
        return None
    prompt, completion, cached, reasoning, heard, spoken = found
    if raw.get("total_tokens") != prompt + completion:
        return None
    return Usage(prompt, completion, cached, 0, 0, 0, reasoning, heard, 0, 0, 0, spoken)


def _any(raw: Object, counts: Counts) -> Usage | None:
    if raw.get("type") == "duration":
        return Usage(audio_seconds=counts.total(raw.get("seconds")))
    if all(raw.get(name) is None for name in NAMED):
        return None
    asked = inside(raw, "prompt_tokens_details", "input_tokens_details", "input_token_details", "prompt_token_details")
    made = inside(raw, "completion_tokens_details", "output_tokens_details", "output_token_details")
    tools = inside(raw, "server_tool_use_details", "server_side_tool_usage_details", "server_tool_use")
    usage = Usage(
        input_tokens=counts.total(raw.get("prompt_tokens"), raw.get("input_tokens")),
        output_tokens=counts.total(raw.get("completion_tokens"), raw.get("output_tokens")),
        # DeepSeek's first name for it, Together's, Mistral's.
        cache_read_tokens=counts.part(
            asked.get("cached_tokens"),
            raw.get("prompt_cache_hit_tokens"),
            raw.get("cached_tokens"),
            raw.get("num_cached_tokens"),
        ),
        cache_write_tokens=counts.part(asked.get("cache_write_tokens")),
        reasoning_tokens=counts.part(made.get("reasoning_tokens"), raw.get("reasoning_tokens")),
        input_audio_tokens=counts.part(asked.get("audio_tokens"), raw.get("audio_tokens")),
        input_image_tokens=counts.part(asked.get("image_tokens")),
        input_video_tokens=counts.part(asked.get("video_tokens")),
        output_audio_tokens=counts.part(made.get("audio_tokens")),
        output_image_tokens=counts.part(made.get("image_tokens")),
        web_search_requests=counts.part(tools.get("web_search_requests"), tools.get("web_search_calls")),
        audio_seconds=counts.part(raw.get("prompt_audio_seconds")),
    )
    return beside_the_totals(usage, counts.part(raw.get("total_tokens")), told=raw.get("total_tokens") is not None)


def beside_the_totals(usage: Usage, total: int, *, told: bool) -> Usage:
    """Add what a provider counts in `total_tokens` but in neither half, where the sum proves it.

    xAI leaves the reasoning out of the completion, Mistral the audio out of the prompt (whose tokens it may not tell
    beside its seconds), Voyage both halves.
    """
    missing = total - usage.total_tokens
    if not told or missing <= 0:
        return usage
    if missing == usage.reasoning_tokens:
        return usage._replace(output_tokens=usage.output_tokens + missing)
    if missing == usage.input_audio_tokens:
        return usage._replace(input_tokens=usage.input_tokens + missing)
    if usage.audio_seconds and not usage.input_audio_tokens:
        return usage._replace(input_tokens=usage.input_tokens + missing, input_audio_tokens=missing)
    return usage._replace(input_tokens=total) if not usage.total_tokens else usage


def cost_in_credits(raw: Object) -> Decimal | None:
    """OpenRouter: `cost` in credits, one of which is a dollar.

    With a key of the caller's own it is the fee alone, and the maker's part stands beside it.
    """
    cost = dollars(raw.get("cost"))
    if cost is None or raw.get("is_byok") is not True:
        return cost
    upstream = dollars(inside(raw, "cost_details").get("upstream_inference_cost"))
    return None if upstream is None else cost + upstream


def total_cost(raw: Object) -> Decimal | None:
    """Perplexity: `cost.total_cost` in dollars, its fee for the search included."""
    return dollars(inside(raw, "cost").get("total_cost"))


def cost_in_ticks(raw: Object) -> Decimal | None:
    """xAI: `cost_in_usd_ticks`, ten thousand millions of which are a dollar."""
    cost = dollars(raw.get("cost_in_usd_ticks"))
    return None if cost is None else cost.scaleb(-10)


def dollars(value: Any) -> Decimal | None:
    """A JSON number as the decimal that was written (a float's shortest text is that); None for anything else."""
    if type(value) not in (int, float):
        return None
    amount = Decimal(str(value))
    return amount if amount.is_finite() and amount >= 0 else None


def nano(amount: Decimal | None) -> int | None:
    """An amount in nano-USD; None when there is none, or one that no ledger could hold."""
    if amount is None:
        return None
    cost = to_nano(amount)
    return cost if cost <= LARGEST else None
