from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import orjson
import pytest

from billing.catalogue import Catalogue, charge_reading
from billing.reading import basis_of, price_context, reading_of
from metering.usage import Part, Reading, Usage

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SMALL = Usage(input_tokens=1_000_000)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue()


def cost(catalogue: Catalogue, provider: str, reading: Reading, requested: str) -> int | None:
    charge = charge_reading(catalogue, provider, reading, requested, NOON)
    return None if charge is None else charge.cost


@pytest.mark.parametrize(
    ("answered", "requested", "dollars"),
    [
        ("gpt-4o-mini-2024-07-18", "gpt-4o", "0.15"),
        ("my-deployment", "gpt-4o", "2.5"),
        ("", "gpt-4o", "2.5"),
        ("gpt-4o", "my-deployment", "2.5"),
    ],
)
def test_the_model_that_answered_is_charged_where_it_is_known(
    catalogue: Catalogue, answered: str, requested: str, dollars: str
) -> None:
    assert cost(catalogue, "openai", Reading(SMALL, model=answered), requested) == Decimal(dollars) * 10**9


def test_an_unknown_model_is_unpriced(catalogue: Catalogue) -> None:
    assert cost(catalogue, "openai", Reading(SMALL, model="mystery"), "mystery") is None
    assert cost(catalogue, "nobody", Reading(SMALL, model="gpt-4o"), "gpt-4o") is None
    assert cost(catalogue, "openai", Reading(SMALL), "") is None


def test_an_answer_without_usage_is_unpriced_and_one_that_used_nothing_costs_nothing(catalogue: Catalogue) -> None:
    assert cost(catalogue, "openai", Reading(None, model="gpt-4o"), "gpt-4o") is None
    assert cost(catalogue, "openai", Reading(Usage(), model="gpt-4o"), "gpt-4o") == 0


def test_tokens_of_a_model_priced_by_other_things_are_unpriced(catalogue: Catalogue) -> None:
    assert cost(catalogue, "openai", Reading(SMALL, model="whisper-1"), "whisper-1") is None
    assert cost(catalogue, "openai", Reading(Usage(audio_seconds=60), model="whisper-1"), "whisper-1") == 6_000_000


def test_each_part_is_charged_at_its_own_model(catalogue: Catalogue) -> None:
    million = Usage(input_tokens=1_000_000)
    reading = Reading(
        million + million,
        model="claude-sonnet-4-6",
        parts=(Part("claude-sonnet-4-6", million), Part("claude-opus-4-6", million)),
    )
    charge = charge_reading(catalogue, "anthropic", reading, "claude-sonnet-4-6", NOON)
    assert charge is not None
    assert [(line.unit, line.count, line.amount) for line in charge.lines] == [
        ("input_tokens", 1_000_000, Decimal(3)),
        ("input_tokens", 1_000_000, Decimal(5)),
    ]
    assert charge.cost == 8 * 10**9


def test_parts_at_the_same_price_are_one_line(catalogue: Catalogue) -> None:
    part = Part("claude-sonnet-4-6", Usage(input_tokens=100, output_tokens=10))
    reading = Reading(part.usage + part.usage, model=part.model, parts=(part, part))
    charge = charge_reading(catalogue, "anthropic", reading, part.model, NOON)
    assert charge is not None
    assert [(line.unit, line.count) for line in charge.lines] == [("input_tokens", 200), ("output_tokens", 20)]
    assert charge.cost == 600_000 + 300_000


def test_one_unknown_part_leaves_the_whole_unpriced(catalogue: Catalogue) -> None:
    parts = (Part("claude-sonnet-4-6", SMALL), Part("mystery", SMALL))
    reading = Reading(SMALL + SMALL, model="claude-sonnet-4-6", parts=parts)
    assert cost(catalogue, "anthropic", reading, "claude-sonnet-4-6") is None


@pytest.mark.parametrize(
    ("tier", "context", "expected"),
    [
        ("", (), ()),
        ("default", (), (("service_tier", "default"),)),
        ("FLEX", (), (("service_tier", "flex"),)),
        ("ON_DEMAND_FLEX", (), (("service_tier", "flex"),)),
        ("batch", (), (("processing", "batch"),)),
        ("standard", (("speed", "fast"),), (("service_tier", "standard"), ("speed", "fast"))),
        ("", (("speed", "fast"),), (("speed", "fast"),)),
    ],
)
def test_price_context(tier: str, context: tuple[tuple[str, str], ...], expected: tuple[tuple[str, str], ...]) -> None:
    assert price_context(Reading(SMALL, service_tier=tier, context=context)) == expected


def test_the_tier_and_the_speed_of_the_answer_choose_the_price(catalogue: Catalogue) -> None:
    assert cost(catalogue, "openai", Reading(SMALL, model="gpt-5", service_tier="flex"), "gpt-5") == 625_000_000
    million = Usage(output_tokens=1_000_000)
    fast = Reading(million, model="claude-opus-4-8", context=(("speed", "fast"),))
    assert cost(catalogue, "anthropic", fast, "") == 50 * 10**9
    assert cost(catalogue, "anthropic", Reading(million, model="claude-opus-4-8"), "") == 25 * 10**9


@pytest.mark.parametrize(
    "reading",
    [
        Reading(SMALL, model="gpt-5-mini", service_tier="flex"),
        Reading(SMALL, model="gpt-5-mini", service_tier="batch"),
        Reading(SMALL, model="claude-opus-4-6", service_tier="standard", context=(("speed", "fast"),)),
        Reading(
            SMALL + SMALL,
            model="claude-sonnet-4-5",
            parts=(Part("claude-sonnet-4-5", SMALL), Part("claude-opus-4-5", SMALL)),
        ),
    ],
)
def test_a_call_is_priced_again_from_what_its_event_keeps(catalogue: Catalogue, reading: Reading) -> None:
    basis = orjson.loads(orjson.dumps(basis_of(reading)))
    assert basis
    assert reading.usage is not None
    again = reading_of(reading.usage, reading.model, basis)
    provider = "anthropic" if "claude" in reading.model else "openai"
    assert cost(catalogue, provider, again, "") == cost(catalogue, provider, reading, "")


@pytest.mark.parametrize("tier", ["", "default", "standard", "on_demand", "auto"])
def test_an_ordinary_call_keeps_nothing(catalogue: Catalogue, tier: str) -> None:
    reading = Reading(SMALL, model="gpt-5-mini", service_tier=tier)
    assert basis_of(reading) == {}
    assert cost(catalogue, "openai", reading, "") == cost(catalogue, "openai", reading._replace(service_tier=""), "")
