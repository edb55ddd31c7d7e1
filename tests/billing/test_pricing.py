from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from genai_prices.types import Tier, TieredPrices
from hypothesis import given
from hypothesis import strategies as st

from billing.decomposition import tariff
from billing.money import InvalidAmount, atto_text, attos, nano_of_attos, plain_text, to_nano
from billing.pricing import Line, RateCard
from metering.usage import COUNTS, Usage

if TYPE_CHECKING:
    from billing.decomposition import Prices

EVERYTHING: Prices = {
    "input_mtok": Decimal(3),
    "cache_read_mtok": Decimal("0.3"),
    "cache_write_mtok": Decimal("3.75"),
    "cache_write_1h_mtok": Decimal(6),
    "cache_audio_read_mtok": Decimal("0.8"),
    "input_audio_mtok": Decimal(8),
    "input_image_mtok": Decimal(5),
    "output_mtok": Decimal(15),
    "output_reasoning_mtok": Decimal(20),
    "output_audio_mtok": Decimal(60),
    "web_searches_kcount": Decimal(10),
    "audio_hours": Decimal("0.36"),
    "input_document_kpages": Decimal(2),
    "requests_kcount": Decimal(5),
}
USAGES = st.builds(Usage, **{name: st.integers(min_value=0, max_value=2**31 - 1) for name in COUNTS})


def card(prices: Prices, least_seconds: int = 0) -> RateCard:
    return RateCard("openai", "a-model", "a-model", "catalogue", "list 1", tariff(prices, least_seconds))


def amounts(prices: Prices, usage: Usage) -> dict[str, tuple[int, str]]:
    return {line.unit: (line.count, f"{line.amount.normalize():f}") for line in card(prices).charge(usage).lines}


def test_a_plain_call() -> None:
    charge = card({"input_mtok": Decimal("2.5"), "output_mtok": Decimal(10)}).charge(Usage(1000, 200))
    assert charge.lines == (
        Line("input_tokens", 1000, Decimal("0.0000025"), Decimal("0.0025")),
        Line("output_tokens", 200, Decimal("0.00001"), Decimal("0.002")),
    )
    assert (charge.cost, charge.model, charge.source, charge.version) == (4_500_000, "a-model", "catalogue", "list 1")


def test_every_part_is_taken_out_of_its_whole_once() -> None:
    usage = Usage(
        input_tokens=1000,
        cache_read_tokens=300,
        cache_read_audio_tokens=100,
        cache_write_tokens=200,
        cache_write_1h=50,
        input_audio_tokens=150,
        input_image_tokens=10,
        output_tokens=500,
        reasoning_tokens=200,
        output_audio_tokens=100,
        web_search_requests=2,
        audio_seconds=60,
        document_pages=3,
    )
    assert amounts(EVERYTHING, usage) == {
        "input_tokens": (1000 - 300 - 200 - 50 - 10, "0.00132"),
        "cache_read_tokens": (200, "0.00006"),
        "cache_write_tokens": (150, "0.0005625"),
        "cache_write_1h_tokens": (50, "0.0003"),
        "cache_read_audio_tokens": (100, "0.00008"),
        "input_audio_tokens": (50, "0.0004"),
        "input_image_tokens": (10, "0.00005"),
        "output_tokens": (200, "0.003"),
        "reasoning_tokens": (200, "0.004"),
        "output_audio_tokens": (100, "0.006"),
        "web_search_requests": (2, "0.02"),
        "audio_seconds": (60, "0.006"),
        "document_pages": (3, "0.006"),
        "requests": (1, "0.005"),
    }


def test_a_part_without_a_price_of_its_own_costs_what_its_whole_costs() -> None:
    usage = Usage(input_tokens=1000, cache_read_tokens=300, cache_write_tokens=200, cache_write_1h=200)
    assert amounts({"input_mtok": Decimal(3)}, usage) == {"input_tokens": (1000, "0.003")}
    assert amounts({"input_mtok": Decimal(3), "cache_write_mtok": Decimal(4)}, usage) == {
        "input_tokens": (800, "0.0024"),
        "cache_write_tokens": (200, "0.0008"),
    }


def test_parts_larger_than_their_whole_leave_nothing_of_it() -> None:
    # A recorded answer of OpenRouter's: 2,161 of 2,168 tokens were both read from the cache and written to it.
    usage = Usage(input_tokens=2168, output_tokens=100, cache_read_tokens=2161, cache_write_tokens=2161)
    assert amounts({key: EVERYTHING[key] for key in ("input_mtok", "cache_read_mtok", "cache_write_mtok")}, usage) == {
        "cache_read_tokens": (2161, "0.0006483"),
        "cache_write_tokens": (2161, "0.00810375"),
    }


@pytest.mark.parametrize(
    ("input_tokens", "input_amount", "output_amount"),
    [(0, "0", "0.0015"), (200_000, "0.25", "0.0015"), (200_001, "0.5000025", "0.0015"), (500_001, "2.000004", "0.002")],
)
def test_passing_a_threshold_changes_the_price_of_the_whole_call(
    input_tokens: int, input_amount: str, output_amount: str
) -> None:
    prices: Prices = {
        "input_mtok": TieredPrices(Decimal("1.25"), [Tier(500_000, Decimal(4)), Tier(200_000, Decimal("2.5"))]),
        "output_mtok": TieredPrices(Decimal(15), [Tier(500_000, Decimal(20))]),
    }
    charge = card(prices).charge(Usage(input_tokens=input_tokens, output_tokens=100))
    by_unit = {line.unit: line.amount for line in charge.lines}
    assert by_unit.get("input_tokens", 0) == Decimal(input_amount)
    assert by_unit["output_tokens"] == Decimal(output_amount)


