"""The gateway's prices: what is laid down reaches it by notice, and its calls are priced by it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from billing import price_files
from billing.book import PriceBook
from billing.catalogue import Catalogue
from billing.models import PriceList, PriceRule
from billing.price_lists import import_list
from billing.pricebook import add_discount, add_price, end_rule
from billing.rules import DISCOUNT, Rule
from metering.gateway.directory import Directory
from metering.models import ApiKey
from metering.recording.orphans import orphan
from metering.usage import Usage
from tests.metering.gateway.conftest import KEY as HELD_KEY
from tests.metering.gateway.conftest import Running
from tests.metering.gateway.test_directory import KEY, elsewhere, key, look_up, run, until
from tests.upstreams.provider import Provider
from tokonomics.crypto import digest

__all__ = ["key"]
MODEL = ("openai", "gpt-4.1-mini")
MILLION_IN = Usage(input_tokens=1_000_000)
HOUR = timedelta(hours=1)


def cost(directory: Directory) -> tuple[int, str]:
    """What a million tokens of input cost the key of the test now, in cents, and the version of that price."""
    found = directory.find(digest(KEY))
    assert found is not None
    book = found.workspace.prices or directory.prices.book
    card = book.rate_card(*MODEL, timezone.now())
    assert card is not None
    return card.charge(MILLION_IN).cost // 10**7, card.version


def own(key: ApiKey, price: str = "0.30") -> PriceRule:
    prices = {"input_mtok": Decimal(price)}
    return add_price(workspace=key.workspace, provider=MODEL[0], model=MODEL[1], prices=prices, actor=None)


def dearer(starts_at: datetime | None = None) -> PriceList:
    """A version in which gpt-4.1-mini costs a dollar."""
    raw = price_files.installed().replace(b'"input_mtok":"0.4","cache_read_mtok":"0.1"', b'"input_mtok":"1"')
    assert raw != price_files.installed()
    return import_list(source="genai-prices", version="9.9", content=raw, origin="test", starts_at=starts_at)


@pytest.mark.django_db(transaction=True)
class TestNotices:
    def test_a_workspace_without_rules_shares_the_common_book(self, key: ApiKey) -> None:
        async def test(directory: Directory) -> None:
            found = await look_up(directory, KEY)
            assert found is not None
            assert found.workspace.prices is None
            assert cost(directory) == (40, "genai-prices 0.2.3")

        run(test)

    def test_a_price_is_there_at_once_and_gone_when_it_ends(self, key: ApiKey) -> None:
        async def test(directory: Directory) -> None:
            await look_up(directory, KEY)
            rules: list[PriceRule] = []
            await elsewhere(lambda: rules.append(own(key)))
            await until(lambda: cost(directory) == (30, f"genai-prices 0.2.3, price {rules[0].pk}"))
            await elsewhere(lambda: end_rule(rule=rules[0], actor=None))
            await until(lambda: cost(directory) == (40, "genai-prices 0.2.3"))

        run(test)

    def test_a_discount_for_all_reaches_every_book(self, key: ApiKey) -> None:
        async def test(directory: Directory) -> None:
            await elsewhere(
                lambda: add_discount(workspace=key.workspace, model="gpt-4o*", percent=Decimal(1), actor=None)
            )
            found = await look_up(directory, KEY)
            assert found is not None
            assert found.workspace.prices is not None
            assert cost(directory)[0] == 40
            await elsewhere(lambda: add_discount(workspace=None, percent=Decimal(50), actor=None))
            await until(lambda: cost(directory)[0] == 20)

        run(test)

    def test_an_imported_version_counts_from_its_moment_on(self, key: ApiKey) -> None:
        async def test(directory: Directory) -> None:
            await look_up(directory, KEY)
            await elsewhere(lambda: dearer(timezone.now() - HOUR))
            await until(lambda: cost(directory) == (100, "genai-prices 9.9"))
            before = directory.prices.book.rate_card(*MODEL, timezone.now() - 2 * HOUR)
            assert before is not None
            assert before.version == "genai-prices 0.2.3"

        run(test)

    def test_a_running_call_keeps_the_price_of_its_admission(self, key: ApiKey) -> None:
        async def test(directory: Directory) -> None:
            await look_up(directory, KEY)
            admitted = timezone.now()
            prices = {"input_mtok": Decimal(9)}
            await elsewhere(
                lambda: add_price(
                    workspace=None,
                    provider=MODEL[0],
                    model=MODEL[1],
                    prices=prices,
                    starts_at=admitted - HOUR,
                    actor=None,
                )
            )
            await until(lambda: cost(directory)[0] == 900)
            held = directory.prices.book.rate_card(*MODEL, admitted)
            assert held is not None
            assert held.charge(MILLION_IN).cost // 10**7 == 40

        run(test)

    def test_what_was_laid_down_before_the_start_is_there_with_the_first_key(self, key: ApiKey) -> None:
        dearer(timezone.now() - HOUR)
        rule = own(key, "0.55")

        async def test(directory: Directory) -> None:
            await look_up(directory, KEY)
            assert cost(directory) == (55, f"genai-prices 9.9, price {rule.pk}")

        run(test)

    def test_cards_are_kept_where_nothing_has_changed(self, key: ApiKey) -> None:
        own(key)

        async def test(directory: Directory) -> None:
            first = await look_up(directory, KEY)
            await directory.load_prices()
            await directory.load([digest(KEY)])
            second = directory.find(digest(KEY))
            assert first is not None
            assert second is not None
            assert first is not second
            assert first.workspace.prices is second.workspace.prices

        run(test)

    def test_a_list_that_cannot_be_read_is_passed_over(self, key: ApiKey, caplog: pytest.LogCaptureFixture) -> None:
        PriceList.objects.create(
            source="genai-prices", version="8", starts_at=timezone.now(), content=b"?", models_count=0
        )

        async def test(directory: Directory) -> None:
            await look_up(directory, KEY)
            assert cost(directory) == (40, "genai-prices 0.2.3")

        run(test)
        assert "genai-prices 8 cannot be read" in caplog.text


def priced(gateway: Running, make: Callable[[PriceBook], PriceBook]) -> None:
    """Give the workspace of the gateway's key a book of its own."""
    workspace = gateway.gateway.directory.keys[digest(HELD_KEY)].workspace
    workspace.prices = make(gateway.gateway.directory.prices.book)


