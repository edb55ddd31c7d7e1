from __future__ import annotations

from typing import Any

import pytest

from metering.bounds import Limit
from metering.bounds.base import HIDDEN_TOKENS
from metering.bounds.builtin import ADVICE_TOKENS, DEFINITION_TOKENS, HEADING_TOKENS, RESULT_TOKENS, USES
from tests.metering.bounds.asking import CHAT, GEMINI, MESSAGES, RESPONSES, WINDOW, bounded, length, said

SEARCH = {"type": "web_search_20250305", "name": "web_search"}


def first(document: dict[str, Any], described: int = 1) -> int:
    """The prompt as it is read first."""
    return length(document) + 2 * HIDDEN_TOKENS + described * DEFINITION_TOKENS


@pytest.mark.parametrize(
    ("slug", "path", "tools"),
    [
        (
            "openai",
            CHAT,
            [{"type": "function", "function": {"name": "f"}}, {"type": "custom", "custom": {"name": "c"}}],
        ),
        ("openai", RESPONSES, [{"type": "function", "name": "f"}, {"type": "computer_use_preview"}]),
        ("anthropic", MESSAGES, [{"name": "f", "input_schema": {}}]),
        ("google", GEMINI, [{"functionDeclarations": [{"name": "f"}]}, {"function_declarations": []}]),
    ],
)
def test_tools_that_the_client_runs_are_text(slug: str, path: str, tools: list[Any]) -> None:
    document = said("x", tools=tools)
    found = bounded(slug, path, document)
    assert found.input_tokens == length(document) + 2 * HIDDEN_TOKENS
    assert (found.searches, found.models) == (0, ())


def test_tools_with_a_hidden_description_take_room() -> None:
    document = said("x", tools=[{"type": "bash_20250124", "name": "bash"}, {"type": "custom", "name": "f"}])
    found = bounded("anthropic", MESSAGES, document)
    assert (found.input_tokens, found.output_tokens) == (first(document, described=2), 100)


def test_each_search_reads_everything_again_and_longer() -> None:
    document = said("x", tools=[SEARCH | {"max_uses": 2}])
    found = bounded("anthropic", MESSAGES, document, window=10**6)
    assert found.input_tokens == 3 * first(document) + 3 * (RESULT_TOKENS + 100)
    assert (found.output_tokens, found.searches, found.limits) == (300, 2, ())


def test_no_round_reads_more_than_the_window() -> None:
    document = said("x", tools=[SEARCH])
    found = bounded("anthropic", MESSAGES, document, window=60_000)
    assert found.input_tokens == 2 * first(document) + RESULT_TOKENS + 100 + 9 * 60_000


def test_many_uses_may_come_at_once_in_the_rounds_that_there_are() -> None:
    document = said("x", tools=[SEARCH | {"max_uses": 30}])
    found = bounded("anthropic", MESSAGES, document, window=10**9)
    assert found.input_tokens == 11 * first(document) + sum(range(21, 31)) * (RESULT_TOKENS + 100)
    assert (found.output_tokens, found.searches) == (11 * 100, 30)


@pytest.mark.parametrize("uses", [None, 0, -1, 1.5, "often"])
def test_uses_that_are_not_stated_are_limited(uses: Any) -> None:
    found = bounded("anthropic", MESSAGES, said("x", tools=[{"name": "f"}, SEARCH | {"max_uses": uses}]))
    assert (found.searches, found.limits) == (USES, (Limit(("tools", 1, "max_uses"), USES),))


def test_absurd_uses_are_cut() -> None:
    found = bounded("anthropic", MESSAGES, said("x", tools=[SEARCH | {"max_uses": 10**9}]))
    assert (found.searches, found.limits) == (100, (Limit(("tools", 0, "max_uses"), 100),))


@pytest.mark.parametrize(
    ("tool", "result", "limits"),
    [
        ({"type": "code_execution_20260120"}, RESULT_TOKENS, 0),
        ({"type": "web_fetch_20250910", "max_uses": 10, "max_content_tokens": 700}, 700 + HEADING_TOKENS, 0),
        ({"type": "web_fetch_20250910", "max_content_tokens": 700}, 700 + HEADING_TOKENS, 1),
    ],
)
def test_what_a_tool_brings_back(tool: dict[str, Any], result: int, limits: int) -> None:
    document = said("x", tools=[tool])
    found = bounded("anthropic", MESSAGES, document, window=10**9)
    assert found.input_tokens == 11 * first(document) + sum(range(11)) * (result + 100)
    assert (found.searches, len(found.limits)) == (0, limits)


@pytest.mark.parametrize(
    "document",
    [
        said("x", tools=[{"type": "web_fetch_20250910", "max_uses": 10}]),
        said("x", tools=[{"type": "mcp_toolset", "mcp_server_name": "s"}]),
    ],
)
def test_what_may_be_as_long_as_the_window_is(document: dict[str, Any]) -> None:
    assert bounded("anthropic", MESSAGES, document).input_tokens == first(document) + 10 * WINDOW


