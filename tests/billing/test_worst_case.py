from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from genai_prices.types import Tier, TieredPrices
from hypothesis import given
from hypothesis import strategies as st

from billing.catalogue import Catalogue
from billing.decomposition import tariff
from billing.money import LARGEST
from billing.pricing import RateCard
from billing.worst_case import worst_case
from metering.bounds import Bound
from metering.usage import Usage

if TYPE_CHECKING:
    from billing.catalogue import Context
    from billing.decomposition import Prices

NOW = datetime(2026, 11, 23, tzinfo=UTC)
PLAIN = {"input_mtok": Decimal(2), "output_mtok": Decimal(8)}


class Listed(Catalogue):
    """A catalogue with made-up prices, by model and service tier."""

    def __init__(self, prices: dict[str, Prices]) -> None:
        super().__init__()
        self._cards = {
            name: RateCard("p", name, name, "catalogue", "list 1", tariff(one)) for name, one in prices.items()
        }

    def rate_card(self, provider: str, model: str, moment: datetime, context: Context = ()) -> RateCard | None:
        return self._cards.get(" ".join([model, *(value for _, value in context)]), self._cards.get(model))


def worst(prices: Prices, bound: Bound, **document: Any) -> int | None:
    return worst_case(Listed({"m": prices}), "p", "m", NOW, document, bound)


def per_token(usd_per_million: str) -> int:
    """Nano-USD of a token."""
    return int(Decimal(usd_per_million) * 1000)


def test_input_and_output_at_their_prices() -> None:
    assert worst(PLAIN, Bound(1_000, 500)) == 1_000 * 2_000 + 500 * 8_000


@pytest.mark.parametrize(
    ("cache", "kinds", "price"),
    [
        ("", "", "3"),
        ("short", "", "3.75"),
        ("long", "", "6"),
        ("", "image", "5"),
        ("", "audio", "8"),
        ("short", "audio", "11.75"),
        ("", "video", "3"),
    ],
)
def test_the_dearest_token_that_the_prompt_may_hold(cache: str, kinds: str, price: str) -> None:
    prices: Prices = {
        "input_mtok": Decimal(3),
        "cache_read_mtok": Decimal("0.3"),
        "cache_write_mtok": Decimal("3.75"),
        "cache_write_1h_mtok": Decimal(6),
        "cache_audio_read_mtok": Decimal("0.8"),
        "input_audio_mtok": Decimal(8),
        "input_image_mtok": Decimal("4.7"),
    }
    found = worst(prices, Bound(1_000, cache=cache, kinds=frozenset(kinds.split())))
    assert found == 1_000 * per_token(price)


@pytest.mark.parametrize("key", ["output_reasoning_mtok", "output_audio_mtok", "output_image_mtok"])
def test_the_dearest_token_that_may_be_written(key: str) -> None:
    assert worst({**PLAIN, key: Decimal(40)}, Bound(0, 10)) == 10 * 40_000
    assert worst({**PLAIN, key: Decimal(4)}, Bound(0, 10)) == 10 * 8_000


@pytest.mark.parametrize(("tokens", "price"), [(200, 2_000), (200_000, 2_000), (200_001, 4_000), (10**6, 4_000)])
def test_the_dearest_band_that_can_be_reached(tokens: int, price: int) -> None:
    tiers: Prices = {"input_mtok": TieredPrices(base=Decimal(2), tiers=[Tier(start=200_000, price=Decimal(4))])}
    assert worst(tiers, Bound(tokens)) == tokens * price
    cheaper: Prices = {"input_mtok": TieredPrices(base=Decimal(2), tiers=[Tier(start=200_000, price=Decimal(1))])}
    assert worst(cheaper, Bound(10**6)) == 10**6 * 2_000


def test_fees_of_searches_requests_and_other_counts() -> None:
    fees: Prices = {**PLAIN, "web_searches_kcount": Decimal(10), "requests_kcount": Decimal(5)}
    assert worst(fees, Bound(0, 10, searches=3)) == 80_000 + 30_000_000 + 5_000_000
    assert worst(PLAIN, Bound(0, 10, searches=3)) == 80_000 + 150_000_000
    assert worst({"audio_hours": Decimal("0.36")}, Bound(10, 10, audio_seconds=600)) == 60_000_000
    assert worst({"input_document_kpages": Decimal(2)}, Bound(document_pages=7)) == 14_000_000


@pytest.mark.parametrize(
    ("document", "price"),
    [
        ({}, 2_000),
        ({"service_tier": None}, 2_000),
        ({"service_tier": "auto"}, 2_000),
        ({"service_tier": "default"}, 2_000),
        ({"service_tier": 3}, 2_000),
        ({"service_tier": "priority"}, 5_000),
        ({"service_tier": "fast"}, 5_000),
        ({"serviceTier": "SERVICE_TIER_PRIORITY"}, 5_000),
        ({"service_tier": "flex"}, 2_000),
        ({"service_tier": "unheard-of"}, 2_000),
        ({"speed": "fast"}, 4_000),
        ({"speed": "slow"}, 2_000),
    ],
)
def test_the_tier_that_is_asked_for_counts_unless_the_usual_is_dearer(document: dict[str, Any], price: int) -> None:
    catalogue = Listed(
        {
            "m": PLAIN,
            "m priority": {"input_mtok": Decimal(5)},
            "m fast": {"input_mtok": Decimal(4)},
            "m flex": {"input_mtok": Decimal(1)},
        }
    )
    assert worst_case(catalogue, "p", "m", NOW, document, Bound(1_000)) == 1_000 * price


