from __future__ import annotations

from typing import Any

import pytest

from metering import providers
from metering.bounds import Bound, bound
from metering.bounds.base import HIDDEN_TOKENS
from metering.bounds.prompt import IMAGE_TOKENS
from tests.metering.bounds.asking import CHAT, RESPONSES, bounded, length, said


def test_a_rerank_reads_the_query_with_each_document() -> None:
    document = {"model": "m", "query": "ö" * 100, "documents": ["a", "b", "c"]}
    assert bounded("voyageai", "/v1/rerank", document).input_tokens == length(document) + HIDDEN_TOKENS + 3 * (200 + 16)


def test_a_recording_is_bounded_by_its_bytes() -> None:
    endpoint = providers.PROVIDERS["openai"].route("POST", "/v1/audio/transcriptions")
    assert endpoint is not None
    found = bound(endpoint.endpoint, "openai", {"model": "whisper-1"}, 1_000_000)
    assert (found.audio_seconds, found.kinds) == (4_000, frozenset({"audio"}))
    assert found.input_tokens == found.output_tokens == 4_000 * 32 + HIDDEN_TOKENS
    assert bound(endpoint.endpoint, "openai", {"model": "whisper-1"}, 10).audio_seconds == 10


@pytest.mark.parametrize(
    ("document", "pages"),
    [
        ({"document": {"type": "document_url", "document_url": "https://x"}}, 1_000),
        ({"document": {"type": "document_url"}, "pages": [0, 1, 5]}, 3),
        ({"document": {"type": "document_url"}, "pages": "0-5"}, 1_000),
        ({"document": {"type": "image_url", "image_url": "https://x"}}, 1),
        ({"document": "x", "pages": []}, 1_000),
    ],
)
def test_pages_are_those_asked_for_or_as_many_as_are_read(document: dict[str, Any], pages: int) -> None:
    assert bounded("mistral", "/v1/ocr", document).document_pages == pages


def test_edited_pictures_are_part_of_the_prompt() -> None:
    found = bounded("openai", "/v1/images/edits", {"model": "m", "n": "2"})
    assert (found.input_tokens, found.output_tokens) == (16 * 16_384 + HIDDEN_TOKENS, 2 * IMAGE_TOKENS)
    assert found.kinds == {"image"}


@pytest.mark.parametrize(
    ("slug", "path"),
    [("openai", "/v1/moderations"), ("anthropic", "/v1/messages/count_tokens"), ("google", "/v1/models/m:countTokens")],
)
def test_what_is_free_uses_nothing(slug: str, path: str) -> None:
    assert bounded(slug, path, said("x")) == Bound(requests=0)


@pytest.mark.parametrize(
    ("slug", "path", "document"),
    [
        ("openai", RESPONSES, {"background": True}),
        ("openai", RESPONSES, {"tools": [{"type": "image_generation"}]}),
        ("openai", "/v1/images/edits", {"n": "eleven"}),
        ("openai", "/v1/images/edits", {"n": "11"}),
        ("openrouter", CHAT, {"preset": "mine"}),
        ("groq", "/openai/v1/audio/transcriptions", {"url": "https://x"}),
        ("mistral", "/v1/audio/transcriptions", {"file_url": "https://x"}),
        ("mistral", "/v1/agents/completions", {"agent_id": "ag_1"}),
    ],
)
def test_what_cannot_be_bounded_says_why(slug: str, path: str, document: dict[str, Any]) -> None:
    found = bounded(slug, path, document)
    assert found.reason.endswith((".", "itself."))
    assert found.limits == ()


def test_research_without_end_and_presets_in_the_models_name_have_no_bound() -> None:
    assert bounded("perplexity", CHAT, said("x"), model="sonar-deep-research").reason
    assert bounded("openrouter", CHAT, said("x"), model="@preset/mine").reason
    searching = {"tools": [{"type": "web_search"}], "max_output_tokens": 9}
    assert not bounded("openai", RESPONSES, searching, model="o3-deep-research").reason