def test_servers_of_tools_count_without_being_described() -> None:
    document = said("x", mcp_servers=[{"url": "https://x"}])
    assert bounded("anthropic", MESSAGES, document).input_tokens == length(document) + HIDDEN_TOKENS + 10 * WINDOW


def test_an_advisor_reads_and_writes_at_its_own_price() -> None:
    document = said("x", tools=[{"type": "advisor_20260301", "model": "claude-opus-4-8", "max_uses": 1}])
    found = bounded("anthropic", MESSAGES, document, window=10**9)
    longer = first(document) + ADVICE_TOKENS + HEADING_TOKENS + 100
    assert found.input_tokens == first(document) + longer + longer + DEFINITION_TOKENS
    assert found.output_tokens == 200 + ADVICE_TOKENS
    assert found.models == ("claude-opus-4-8",)
    assert found.limits == (Limit(("tools", 0, "max_tokens"), ADVICE_TOKENS),)


def test_responses_count_all_uses_together_and_write_once() -> None:
    document = {"input": "x", "tools": [{"type": "web_search"}], "max_output_tokens": 50}
    found = bounded("openai", RESPONSES, document, window=10**9)
    assert found.input_tokens == 11 * first(document) + sum(range(11)) * (RESULT_TOKENS + 50)
    assert (found.output_tokens, found.searches) == (50, USES)
    assert found.limits == (Limit(("max_tool_calls",), USES),)
    found = bounded("openai", RESPONSES, document | {"max_tool_calls": 1})
    assert (found.searches, found.limits) == (1, ())


def test_a_stored_prompt_may_hold_tools() -> None:
    found = bounded("openai", RESPONSES, {"prompt": {"id": "pmpt_1"}, "max_output_tokens": 50})
    assert (found.limits, found.searches) == ((Limit(("max_tool_calls",), USES),), USES)


@pytest.mark.parametrize(
    ("tool", "uses", "result"),
    [
        ("googleSearch", 1, DEFINITION_TOKENS),
        ("google_search", 1, DEFINITION_TOKENS),
        ("codeExecution", 5, RESULT_TOKENS),
        ("urlContext", 1, 10**12),
        ("fileSearch", 1, 10**12),
    ],
)
def test_geminis_tools(tool: str, uses: int, result: int) -> None:
    document = {"contents": [], "tools": [{tool: {}}], "generationConfig": {"maxOutputTokens": 50}}
    found = bounded("google", GEMINI, document)
    rounds = [min(WINDOW, first(document) + use * (result + 50)) for use in range(uses + 1)]
    assert (found.input_tokens, found.output_tokens, found.searches) == (sum(rounds), 50, 0)


@pytest.mark.parametrize(
    ("more", "searches"),
    [
        ({"web_search_options": {}}, 1),
        ({"web_search_options": None}, 0),
        ({"plugins": [{"id": "web"}]}, 1),
        ({"model": "openai/gpt-4o:online"}, 1),
        ({"search_parameters": {"mode": "auto"}}, 20),
        ({"search_parameters": {"mode": "auto", "max_search_results": 5}}, 5),
        ({"search_parameters": {"mode": "off"}}, 0),
        ({"tools": [{"type": "browser_search"}]}, USES),
    ],
)
def test_searches_before_and_while_a_chat_is_answered(more: dict[str, Any], searches: int) -> None:
    found = bounded("openrouter", CHAT, said("x", **more))
    assert (found.searches, found.limits) == (searches, ())
    assert (found.input_tokens > RESULT_TOKENS) is bool(searches)


def test_the_tools_of_openrouter() -> None:
    advisor = {"type": "openrouter:advisor", "parameters": {"model": "openai/gpt-5", "max_completion_tokens": 300}}
    found = bounded("openrouter", CHAT, said("x", tools=[advisor], max_tool_calls=2))
    assert (found.models, found.limits) == (("openai/gpt-5",), ())
    assert found.output_tokens == 3 * 100 + 2 * 300
    assert bounded("openrouter", CHAT, said("x", tools=[advisor])).limits == (Limit(("max_tool_calls",), USES),)


def test_summing_up_the_conversation_is_one_more_reading() -> None:
    document = said("x", context_management={"edits": [{"type": "compact_20260112"}]})
    found = bounded("anthropic", MESSAGES, document)
    assert (found.input_tokens, found.output_tokens) == (length(document) + HIDDEN_TOKENS + WINDOW, 100 + 16_384)
    other = said("x", context_management={"edits": [{"type": "clear_tool_uses_20250919"}]})
    assert bounded("anthropic", MESSAGES, other).output_tokens == 100


def test_other_models_may_answer() -> None:
    document = said("x", models=["a", {"model": "b"}, 3, None], fallbacks=["c"])
    assert bounded("openrouter", CHAT, document).models == ("a", "b", "c")
