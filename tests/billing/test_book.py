"""The price book's arithmetic: rules, dates and precedence, and the lists' own prices where there is no rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from genai_prices.types import Tier, TieredPrices
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.book import Dated, Lists, PriceBook, reduced
from billing.cards import BEGINNING, END, Context
from billing.catalogue import Catalogue
from billing.reading import charge_reading
from billing.rules import ALIAS, DISCOUNT, PRICE, Rule, tiers_of
from billing.worst_case import worst_case
from metering.bounds import Bound
from metering.usage import Reading, Usage
from tests.billing.test_against_library import CONTEXTS, sample, usages

CATALOGUE = Catalogue()
LISTS = Lists([Dated(BEGINNING, CATALOGUE)])
START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MINI = "gpt-4.1-mini"
IN, OUT = Usage(input_tokens=10**6), Usage(output_tokens=10**6)
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
PRICES = st.decimals("0", "1000", places=6)


def rule(kind: str = PRICE, model: str = MINI, *, workspace: str = "w", **facts: object) -> Rule:
    facts = {"id": "r", "provider": "openai", "starts": START} | facts
    return Rule(workspace=workspace, kind=kind, model=model, **facts)  # type: ignore[arg-type]


def price(dollars: str | int | Decimal, key: str = "input_mtok", **facts: object) -> Rule:
    return rule(prices=((key, Decimal(dollars)),), **facts)  # type: ignore[arg-type]


def book(*rules: Rule, common: tuple[Rule, ...] = ()) -> PriceBook:
    return PriceBook(LISTS, common).for_workspace(rules)


def dollars(
    found: PriceBook, usage: Usage = IN, model: str = MINI, moment: datetime = START, context: Context = ()
) -> Decimal | None:
    card = found.rate_card("openai", model, moment, context)
    return None if card is None else Decimal(card.charge(usage).cost).scaleb(-9)


@settings(max_examples=300)
@given(pair=st.sampled_from(sample()), usage=usages(), moment=MOMENTS, context=st.sampled_from(CONTEXTS))
def test_without_a_rule_a_book_is_its_list(
    pair: tuple[object, object], usage: Usage, moment: datetime, context: Context
) -> None:
    provider, model = pair[0].id, pair[1].id  # type: ignore[attr-defined]
    listed = CATALOGUE.rate_card(provider, model, moment, context)
    assert listed is not None
    elsewhere = rule(DISCOUNT, "*-no-such-model", percent=Decimal(50))
    for found in (PriceBook(LISTS), book(elsewhere)):
        card = found.rate_card(provider, model, moment, context)
        assert card is not None
        assert card.charge(usage) == listed.charge(usage)
        assert (card.source, card.version, card.window) == (listed.source, listed.version, listed.window)


@settings(max_examples=200)
@given(
    pair=st.sampled_from(sample()),
    usage=usages(),
    moment=MOMENTS,
    context=st.sampled_from(CONTEXTS),
    percent=st.decimals("-100", "100", places=4),
)
def test_a_discount_takes_its_share_of_every_line(
    pair: tuple[object, object], usage: Usage, moment: datetime, context: Context, percent: Decimal
) -> None:
    provider, model = pair[0].id, pair[1].id  # type: ignore[attr-defined]
    listed = CATALOGUE.rate_card(provider, model, moment, context)
    everything = rule(DISCOUNT, "", provider="", percent=percent, starts=BEGINNING)
    card = book(everything).rate_card(provider, model, moment, context)
    assert listed is not None
    assert card is not None
    before, after = listed.charge(usage), card.charge(usage)
    assert [line.count for line in after.lines] == [line.count for line in before.lines]
    for old, new in zip(before.lines, after.lines, strict=True):
        # A price an hour is charged by the second: its amount is a quotient, exact to 28 digits.
        assert abs(new.amount - old.amount * (100 - percent) / 100) <= abs(new.amount) * Decimal("1e-24")


@given(PRICES, PRICES, st.integers(0, 10**7), st.integers(0, 10**7))
def test_own_prices_are_charged_exactly(first: Decimal, second: Decimal, read: int, written: int) -> None:
    found = book(rule(prices=(("input_mtok", first), ("output_mtok", second))))
    listed = {"cache_read_mtok", "web_searches_kcount"}
    card = found.rate_card("openai", MINI, START)
    assert card is not None
    charge = card.charge(Usage(input_tokens=read, output_tokens=written))
    assert sum(line.amount for line in charge.lines) == (first * read + second * written) / 10**6
    quote = found.quote("openai", MINI, START)
    assert {key for key, (_, origin) in quote.units.items() if origin is None} >= listed


@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.none() | st.integers(1, 20), st.booleans(), PRICES), min_size=1, max_size=8
    ),
    st.integers(-1, 45),
)
def test_the_rule_that_started_last_and_has_not_ended_counts(
    rows: list[tuple[int, int | None, bool, Decimal]], day: int
) -> None:
    rules = [
        price(
            amount,
            id=f"{number:02}",
            workspace="w" if own else "",
            starts=START + start * DAY,
            ends=END if length is None else START + (start + length) * DAY,
        )
        for number, (start, length, own, amount) in enumerate(rows)
    ]
    found = book(*(one for one in rules if one.workspace), common=tuple(one for one in rules if not one.workspace))
    moment = START + day * DAY
    holding = [one for one in rules if one.starts <= moment < one.ends]
    expected = max(holding, key=lambda one: (bool(one.workspace), one.starts, one.id)).prices[0][1] if holding else None
    assert dollars(found, moment=moment) == (Decimal("0.4") if expected is None else expected)
    for later in range(day, 45):  # what is remembered of one moment does not answer for another
        assert dollars(found, moment=START + later * DAY) == dollars(
            book(*(one for one in rules if one.workspace), common=tuple(one for one in rules if not one.workspace)),
            moment=START + later * DAY,
        )


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["gpt-*", "gpt-4.1*", MINI], "3"),
        (["gpt-*", "gpt-4.1*"], "2"),
        ([MINI, "gpt-4.1*"], "1"),
        (["gpt-4.1*", "gpt-5*"], "1"),
        (["GPT-4.1-MINI"], "1"),
        (["gpt-4.[1]-mini", "gpt-4?1-mini"], "0.4"),
    ],
)
def test_the_closest_name_counts(names: list[str], expected: str) -> None:
    rules = [price(str(number), id=str(number), model=name) for number, name in enumerate(names, 1)]
    assert dollars(book(*rules)) == Decimal(expected)


def test_units_of_different_rules_come_together() -> None:
    found = book(price(1, model="gpt-4.1*"), price(2, "output_mtok"), common=(price(9), price(9, "output_mtok")))
    assert [dollars(found), dollars(found, OUT)] == [1, 2]


def test_a_rule_for_the_listed_name_holds_for_its_dated_names() -> None:
    found = book(price(1))
    assert dollars(found, model="gpt-4.1-mini-2025-04-14") == 1
    assert dollars(book(price(1, model="gpt-4.1-mini-2025-04-14"))) == Decimal("0.4")


@pytest.mark.parametrize(
    ("tier", "context", "expected"),
    [
        ("batch", (("processing", "batch"),), "7"),
        ("batch", (), "1"),
        ("standard", (), "7"),
        ("standard", (("service_tier", "default"),), "7"),
        ("standard", (("service_tier", "flex"),), "1"),
        ("priority", (("service_tier", "fast"),), "7"),
        ("fast", (("speed", "fast"),), "7"),
    ],
)
def test_a_tiers_price_stands_before_that_of_every_tier(tier: str, context: Context, expected: str) -> None:
    assert dollars(book(price(1, id="1"), price(7, id="7", tier=tier)), context=context) == Decimal(expected)


def test_a_context_names_its_tiers() -> None:
    assert tiers_of((("service_tier", "flex"), ("speed", "fast"))) == {"flex", "fast"}
    assert tiers_of((("grounding", "search"),)) == {"standard"}


def test_a_discount_reaches_long_calls_and_an_own_price_holds_for_them_too() -> None:
    cheaper = rule(DISCOUNT, "gemini-2.5-pro", provider="google", percent=Decimal(20))
    flat = price(1, provider="google", model="gemini-2.5-pro")
    long = Usage(input_tokens=10**6)
    for rules, expected in (((cheaper,), Decimal(2)), ((cheaper, flat), Decimal(1))):
        card = book(*rules).rate_card("google", "gemini-2.5-pro", START)
        assert card is not None
        assert Decimal(card.charge(long).cost).scaleb(-9) == expected
    assert reduced(TieredPrices(Decimal(4), [Tier(5, Decimal(8))]), Decimal(25)) == TieredPrices(
        Decimal(3), [Tier(5, Decimal(6))]
    )


def test_an_alias_takes_its_targets_prices_and_its_own_sellers_discount() -> None:
    alias = rule(ALIAS, "chat", provider="azure", to_provider="openai", to_model=MINI)
    ten, half = (
        rule(DISCOUNT, "", provider=seller, percent=Decimal(p)) for seller, p in (("azure", 10), ("openai", 50))
    )
    own_output = price(3, "output_mtok", provider="azure", model="chat")
    found = book(alias, ten, half, price(1), own_output)
    quote = found.quote("azure", "chat", START)
    assert quote.units["input_mtok"][0] == 1
    assert quote.units["output_mtok"][0] == 3
    assert quote.units["cache_read_mtok"][0] == Decimal("0.09")
    assert quote.source == "override"


def test_an_alias_of_a_model_without_a_price_has_none() -> None:
    assert book(rule(ALIAS, MINI, to_provider="openai", to_model="gone")).rate_card("openai", MINI, START) is None


def test_the_sandbox_keeps_its_prices() -> None:
    found = book(rule(DISCOUNT, "", provider="", percent=Decimal(50)))
    card = found.rate_card("sandbox", "sandbox-small", START)
    assert card is not None
    assert card.version == "sandbox 1"


def test_a_price_for_the_name_that_was_asked_for_counts_before_the_answers() -> None:
    reading = Reading(IN, model="gpt-4o-2024-08-06")
    reserved = price(0, provider="azure", model="my-deployment")
    charge = charge_reading(book(reserved), "azure", reading, "my-deployment", START)
    assert charge is not None
    assert (charge.cost, charge.model) == (0, "my-deployment")
    pattern = price(0, provider="azure", model="my-*")
    charge = charge_reading(book(pattern), "azure", reading, "my-deployment", START)
    assert charge is not None
    assert charge.model == "gpt-4o-2024-08-06"


def test_the_worst_case_is_the_books() -> None:
    bound = Bound(input_tokens=10**6, output_tokens=0)
    listed = worst_case(PriceBook(LISTS), "openai", MINI, START, {}, bound)
    dearer = worst_case(book(price(4)), "openai", MINI, START, {}, bound)
    assert listed is not None
    assert dearer == listed * 10


def test_a_workspaces_book_follows_the_common_one() -> None:
    common = PriceBook(LISTS)
    own = common.for_workspace([price(2, "output_mtok")])
    assert dollars(own) == Decimal("0.4")
    common.replace(LISTS, [price(5, workspace="")])
    assert [dollars(own), dollars(own, OUT), dollars(common)] == [5, 2, 5]


def test_before_the_first_version_there_is_nothing() -> None:
    later = PriceBook(Lists([Dated(START, CATALOGUE)]))
    assert dollars(later, moment=START - DAY) is None
    assert dollars(later, moment=START) == Decimal("0.4")
