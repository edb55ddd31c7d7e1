"""Our arithmetic against the price list's own, on consistent usages: the same cost, to the last digit."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from decimal import Decimal

import genai_prices
from genai_prices.data import providers
from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.catalogue import Catalogue
from metering.usage import Usage

CONTEXTS = [
    (),
    (("service_tier", "flex"),),
    (("service_tier", "priority"),),
    (("processing", "batch"),),
    (("speed", "fast"),),
]
CATALOGUE = Catalogue()


def entries(model: ModelInfo) -> list[ModelPrice]:
    listed = [model.prices] if isinstance(model.prices, ModelPrice) else [entry.prices for entry in model.prices]
    return listed + [variant.prices for variant in model.price_variants or ()]


def is_special(model: ModelInfo) -> bool:
    """Tiers, variants, dates, or prices beside plain tokens."""
    plain = {"input_mtok", "output_mtok", "cache_read_mtok"}
    listed = entries(model)
    return len(listed) > 1 or any(
        isinstance(price, TieredPrices) or key not in plain for entry in listed for key, price in vars(entry).items()
    )


def sample() -> list[tuple[Provider, ModelInfo]]:
    """200 models, the same ones each time: three quarters of them with something to get wrong."""
    named = [
        (provider, model)
        for provider in providers
        for model in provider.models
        if provider.find_model(model.id) is model
    ]
    special = [pair for pair in named if is_special(pair[1])]
    plain = [pair for pair in named if not is_special(pair[1])]
    choice = random.Random(2026)
    return choice.sample(special, 150) + choice.sample(plain, 50)


COUNT = st.integers(min_value=0, max_value=20_000) | st.integers(min_value=0, max_value=900_000)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """A usage whose parts fit in their wholes."""
    text, tool, cached, cached_audio, audio, image, video, short, long, other = (draw(COUNT) for _ in range(10))
    answer, reasoning, spoken, drawn = (draw(COUNT) for _ in range(4))
    return Usage(
        input_tokens=text + tool + cached + cached_audio + audio + image + video + short + long + other,
        output_tokens=answer + reasoning + spoken + drawn,
        cache_read_tokens=cached + cached_audio,
        cache_write_tokens=short + long + other,
        cache_write_5m=short,
        cache_write_1h=long,
        reasoning_tokens=reasoning,
        input_audio_tokens=audio + cached_audio,
        cache_read_audio_tokens=cached_audio,
        input_image_tokens=image,
        input_video_tokens=video,
        input_tool_tokens=tool,
        output_audio_tokens=spoken,
        output_image_tokens=drawn,
        web_search_requests=draw(st.integers(0, 20)),
        audio_seconds=draw(st.integers(0, 4000)),
        document_pages=draw(st.integers(0, 300)),
    )


def as_library(usage: Usage) -> genai_prices.Usage:
    return genai_prices.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cache_write_5m_tokens=usage.cache_write_5m,
        cache_write_1h_tokens=usage.cache_write_1h,
        output_reasoning_tokens=usage.reasoning_tokens,
        input_audio_tokens=usage.input_audio_tokens,
        cache_audio_read_tokens=usage.cache_read_audio_tokens,
        input_image_tokens=usage.input_image_tokens,
        cache_image_read_tokens=0,
        input_video_tokens=usage.input_video_tokens,
        cache_video_read_tokens=0,
        output_video_tokens=0,
        input_tool_tokens=usage.input_tool_tokens,
        output_audio_tokens=usage.output_audio_tokens,
        output_image_tokens=usage.output_image_tokens,
        web_searches=usage.web_search_requests,
        audio_seconds=usage.audio_seconds,
        input_audio_seconds=usage.audio_seconds,
        input_document_pages=usage.document_pages,
    )


@settings(max_examples=600)
@given(
    pair=st.sampled_from(sample()),
    usage=usages(),
    moment=st.datetimes(datetime(2024, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
    context=st.sampled_from(CONTEXTS),
)
def test_same_cost_as_the_library(
    pair: tuple[Provider, ModelInfo], usage: Usage, moment: datetime, context: tuple[tuple[str, str], ...]
) -> None:
    provider, model = pair
    theirs = model.calc_price(
        as_library(usage), provider, genai_request_timestamp=moment, price_context=dict(context)
    ).total_price
    card = CATALOGUE.rate_card(provider.id, model.id, moment, context)
    assert card is not None
    charge = card.charge(usage)
    assert sum((line.amount for line in charge.lines), Decimal(0)) == theirs


def test_the_sample_has_something_to_get_wrong() -> None:
    tiered = [
        model
        for _, model in sample()
        if any(TieredPrices in map(type, vars(entry).values()) for entry in entries(model))
    ]
    assert len(tiered) > 20
