"""The second source: what its table says is charged as it means it, and what it cannot mean is left out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from genai_prices.types import Tier, TieredPrices

from billing.catalogue import card
from billing.listing import Listing
from billing.litellm import SecondSource
from billing.price_files import BadPriceFile
from metering.usage import Usage

NOW = datetime(2026, 11, 25, tzinfo=UTC)
BATCH = (("processing", "batch"),)

# Entries of the table of 2026-11, as they are.
WHISPER = {
    "input_cost_per_second": 0.0001,
    "litellm_provider": "openai",
    "mode": "audio_transcription",
    "output_cost_per_second": 0.0001,
}
RERANK = {
    "input_cost_per_query": 0.002,
    "input_cost_per_token": 0.0,
    "litellm_provider": "cohere",
    "mode": "rerank",
    "output_cost_per_token": 0.0,
    "max_input_tokens": 4096,
}
OCR = {
    "litellm_provider": "mistral",
    "ocr_cost_per_page": 0.004,
    "ocr_cost_per_page_batches": 0.002,
    "annotation_cost_per_page": 0.005,
    "mode": "ocr",
}
IMAGES = {
    "cache_read_input_image_token_cost": 2.5e-06,
    "cache_read_input_token_cost": 1.25e-06,
    "input_cost_per_image_token": 1e-05,
    "input_cost_per_token": 5e-06,
    "litellm_provider": "openai",
    "mode": "image_generation",
    "output_cost_per_image_token": 4e-05,
}
FLASH = {
    "cache_read_input_token_cost": 3e-08,
    "input_cost_per_audio_token": 1e-06,
    "input_cost_per_audio_token_batches": 5e-07,
    "input_cost_per_token": 3e-07,
    "input_cost_per_token_batches": 1.5e-07,
    "output_cost_per_token": 2.5e-06,
    "output_cost_per_reasoning_token": 2.5e-06,
    "output_cost_per_token_batches": 1.25e-06,
    "litellm_provider": "gemini",
    "mode": "chat",
    "search_context_cost_per_query": {"search_context_size_low": 0.035, "search_context_size_high": 0.05},
    "google_maps_grounding_cost_per_query": 0.025,
    "max_input_tokens": 1048576,
}
SONNET = {
    "input_cost_per_token": 3e-06,
    "input_cost_per_token_above_200k_tokens": 6e-06,
    "output_cost_per_token": 1.5e-05,
    "output_cost_per_token_above_200k_tokens": 2.25e-05,
    "cache_creation_input_token_cost": 3.75e-06,
    "cache_creation_input_token_cost_above_1hr": 6e-06,
    "litellm_provider": "bedrock_converse",
    "mode": "chat",
    "max_input_tokens": 1000000,
}


def source(**entries: Any) -> SecondSource:
    entries = {"some": {**SONNET, "litellm_provider": "some"}, **entries}
    return SecondSource(json.dumps(entries).encode(), "x")


def listing(name: str, entry: dict[str, Any], provider: str, model: str, *context: tuple[str, str]) -> Listing:
    found = source(**{name: entry}).listing(provider, model, NOW, context).listing
    assert found is not None
    return found


def prices(name: str, entry: dict[str, Any], provider: str, model: str, *context: tuple[str, str]) -> dict[str, Any]:
    return dict(listing(name, entry, provider, model, *context).prices)


def test_seconds_are_charged_once() -> None:
    found = listing("whisper-1", WHISPER, "openai", "Whisper-1")
    assert found.prices == {"audio_hours": Decimal("0.36")}
    assert card("openai", "whisper-1", found).charge(Usage(audio_seconds=10)).cost == 1_000_000
    assert (found.version, found.source, found.window) == ("litellm x", "catalogue", 0)


def test_searches_and_pages() -> None:
    rerank = listing("rerank-v3.5", RERANK, "cohere", "rerank-v3.5")
    assert card("cohere", "rerank-v3.5", rerank).charge(Usage(input_tokens=500, search_units=3)).cost == 6_000_000
    assert rerank.window == 4096
    assert not card("cohere", "rerank-v3.5", rerank).prices(Usage(input_tokens=500))
    assert prices("mistral/ocr", OCR, "mistral", "ocr") == {"input_document_kpages": Decimal(4)}
    assert prices("mistral/ocr", OCR, "mistral", "ocr", *BATCH) == {"input_document_kpages": Decimal(2)}


def test_tokens_of_pictures() -> None:
    assert prices("gpt-image-1", IMAGES, "openai", "gpt-image-1") == {
        "cache_read_mtok": Decimal("1.25"),
        "input_image_mtok": Decimal(10),
        "input_mtok": Decimal(5),
        "output_image_mtok": Decimal(40),
    }


def test_a_tier_has_its_own_prices_and_else_the_usual_ones() -> None:
    usual = {
        "cache_read_mtok": Decimal("0.03"),
        "input_audio_mtok": Decimal(1),
        "input_mtok": Decimal("0.3"),
        "output_mtok": Decimal("2.5"),
        "web_searches_kcount": Decimal(50),
    }
    halves = {"input_audio_mtok": Decimal("0.5"), "input_mtok": Decimal("0.15"), "output_mtok": Decimal("1.25")}
    assert prices("gemini/flash", FLASH, "google", "flash") == usual
    assert prices("gemini/flash", FLASH, "google", "flash", *BATCH) == usual | halves
    assert prices("gemini/flash", FLASH, "google", "flash", ("service_tier", "flex")) == usual


def test_long_calls_cost_more() -> None:
    found = listing("anthropic.sonnet", SONNET, "aws", "anthropic.sonnet")
    assert found.prices["input_mtok"] == TieredPrices(Decimal(3), [Tier(200_000, Decimal(6))])
    assert found.prices["cache_write_1h_mtok"] == Decimal(6)
    assert found.window == 0
    assert card("aws", "m", found).charge(Usage(input_tokens=200_001)).cost == 1_200_006_000


@pytest.mark.parametrize(
    ("theirs", "name", "ours", "model"),
    [
        ("vertex_ai-language-models", "vertex_ai/gemini-x", "google", "gemini-x"),
        ("vertex_ai-anthropic_models", "vertex_ai/claude-x", "google", "claude-x"),
        ("xai", "xai/grok-x", "x-ai", "grok-x"),
        ("together_ai", "together_ai/meta/llama", "together", "meta/llama"),
        ("deepinfra", "deepinfra/meta/llama", "deepinfra", "meta/llama"),
        ("azure", "azure/eu/gpt-4o", "azure", "eu/gpt-4o"),
    ],
)
def test_providers_have_our_names(theirs: str, name: str, ours: str, model: str) -> None:
    assert listing(name, {**SONNET, "litellm_provider": theirs}, ours, model).listed_as == model


def test_geminis_own_price_stands_before_vertexs() -> None:
    vertex = {**SONNET, "litellm_provider": "vertex_ai-language-models", "input_cost_per_token": 9e-06}
    gemini = {**SONNET, "litellm_provider": "gemini"}
    for names in (("vertex_ai/m", "gemini/m"), ("gemini/m", "vertex_ai/m")):
        both = source(**{name: vertex if name.startswith("vertex") else gemini for name in names})
        found = both.listing("google", "m", NOW, ()).listing
        assert found is not None
        assert found.prices["input_mtok"] == TieredPrices(Decimal(3), [Tier(200_000, Decimal(6))])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"output_cost_per_image": 0.04}, "cannot be charged: output_cost_per_image"),
        ({"input_cost_per_character": 1.5e-05}, "cannot be charged: input_cost_per_character"),
        ({"output_cost_per_second": 0.0002}, "cannot be charged: output_cost_per_second"),
        ({"input_cost_per_token": "free"}, "cannot be charged: input_cost_per_token"),
        ({"input_cost_per_token": -1}, "cannot be charged: input_cost_per_token"),
        ({"input_cost_per_token": True}, "cannot be charged: input_cost_per_token"),
        ({"input_cost_per_second": 0.0001}, "by the token and by the second"),
        ({"litellm_provider": None}, "names no provider"),
    ],
)
def test_what_cannot_be_charged_rightly_is_left_out(changes: dict[str, Any], reason: str) -> None:
    found = source(bad={**FLASH, **changes})
    assert reason in found.left_out["bad"]
    assert found.listing("google", "bad", NOW, ()).listing is None


def test_zeros_and_half_a_price_are_no_price() -> None:
    zero = {"litellm_provider": "ollama", "mode": "chat", "input_cost_per_token": 0, "output_cost_per_token": 0.0}
    half = {"litellm_provider": "ollama", "mode": "chat", "input_cost_per_token": 1e-06}
    found = source(zero=zero, half=half)
    assert found.left_out == {"zero": "has no price but zero", "half": "has a price for one direction only"}


def test_its_models_can_be_listed() -> None:
    found = source(**{"gemini/flash": FLASH, "whisper-1": WHISPER})
    assert found.providers() == ["some", "google", "openai"]
    assert (found.models("google"), found.models("nobody")) == (["flash"], [])


def test_a_table_without_a_price_is_refused() -> None:
    with pytest.raises(BadPriceFile, match="no price in this table"):
        SecondSource(b'{"m": {"litellm_provider": "openai"}}', "x")
