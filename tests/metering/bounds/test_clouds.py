from __future__ import annotations

import json
from typing import Any

import pytest

from metering.bounds import Bound
from metering.bounds.base import HIDDEN_TOKENS
from metering.bounds.clouds import most_output
from metering.bounds.prompt import IMAGE_TOKENS
from metering.providers.injection import limit_output
from tests.metering.bounds.asking import MESSAGES, WINDOW, bounded, length, said

NOVA, CLAUDE = "us.amazon.nova-lite-v1%3A0", "eu.anthropic.claude-haiku-4-5-20251001-v1%3A0"
VERTEX = "/v1/projects/acme-123/locations/global/publishers"


def converse(content: list[dict[str, Any]], model: str = NOVA, **more: Any) -> tuple[dict[str, Any], Bound]:
    document = {"messages": [{"role": "user", "content": content}], **more}
    return document, bounded("bedrock", f"/model/{model}/converse", document)


def invoke(model: str, document: dict[str, Any]) -> Bound:
    return bounded("bedrock", f"/model/{model}/invoke", document)


def forwarded(document: dict[str, Any], bound: Bound) -> Any:
    return json.loads(limit_output(json.dumps(document).encode(), document, bound.limits))


def test_text_is_bounded_by_its_bytes_and_the_stated_limit() -> None:
    document, found = converse([{"text": "ö" * 50}], inferenceConfig={"maxTokens": 77})
    assert (found.input_tokens, found.output_tokens) == (length(document) + HIDDEN_TOKENS, 77)
    assert (found.limits, found.kinds) == ((), frozenset())


@pytest.mark.parametrize(
    ("model", "most"),
    [
        (NOVA, 5_000),
        (CLAUDE, 16_384),
        ("anthropic.claude-3-haiku-20240307-v1%3A0", 4_096),
        ("us.anthropic.claude-3-5-sonnet-20240620-v1%3A0", 8_192),
        ("amazon.titan-text-lite-v1", 4_096),
        ("us.meta.llama3-3-70b-instruct-v1%3A0", 2_048),
        ("mistral.mistral-large-2402-v1%3A0", 4_096),
    ],
)
def test_a_limit_that_the_model_takes_is_forwarded_where_none_is_stated(model: str, most: int) -> None:
    document, found = converse([{"text": "x"}], model)
    assert found.output_tokens == most == most_output(model)
    assert forwarded(document, found)["inferenceConfig"] == {"maxTokens": most}


@pytest.mark.parametrize(
    ("block", "tokens", "kinds"),
    [
        ({"image": {"format": "png", "source": {"bytes": "AAAA"}}}, IMAGE_TOKENS, {"image"}),
        ({"document": {"name": "a", "source": {"bytes": "AAAA"}}}, WINDOW, {"image"}),
        ({"document": {"name": "a", "source": {"text": "AAAA"}}}, 0, set()),
        ({"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://a/b"}}}}, WINDOW, {"video"}),
        (
            {"toolResult": {"toolUseId": "t", "content": [{"image": {"source": {"bytes": "AAAA"}}}]}},
            IMAGE_TOKENS,
            {"image"},
        ),
    ],
)
def test_what_bytes_do_not_bound_is_added(block: dict[str, Any], tokens: int, kinds: set[str]) -> None:
    document, found = converse([block], inferenceConfig={"maxTokens": 5})
    assert found.input_tokens == length(document) + HIDDEN_TOKENS + tokens
    assert found.kinds == kinds


def test_a_picture_for_claude_is_small() -> None:
    image = {"image": {"format": "png", "source": {"bytes": "AAAA"}}}
    document, found = converse([image], CLAUDE, inferenceConfig={"maxTokens": 5})
    assert found.input_tokens == length(document) + HIDDEN_TOKENS + 8_192


def test_an_hour_in_the_cache_is_seen() -> None:
    cached = {"cachePoint": {"type": "default", "ttl": "1h"}}
    assert converse([{"text": "x"}, cached])[1].cache == "long"
    assert converse([{"text": "x"}])[1].cache == "short"


def test_a_system_tool_has_no_bound() -> None:
    tools = {"tools": [{"systemTool": {"name": "nova_grounding"}}]}
    assert converse([{"text": "x"}], toolConfig=tools)[1].reason
    own = {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {}}}}]}
    assert not converse([{"text": "x"}], toolConfig=own)[1].reason


@pytest.mark.parametrize(
    ("model", "document", "stated", "place"),
    [
        ("amazon.titan-text-express-v1", {"inputText": "x"}, 8_192, ("textGenerationConfig", "maxTokenCount")),
        ("meta.llama3-8b-instruct-v1%3A0", {"prompt": "x"}, 2_048, ("max_gen_len",)),
        ("amazon.nova-micro-v1%3A0", {"messages": []}, 5_000, ("inferenceConfig", "maxTokens")),
        ("mistral.mistral-7b-instruct-v0%3A2", {"prompt": "x"}, 4_096, ("max_tokens",)),
        ("openai.gpt-oss-20b-1%3A0", {"messages": []}, 16_384, ("max_completion_tokens",)),
        (CLAUDE, {"messages": []}, 16_384, ("max_tokens",)),
    ],
)
def test_each_makers_limit_stands_where_its_model_reads_it(
    model: str, document: dict[str, Any], stated: int, place: tuple[str, ...]
) -> None:
    found = invoke(model, document)
    assert found.output_tokens == stated
    sent = forwarded(document, found)
    for name in place:
        sent = sent[name]
    assert sent == stated


def test_the_larger_of_novas_two_names_counts() -> None:
    found = invoke("amazon.nova-micro-v1%3A0", {"messages": [], "inferenceConfig": {"max_new_tokens": 300}})
    assert (found.output_tokens, found.limits) == (300, ())


def test_pictures_for_llama_and_embeddings() -> None:
    document = {"prompt": "x", "images": ["AAAA", "BBBB"], "max_gen_len": 9}
    found = invoke("us.meta.llama3-2-11b-instruct-v1%3A0", document)
    assert found.input_tokens == length(document) + HIDDEN_TOKENS + 2 * IMAGE_TOKENS
    texts = {"inputText": "x" * 40}
    assert invoke("amazon.titan-embed-text-v2%3A0", texts) == Bound(length(texts) + HIDDEN_TOKENS)


def test_claude_is_bounded_alike_wherever_it_is_called() -> None:
    document = said("hello", tools=[{"type": "web_search_20250305", "name": "web_search"}])
    own = bounded("anthropic", MESSAGES, document)
    assert own.searches
    path = f"{VERTEX}/anthropic/models/claude-haiku-4-5@20251001:rawPredict"
    assert bounded("vertex", path, document) == own
    assert invoke(CLAUDE, document) == own


def test_other_makers_on_vertex() -> None:
    document = {"messages": [{"role": "user", "content": "hello"}]}
    path = f"{VERTEX}/mistralai/models/mistral-large-2411:rawPredict"
    found = bounded("vertex", path, document)
    assert forwarded(document, found)["max_tokens"] == found.output_tokens
    texts = {"instances": [{"content": "hello"}]}
    embedded = bounded("vertex", f"{VERTEX}/google/models/gemini-embedding-001:predict", texts)
    assert embedded == Bound(length(texts) + HIDDEN_TOKENS)


@pytest.mark.parametrize(
    "document", [{"messages": 5}, {"toolConfig": []}, {"messages": [{"image": {"source": 1}}]}, {}]
)
def test_no_request_is_too_odd(document: dict[str, Any]) -> None:
    assert bounded("bedrock", f"/model/{NOVA}/converse", document).output_tokens == 5_000
