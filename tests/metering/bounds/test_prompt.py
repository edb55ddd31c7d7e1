from __future__ import annotations

from typing import Any

import pytest

from metering.bounds.base import HIDDEN_TOKENS
from metering.bounds.prompt import IMAGE_TOKENS
from tests.metering.bounds.asking import CHAT, GEMINI, MESSAGES, RESPONSES, WINDOW, bounded, length, said


def test_text_is_bounded_by_its_bytes() -> None:
    document = said("Straßenbahn €" * 50)
    assert bounded("openai", CHAT, document).input_tokens == length(document) + HIDDEN_TOKENS
    tool = {"type": "function", "function": {"name": "f", "parameters": {"image_url": {"type": "string"}}}}
    document = said("x", tools=[tool])
    assert bounded("openai", CHAT, document).input_tokens == length(document) + 2 * HIDDEN_TOKENS


DATA = "data:image/png;base64," + "A" * 90_000
SOUND = {"data": "A" * 90_000, "format": "wav"}
ANTHROPIC_IMAGE = 8_192


@pytest.mark.parametrize(
    ("slug", "path", "content", "taken", "added", "kinds"),
    [
        ("openai", CHAT, {"type": "image_url", "image_url": {"url": DATA}}, len(DATA), IMAGE_TOKENS, "image"),
        ("mistral", CHAT, {"type": "image_url", "image_url": DATA}, len(DATA), IMAGE_TOKENS, "image"),
        ("openai", CHAT, {"type": "image_url", "image_url": {"url": "https://x/y.png"}}, 0, IMAGE_TOKENS, "image"),
        ("openai", CHAT, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}, 24, IMAGE_TOKENS,
         "image"),
        ("openai", CHAT, {"type": "input_audio", "input_audio": SOUND}, 0, 0, "audio"),
        ("openai", CHAT, {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA"}}, 0, WINDOW, "image"),
        ("openai", CHAT, {"type": "file", "file": {"file_id": "file-1"}}, 0, WINDOW, "image"),
        ("anthropic", MESSAGES, {"type": "image", "source": {"media_type": "image/png", "data": "A" * 900}}, 900,
         ANTHROPIC_IMAGE, "image"),
        ("anthropic", MESSAGES, {"type": "image", "source": {"type": "url", "url": "https://x/y"}}, 0, WINDOW, "image"),
        ("anthropic", MESSAGES, {"type": "document", "source": {"media_type": "application/pdf", "data": "A"}}, 0,
         WINDOW, "image"),
        ("anthropic", MESSAGES, {"type": "document", "source": {"type": "text", "data": "A"}}, 0, 0, ""),
        ("anthropic", MESSAGES, {"type": "search_result", "source": "https://x/y", "content": []}, 0, 0, ""),
        ("anthropic", MESSAGES, {"type": "tool_use", "input": {"image_url": {"url": DATA}}}, 0, 0, ""),
        ("anthropic", MESSAGES, {"type": "tool_result", "content": [{"type": "image", "source": {
            "media_type": "image/png", "data": "A" * 900}}]}, 900, ANTHROPIC_IMAGE, "image"),
    ],
)  # fmt: skip
def test_media_count_for_more_than_their_bytes_or_less(
    slug: str, path: str, content: Any, taken: int, added: int, kinds: str
) -> None:
    document = said([content, {"type": "text", "text": "What is this?"}])
    found = bounded(slug, path, document)
    assert found.input_tokens == length(document) - taken + added + HIDDEN_TOKENS
    assert found.kinds == frozenset(kinds.split())


@pytest.mark.parametrize(
    ("part", "added", "kinds"),
    [
        ({"inlineData": {"mimeType": "image/png", "data": "A" * 30}}, IMAGE_TOKENS - 30, "image"),
        ({"inline_data": {"mime_type": "image/png", "data": "A" * 30}}, IMAGE_TOKENS - 30, "image"),
        ({"inlineData": {"mimeType": "audio/wav", "data": "A" * 30}}, 0, "audio"),
        ({"inlineData": {"mimeType": "video/mp4", "data": "A" * 30}}, 50_000, "audio video"),
        ({"inlineData": {"mimeType": "text/plain", "data": "A" * 30}}, 0, ""),
        ({"inlineData": {"mimeType": "application/pdf", "data": "A" * 30}}, WINDOW, "image"),
        ({"fileData": {"mimeType": "image/png", "fileUri": "https://x"}}, IMAGE_TOKENS, "image"),
        ({"file_data": {"mime_type": "video/mp4", "file_uri": "https://youtu.be/x"}}, WINDOW, "audio video"),
        ({"functionResponse": {"response": {"inlineData": {"mimeType": "image/png", "data": "A" * 30}}}}, 0, ""),
        ({"functionResponse": {"parts": [{"inlineData": {"mimeType": "image/png", "data": "A" * 30}}]}},
         IMAGE_TOKENS - 30, "image"),
    ],
)  # fmt: skip
def test_media_for_gemini(part: Any, added: int, kinds: str) -> None:
    document = {"contents": [{"role": "user", "parts": [part]}]}
    found = bounded("google", GEMINI, document)
    assert found.input_tokens == length(document) + added + HIDDEN_TOKENS
    assert found.kinds == frozenset(kinds.split())


def test_many_pictures_have_room_in_the_window_only() -> None:
    document = said([{"type": "image_url", "image_url": {"url": "https://x/y.png"}}] * 9)
    assert bounded("openai", CHAT, document).input_tokens == length(document) + WINDOW + HIDDEN_TOKENS


@pytest.mark.parametrize(
    ("slug", "path", "document"),
    [
        ("openai", RESPONSES, {"input": "go on", "previous_response_id": "resp_1"}),
        ("openai", RESPONSES, {"input": "go on", "conversation": "conv_1"}),
        ("openai", RESPONSES, {"input": [{"type": "item_reference", "id": "msg_1"}]}),
        ("google", GEMINI, {"contents": [], "cachedContent": "cachedContents/1"}),
        ("google", GEMINI, {"contents": [], "cached_content": "cachedContents/1"}),
        ("anthropic", MESSAGES, {"messages": [], "container": {"skills": [{"skill_id": "pptx"}]}}),
    ],
)
def test_what_the_provider_keeps_fills_the_window_with_anything(slug: str, path: str, document: dict[str, Any]) -> None:
    found = bounded(slug, path, document)
    assert found.input_tokens == length(document) + WINDOW + HIDDEN_TOKENS
    assert found.kinds == {"audio", "image", "video"}


@pytest.mark.parametrize("name", ["previous_response_id", "conversation", "prompt", "background"])
def test_a_null_is_nothing_kept(name: str) -> None:
    document = {"input": "hello", name: None}
    assert bounded("openai", RESPONSES, document).input_tokens == length(document) + HIDDEN_TOKENS


@pytest.mark.parametrize(
    ("slug", "path", "document", "cache"),
    [
        ("openai", CHAT, said("x"), "short"),
        ("anthropic", MESSAGES, said("x"), ""),
        ("anthropic", MESSAGES, said("x", cache_control={"type": "ephemeral"}), "short"),
        ("anthropic", MESSAGES, said([{"type": "text", "text": "x", "cache_control": {"ttl": "5m"}}]), "short"),
        ("anthropic", MESSAGES, said([{"text": "x", "cache_control": {"ttl": "1h"}}]), "long"),
        ("anthropic", MESSAGES, said("x", tools=[{"name": "f", "cache_control": {"ttl": "1h"}}]), "long"),
        ("anthropic", MESSAGES, said("x", tools=[{"name": "f", "input_schema": {"cache_control": {}}}]), ""),
    ],
)
def test_writing_to_the_cache_is_expected_where_it_can_happen(
    slug: str, path: str, document: dict[str, Any], cache: str
) -> None:
    assert bounded(slug, path, document).cache == cache