@pytest.fixture
def half_price(gateway: Running) -> Running:
    """A gateway whose workspace pays half of the list's prices."""
    half = Rule("half", "w", DISCOUNT, "openai", "", datetime(2020, 1, 1, tzinfo=UTC), percent=Decimal(50))
    priced(gateway, lambda book: book.for_workspace([half]))
    return gateway


BODY = '{"model":"gpt-4.1-mini","messages":[]}'


def test_a_call_is_priced_by_its_workspaces_book(half_price: Running, provider: Provider) -> None:
    answer = half_price.call("/proxy/openai/chat/completions", BODY)
    answer.read()
    (result,) = half_price.wait(lambda: half_price.records("result"))
    usage = Usage.from_counts(result["usage"])
    listed = Catalogue().rate_card("openai", result["model"], timezone.now())
    assert listed is not None
    assert result["cost"] * 2 == listed.charge(usage).cost > 0
    assert (result["cost_source"], result["price_version"]) == ("override", "genai-prices 0.2.3, discount half")


def test_an_intent_says_what_its_estimate_was_priced_by(half_price: Running, provider: Provider) -> None:
    half_price.call("/proxy/openai/chat/completions", BODY).read()
    (intent,) = half_price.wait(lambda: half_price.records("intent"))
    adopted = orphan(intent)
    assert (adopted["cost_source"], adopted["price_version"]) == ("override", "genai-prices 0.2.3, discount half")


def test_a_declared_call_is_priced_by_its_workspaces_book(half_price: Running) -> None:
    body = '{"model":"openai/gpt-4.1-mini","input_tokens":1000000,"output_tokens":0}'
    assert b'"cost_usd":"0.2"' in half_price.call("/proxy/usage", body).read()
    body = '{"model":"gpt-4.1-mini","input_tokens":1000000,"output_tokens":0}'
    assert b'"cost_usd":"0.2"' in half_price.call("/proxy/usage", body).read()