def test_a_price_an_hour_is_charged_by_the_second() -> None:
    charge = card({"audio_hours": Decimal("0.111")}, least_seconds=10).charge(Usage(audio_seconds=3))
    assert charge.lines[0].count == 10
    assert charge.lines[0].amount == Decimal("0.111") * 10 / 3600
    assert charge.cost == 308_333
    assert card({"audio_hours": Decimal("0.111")}, least_seconds=10).charge(Usage()).lines == ()


def test_zero_counts_make_no_lines() -> None:
    assert card({"input_mtok": Decimal(1), "web_searches_kcount": Decimal(10)}).charge(Usage()).lines == ()
    assert card({"requests_kcount": Decimal(12)}).charge(Usage()).cost == 12_000_000


def test_lines_are_rounded_together_and_once() -> None:
    prices: Prices = {"input_mtok": Decimal("0.0004"), "output_mtok": Decimal("0.0004")}
    assert card(prices).charge(Usage(1, 0)).cost == 0
    assert card(prices).charge(Usage(1, 1)).cost == 1


@given(USAGES)
def test_any_usage_has_a_cost_that_its_lines_explain(usage: Usage) -> None:
    charge = card(EVERYTHING).charge(usage)
    assert charge.cost == round(sum((line.amount for line in charge.lines), Decimal(0)) * 10**9)
    for line in charge.lines:
        assert line.count > 0
        assert line.amount == line.unit_price * line.count
    assert charge.cost > 0


@given(USAGES)
def test_more_of_a_whole_never_costs_less(usage: Usage) -> None:
    for more in (Usage(input_tokens=1), Usage(output_tokens=1), Usage(web_search_requests=1), Usage(audio_seconds=1)):
        assert card(EVERYTHING).charge(usage + more).cost >= card(EVERYTHING).charge(usage).cost


@pytest.mark.parametrize(
    ("prices", "usage", "priced"),
    [
        ({"input_mtok": Decimal(1)}, Usage(10, 10), True),
        ({"input_mtok": Decimal(1)}, Usage(), True),
        ({"audio_hours": Decimal(1)}, Usage(10, 10), False),
        ({"audio_hours": Decimal(1)}, Usage(audio_seconds=5), True),
        ({"audio_hours": Decimal(1)}, Usage(10, 10, audio_seconds=5), True),
        ({"input_mtok": Decimal(1)}, Usage(search_units=1), False),
        ({"input_mtok": Decimal(1)}, Usage(document_pages=1), False),
        ({"input_document_kpages": Decimal(1)}, Usage(document_pages=1), True),
        ({"requests_kcount": Decimal(1)}, Usage(10, 10), True),
        ({"input_mchars": Decimal(15)}, Usage(10, 10), False),
        ({"input_mchars": Decimal(15)}, Usage(), False),
        ({}, Usage(10, 10), True),
    ],
)
def test_a_card_knows_what_it_has_no_price_for(prices: Prices, usage: Usage, priced: bool) -> None:
    assert card(prices).prices(usage) is priced


@given(
    USAGES, st.sampled_from([EVERYTHING, {**EVERYTHING, "input_mtok": Decimal(1) / 3, "audio_hours": Decimal("0.111")}])
)
def test_the_texts_of_a_charge_are_its_lines(usage: Usage, prices: Prices) -> None:
    charge = card(prices).charge(usage)
    assert charge.texts() == [line.texts() for line in charge.lines]
    assert charge.cost == to_nano(sum((line.amount for line in charge.lines), Decimal(0)))


@given(st.integers(min_value=-(10**20), max_value=10**24))
def test_whole_attos_are_what_the_decimal_is(amount: int) -> None:
    dollars = Decimal(amount).scaleb(-18)
    assert attos(dollars) == amount
    assert atto_text(amount) == plain_text(dollars)
    assert nano_of_attos(amount) == to_nano(dollars)


@pytest.mark.parametrize("amount", [10**9 // 2, 3 * 10**9 // 2, 10**9 // 2 + 1, 10**9 // 2 - 1, 0])
def test_half_a_nano_dollar_is_rounded_to_even(amount: int) -> None:
    assert nano_of_attos(amount) == to_nano(Decimal(amount).scaleb(-18))


def test_a_price_without_an_end_stays_exact() -> None:
    assert attos(Decimal("0.111"), 3600) == Fraction(111 * 10**15, 3600)
    assert atto_text(attos(Decimal(2), 3)) == plain_text(Decimal(2) / 3)
    assert nano_of_attos(attos(Decimal(2), 3)) == 666_666_667


@pytest.mark.parametrize("amount", ["NaN", "Infinity"])
def test_what_is_no_amount_has_no_attos(amount: str) -> None:
    with pytest.raises(InvalidAmount):
        attos(Decimal(amount))
