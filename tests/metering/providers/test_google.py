from __future__ import annotations

from typing import Any

import pytest

from metering import providers
from metering.usage import Reading

GOOGLE = providers.PROVIDERS["google"]


def read(*documents: Any) -> Reading:
    route = GOOGLE.route("POST", "/models/gemini-2.5-flash:generateContent")
    assert route is not None
    reader = route.endpoint.reader()
    for document in documents:
        reader.read(document)
    return reader.reading()


def counts(reading: Reading) -> dict[str, int]:
    assert reading.usage is not None
    return reading.usage.counts()


@pytest.mark.parametrize("modalities", [("TEXT", "IMAGE", "VIDEO", "AUDIO"), (1, 2, 3, 4)])
def test_the_totals_hold_thoughts_and_tool_prompts(modalities: tuple[str | int, ...]) -> None:
    text, image, video, audio = modalities
    reading = read(
        {
            "modelVersion": "gemini-2.5-flash",
            "usageMetadata": {
                "promptTokenCount": 1000,
                "cachedContentTokenCount": 400,
                "cacheTokensDetails": [{"modality": audio, "tokenCount": 50}, {"modality": text, "tokenCount": 350}],
                "promptTokensDetails": [
                    {"modality": text, "tokenCount": 700},
                    {"modality": image, "tokenCount": 100},
                    {"modality": video, "tokenCount": 110},
                    {"modality": audio, "tokenCount": 90},
                ],
                "toolUsePromptTokenCount": 132,
                "candidatesTokenCount": 28,
                "candidatesTokensDetails": [{"modality": image, "tokenCount": 20}, {"modality": audio}],
                "thoughtsTokenCount": 54,
                "totalTokenCount": 1214,
                "serviceTier": "flex",
            },
        }
    )
    assert counts(reading) == {
        "input_tokens": 1132,
        "output_tokens": 82,
        "cache_read_tokens": 400,
        "cache_read_audio_tokens": 50,
        "reasoning_tokens": 54,
        "input_audio_tokens": 90,
        "input_image_tokens": 100,
        "input_video_tokens": 110,
        "input_tool_tokens": 132,
        "output_image_tokens": 20,
    }
    assert (reading.model, reading.service_tier) == ("gemini-2.5-flash", "flex")


def test_of_each_count_the_last_is_right() -> None:
    reading = read(
        {"usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9}},
        {"usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 21, "thoughtsTokenCount": 35}},
        {"usageMetadata": {"promptTokenCount": 87, "thoughtsTokenCount": 78, "totalTokenCount": 165}},
    )
    assert counts(reading) == {"input_tokens": 87, "output_tokens": 99, "reasoning_tokens": 78}


def test_grounding_queries_are_counted_once() -> None:
    def chunk(*queries: str) -> dict[str, Any]:
        candidate = {"index": 0, "groundingMetadata": {"webSearchQueries": list(queries)}}
        return {"candidates": [candidate], "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1}}

    assert counts(read(chunk("a"), chunk("a", "b"), {"candidates": [{"index": 0}]}))["grounding_queries"] == 2


def test_generated_text_is_measured() -> None:
    parts = [{"text": "abc"}, {"functionCall": {"name": "f", "args": {"city": "Rome"}}}, {"thoughtSignature": "xx"}]
    reading = read({"candidates": [{"content": {"role": "model", "parts": parts}}]})
    assert (reading.usage, reading.output_characters, reading.output_events) == (None, 8, 1)


def test_an_embedding_may_tell_its_prompt_or_nothing() -> None:
    assert counts(read({"embeddings": [], "usageMetadata": {"promptTokenCount": 4}})) == {"input_tokens": 4}
    assert read({"embeddings": [{"values": [0.1]}]}).usage is None


def test_an_error_inside_a_stream() -> None:
    reading = read({"error": {"code": 503, "status": "UNAVAILABLE", "message": "…"}})
    assert (reading.error, reading.usage) == ("503", None)


@pytest.mark.parametrize(
    ("path", "kind", "model", "stream", "free"),
    [
        ("/models/gemini-2.5-flash:generateContent", "generateContent", "gemini-2.5-flash", False, False),
        ("/v1beta/models/gemini-3:streamGenerateContent", "streamGenerateContent", "gemini-3", True, False),
        ("/v1beta/tunedModels/mine-1:generateContent", "generateContent", "tunedModels/mine-1", False, False),
        ("/models/gemini-embedding-001:embedContent", "embedContent", "gemini-embedding-001", False, False),
        ("/models/gemini-embedding-001:batchEmbedContents", "batchEmbedContents", "gemini-embedding-001", False, False),
        ("/models/gemini-3:countTokens", "countTokens", "gemini-3", False, True),
        ("/openai/chat/completions", "chat.completions", "", None, False),
    ],
)
def test_endpoints(path: str, kind: str, model: str, stream: bool | None, free: bool) -> None:
    route = GOOGLE.route("POST", path)
    assert route is not None
    assert (route.endpoint.kind, route.model, route.stream, route.endpoint.free) == (kind, model, stream, free)


def test_its_endpoint_for_openai_clients_speaks_their_dialect() -> None:
    route = GOOGLE.route("POST", "/v1beta/openai/chat/completions")
    assert route is not None
    assert (route.endpoint.dialect, route.endpoint.asks_usage) == ("openai", True)


def test_models_are_read_unmetered() -> None:
    for path in ("/v1beta/models", "/models/gemini-3", "/openai/models"):
        route = GOOGLE.route("GET", path)
        assert route is not None
        assert not route.endpoint.metered
