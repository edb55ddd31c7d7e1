from __future__ import annotations

from typing import Any

import pytest

from metering.bounds import DEFAULT_WINDOW, Limit
from metering.bounds.output import largest_output
from metering.bounds.prompt import IMAGE_TOKENS
from tests.metering.bounds.asking import CHAT, GEMINI, MESSAGES, RESPONSES, WINDOW, bounded, said

MANY = 10**9


@pytest.mark.parametrize(
    ("slug", "path", "document", "output", "limits"),
    [
        ("openai", CHAT, {}, 16_384, [(("max_completion_tokens",), 16_384)]),
        ("openai", CHAT, {"max_completion_tokens": None}, 16_384, [(("max_completion_tokens",), 16_384)]),
        ("openai", CHAT, {"max_completion_tokens": 50}, 50, []),
        ("openai", CHAT, {"max_tokens": 50}, 50, []),
        ("openai", CHAT, {"max_tokens": 50, "max_completion_tokens": 70}, 70, []),
        ("openai", CHAT, {"max_tokens": 50, "prediction": {"content": "x"}}, 50 + 64, []),
        ("groq", CHAT, {"max_tokens": 50}, 50, []),
        ("mistral", CHAT, {}, 16_384, [(("max_tokens",), 16_384)]),
        ("mistral", CHAT, {"max_completion_tokens": 50}, 50, [(("max_tokens",), 50)]),
        ("deepseek", CHAT, {"max_tokens": 20, "max_completion_tokens": 50}, 20, []),
        ("sandbox", CHAT, {}, 16_384, [(("max_tokens",), 16_384)]),
        ("openai", "/v1/completions", {"prompt": "a"}, 16, [(("max_tokens",), 16)]),
        ("openai", "/v1/completions", {"prompt": "a", "max_tokens": 9, "n": 2, "best_of": 5}, 45, []),
        ("openai", "/v1/completions", {"prompt": ["a", "b", "c"], "max_tokens": 9, "n": 2}, 54, []),
        ("openai", "/v1/completions", {"prompt": [[1, 2], [3]], "max_tokens": 9}, 18, []),
        ("openai", "/v1/completions", {"prompt": [1, 2, 3], "max_tokens": 9}, 9, []),
        ("together", "/v1/completions", {"prompt": "a"}, 16_384, [(("max_tokens",), 16_384)]),
        ("openai", RESPONSES, {}, 16_384, [(("max_output_tokens",), 16_384)]),
        ("openai", RESPONSES, {"max_output_tokens": 300}, 300, []),
        ("anthropic", MESSAGES, {"max_tokens": 300}, 300, []),
        ("anthropic", MESSAGES, {}, 16_384, [(("max_tokens",), 16_384)]),
        ("google", GEMINI, {}, 16_384, [(("generationConfig", "maxOutputTokens"), 16_384)]),
        ("google", GEMINI, {"generationConfig": None}, 16_384, [(("generationConfig", "maxOutputTokens"), 16_384)]),
        ("google", GEMINI, {"generationConfig": {"maxOutputTokens": 70, "candidateCount": 4}}, 280, []),
        ("google", GEMINI, {"generation_config": {"max_output_tokens": 70, "candidate_count": 4}}, 280, []),
        ("google", GEMINI, {"generation_config": {"top_p": 1}}, 16_384,
         [(("generation_config", "maxOutputTokens"), 16_384)]),
        ("google", CHAT, {"max_completion_tokens": 70}, 70, []),
        ("openai", "/v1/embeddings", {"input": "a"}, 0, []),
        ("voyageai", "/v1/rerank", {"query": "q", "documents": ["a"]}, 0, []),
        ("google", "/v1beta/models/m:embedContent", {"content": {}}, 0, []),
        ("openai", "/v1/images/generations", {"prompt": "p", "n": 3}, 3 * IMAGE_TOKENS, []),
    ],
)  # fmt: skip
def test_the_output_has_a_limit_that_the_provider_honours(
    slug: str, path: str, document: dict[str, Any], output: int, limits: list[Any]
) -> None:
    found = bounded(slug, path, {"model": "m"} | document)
    assert (found.output_tokens, list(found.limits), found.requests, found.reason) == (output, limits, 1, "")


@pytest.mark.parametrize("value", [-1, 0, -MANY, 1.5, 0.5, "many", "", "-1", float("nan"), float("inf"), True, [], {}])
def test_what_is_no_number_of_tokens_counts_as_absent_and_is_replaced(value: Any) -> None:
    found = bounded("mistral", CHAT, {"model": "m", "max_tokens": value, "n": value})
    assert found.output_tokens == 16_384
    assert set(found.limits) == {Limit(("max_tokens",), 16_384), Limit(("n",), 1)}


@pytest.mark.parametrize("value", [MANY, 1e9, "1000000000", 2**70])
def test_more_than_the_model_can_is_cut_and_forwarded_so(value: Any) -> None:
    found = bounded("openai", CHAT, {"model": "m", "max_tokens": value, "n": value})
    assert found.output_tokens == WINDOW * 128
    assert set(found.limits) == {Limit(("max_tokens",), WINDOW), Limit(("n",), 128)}
    assert bounded("openai", CHAT, {"max_tokens": value}, window=0).output_tokens == DEFAULT_WINDOW


@pytest.mark.parametrize(("value", "output"), [(12, 12), (12.0, 12), ("12", 12), ("012", 12)])
def test_a_number_in_another_guise_is_that_number(value: Any, output: int) -> None:
    found = bounded("openai", CHAT, {"max_tokens": value, "n": "3"})
    assert (found.output_tokens, found.limits) == (3 * output, ())


def test_many_choices_are_cut_as_well() -> None:
    found = bounded("openai", "/v1/completions", {"prompt": "a", "max_tokens": 2, "n": 128, "best_of": 1000})
    assert (found.output_tokens, found.limits) == (256, (Limit(("best_of",), 128),))


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        ("gpt-4.1-mini", 16_384), ("gpt-4o", 16_384), ("gpt-5", 16_384), ("gpt-4", 4_096), ("gpt-4-turbo", 4_096),
        ("openai/gpt-3.5-turbo", 4_096), ("claude-3-haiku-20240307", 4_096), ("claude-3-5-sonnet-latest", 8_192),
        ("claude-sonnet-5", 16_384), ("meta-llama/llama-4-scout-17b-16e-instruct", 8_192), ("gemini-2.0-flash", 8_192),
    ],
)  # fmt: skip
def test_a_model_that_refuses_the_usual_limit_gets_its_own(model: str, limit: int) -> None:
    assert largest_output(model) == limit
    assert bounded("openrouter", CHAT, {"model": model}, model=model).output_tokens == limit


def test_a_long_prompt_leaves_room_for_a_smaller_limit_only() -> None:
    assert bounded("together", CHAT, said("x" * 60_000, max_tokens=None), window=32_768).output_tokens < 32_768 - 20_000
    assert bounded("together", CHAT, said("x" * 60_000, max_tokens=90), window=32_768).output_tokens == 90
