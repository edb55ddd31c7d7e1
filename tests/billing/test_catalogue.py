from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import genai_prices
import pytest
from genai_prices.data_snapshot import DataSnapshot
from hypothesis import given
from hypothesis import strategies as st

from billing.catalogue import LONGEST_NAME, VERSION, Catalogue, Context
from billing.pricing import RateCard

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue()


def prices(card: RateCard | None) -> dict[str, str]:
    assert card is not None
    return {rate.unit: str(rate.price) for rate in card.tariff.rates}


def test_a_card_says_where_it_comes_from(catalogue: Catalogue) -> None:
    card = catalogue.rate_card("openai", "gpt-4o-2024-08-06", NOON)
    assert card is not None
    assert (card.provider, card.model, card.listed_as) == ("openai", "gpt-4o-2024-08-06", "gpt-4o")
    assert (card.source, card.version) == ("catalogue", VERSION)
    assert VERSION == "genai-prices 0.2.3"
    assert prices(card)["input_tokens"] == "2.5"


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "no-such-model"),
        ("no-such-provider", "gpt-4o"),
        ("", ""),
        ("openai", ""),
        ("openai", "gpt-4o" + "x" * LONGEST_NAME),
        ("sandbox", "gpt-4o"),
    ],
)
def test_the_unknown_has_no_card(catalogue: Catalogue, provider: str, model: str) -> None:
    assert catalogue.rate_card(provider, model, NOON) is None
    assert catalogue.rate_card(provider, model, NOON) is None


@pytest.mark.parametrize(
    ("day", "price"), [(datetime(2025, 6, 9, tzinfo=UTC), "10"), (datetime(2025, 6, 10, tzinfo=UTC), "2")]
)
def test_a_price_holds_from_its_date_on(catalogue: Catalogue, day: datetime, price: str) -> None:
    assert prices(catalogue.rate_card("openai", "o3", day))["input_tokens"] == price


@pytest.mark.parametrize(
    ("hour", "minute", "price"),
    [(0, 29, "0.135"), (0, 30, "0.27"), (16, 29, "0.27"), (16, 30, "0.135"), (23, 59, "0.135")],
)
def test_a_price_of_the_hour_holds_in_that_hour(catalogue: Catalogue, hour: int, minute: int, price: str) -> None:
    moment = datetime(2026, 11, 20, hour, minute, tzinfo=UTC)
    assert prices(catalogue.rate_card("deepseek", "deepseek-chat", moment))["input_tokens"] == price


@pytest.mark.parametrize(
    ("provider", "model", "context", "price"),
    [
        ("openai", "gpt-5", (), "1.25"),
        ("openai", "gpt-5", (("service_tier", "flex"),), "0.625"),
        ("openai", "gpt-5", (("service_tier", "priority"),), "2.5"),
        ("openai", "gpt-5", (("service_tier", "scale"),), "1.25"),
        ("anthropic", "claude-sonnet-4-6", (("processing", "batch"),), "1.5"),
        ("azure", "gpt-5", (("service_tier", "flex"),), "1.25"),
    ],
)
def test_the_context_chooses_the_price(
    catalogue: Catalogue, provider: str, model: str, context: Context, price: str
) -> None:
    assert prices(catalogue.rate_card(provider, model, NOON, context))["input_tokens"] == price


def test_long_calls_have_prices_of_their_own(catalogue: Catalogue) -> None:
    card = catalogue.rate_card("google", "gemini-2.5-pro", NOON)
    assert card is not None
    assert [band.over for band in card.tariff.bands] == [200_000]
    assert card.tariff.rates_at(200_000)[0].price == Decimal("1.25")
    assert card.tariff.rates_at(200_001)[0].price == Decimal("2.5")


def test_the_sandbox_has_list_prices(catalogue: Catalogue) -> None:
    small = catalogue.rate_card("sandbox", "sandbox-small", NOON)
    large = catalogue.rate_card("sandbox", "sandbox-large", NOON, (("service_tier", "default"),))
    assert small is not None
    assert (small.source, small.version) == ("sandbox", "sandbox 1")
    assert prices(small) == {"input_tokens": "0.15", "cache_read_tokens": "0.075", "output_tokens": "0.60"}
    assert prices(large) == {"input_tokens": "2.50", "cache_read_tokens": "1.25", "output_tokens": "10.00"}


def test_a_card_is_looked_up_once(catalogue: Catalogue) -> None:
    card = catalogue.rate_card("openai", "gpt-4o", NOON)
    assert catalogue.rate_card("openai", "gpt-4o", NOON + timedelta(days=1)) is card


def test_the_memory_is_bounded() -> None:
    catalogue = Catalogue(remembered=10)
    for number in range(50):
        catalogue.rate_card("openai", f"no-such-model-{number}", NOON)
    assert len(catalogue._remembered) == 10
    assert catalogue.rate_card("openai", "gpt-4o", NOON) is not None


def test_the_packages_own_snapshot_changes_no_price() -> None:
    genai_prices.data_snapshot.set_custom_snapshot(DataSnapshot(providers=[], from_auto_update=True))
    try:
        assert Catalogue().rate_card("openai", "gpt-4o", NOON) is not None
    finally:
        genai_prices.data_snapshot.set_custom_snapshot(None)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([("deepseek", "deepseek-v4-pro"), ("deepseek", "deepseek-v4-flash"), ("openai", "o3")]),
            st.datetimes(datetime(2025, 6, 8), datetime(2026, 10, 20), timezones=st.sampled_from([UTC])),  # noqa: DTZ001
        ),
        max_size=8,
    )
)
def test_what_is_remembered_is_what_is_listed(
    catalogue: Catalogue, asked: list[tuple[tuple[str, str], datetime]]
) -> None:
    for (provider, model), moment in asked:
        fresh = Catalogue().rate_card(provider, model, moment)
        assert catalogue.rate_card(provider, model, moment) == fresh