def test_other_models_that_may_write_count_at_their_own_price() -> None:
    catalogue = Listed({"m": PLAIN, "dear": {"input_mtok": Decimal(1), "output_mtok": Decimal(80)}})
    assert worst_case(catalogue, "p", "m", NOW, {}, Bound(0, 10, models=("dear",))) == 800_000
    assert worst_case(catalogue, "p", "m", NOW, {}, Bound(0, 10, models=("m", "unknown"))) is None


def test_what_has_no_price_has_no_worst_case() -> None:
    assert worst_case(Catalogue(), "openai", "no-such-model", NOW, {}, Bound(1)) is None
    assert worst_case(Catalogue(), "", "gpt-4.1", NOW, {}, Bound(1)) is None
    assert worst({"audio_hours": Decimal(1)}, Bound(1_000, 10)) is None
    assert worst({"input_document_kpages": Decimal(1)}, Bound(1_000, 10)) is None
    assert worst(PLAIN, Bound(document_pages=1)) is None
    assert worst({}, Bound(1_000, 10)) == 0
    assert worst({"requests_kcount": Decimal(5)}, Bound(1_000, 10)) == 5_000_000


def test_what_is_free_costs_nothing_whatever_the_model() -> None:
    assert worst_case(Catalogue(), "openai", "no-such-model", NOW, {}, Bound(requests=0)) == 0


def test_the_ledger_can_hold_any_worst_case() -> None:
    assert worst({"output_mtok": Decimal(10**9)}, Bound(2**31, 2**31 * 128)) == LARGEST


# the promise

KINDS = ("audio", "image", "video")
KEYS = (
    "input_mtok cache_read_mtok cache_write_mtok cache_write_1h_mtok cache_audio_read_mtok input_audio_mtok"
    " input_image_mtok input_video_mtok output_mtok output_reasoning_mtok output_audio_mtok output_image_mtok"
    " web_searches_kcount audio_hours input_document_kpages requests_kcount"
).split()
AMOUNTS = st.decimals(min_value=0, max_value=500, places=4)
TIERED = st.builds(
    lambda base, start, price: TieredPrices(base=base, tiers=[Tier(start=start, price=price)]),
    AMOUNTS,
    st.integers(0, 3_000),
    AMOUNTS,
)
PRICES = st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, AMOUNTS))
PRICES |= st.builds(lambda prices, tiered: prices | {"input_mtok": tiered}, PRICES, TIERED)


@st.composite
def within(draw: st.DrawFn) -> tuple[Bound, Usage]:
    """A bound, and a usage of an answer that keeps to it."""

    def some(most: int) -> int:
        return draw(st.integers(0, most))

    bound = Bound(
        some(5_000),
        some(5_000),
        kinds=draw(st.frozensets(st.sampled_from(KINDS))),
        cache=draw(st.sampled_from(["", "short", "long"])),
        searches=some(5),
        audio_seconds=some(5_000),
        document_pages=some(50),
    )
    read = some(bound.input_tokens)
    cached = some(read)
    written = some(read - cached) if bound.cache else 0
    hour = some(written) if bound.cache == "long" else 0
    audio = some(read) if "audio" in bound.kinds else 0
    image = some(read - audio) if "image" in bound.kinds else 0
    video = some(read - audio - image) if "video" in bound.kinds else 0
    wrote = some(bound.output_tokens)
    reasoning = some(wrote)
    spoken = some(wrote - reasoning)
    return bound, Usage(
        input_tokens=read,
        output_tokens=wrote,
        cache_read_tokens=cached,
        cache_write_tokens=written,
        cache_write_1h=hour,
        cache_write_5m=some(written - hour),
        cache_read_audio_tokens=some(min(cached, audio)),
        input_audio_tokens=audio,
        input_image_tokens=image,
        input_video_tokens=video,
        reasoning_tokens=reasoning,
        output_audio_tokens=spoken,
        output_image_tokens=some(wrote - reasoning - spoken),
        web_search_requests=some(bound.searches),
        audio_seconds=some(bound.audio_seconds),
        document_pages=some(bound.document_pages),
    )


@given(PRICES, within())
def test_no_answer_within_a_bound_costs_more(prices: Prices, both: tuple[Bound, Usage]) -> None:
    bound, usage = both
    most = worst(prices, bound)
    if most is not None:
        card = Listed({"m": prices}).rate_card("p", "m", NOW)
        assert card is not None
        assert card.charge(usage).cost <= most


@given(PRICES, within())
def test_what_has_a_cost_within_a_bound_has_a_worst_case(prices: Prices, both: tuple[Bound, Usage]) -> None:
    bound, usage = both
    card = Listed({"m": prices}).rate_card("p", "m", NOW)
    assert card is not None
    if worst(prices, bound) is None:
        assert card.charge(usage).cost == 0 or not card.prices(usage)
