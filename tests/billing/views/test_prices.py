"""The pages of prices: finding a model, its price on a day, and what it rests on."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from billing.pricebook import add_alias, add_discount, add_price
from tests.ledger import event, record
from tests.metering.views.conftest import june, words
from tokonomics.models import User, Workspace

__all__ = ["june"]
pytestmark = pytest.mark.usefixtures("june")
MINI = {"provider": "openai", "model": "gpt-4.1-mini"}


def page(browser: Browser, workspace: Workspace, name: str = "prices", **query: Any) -> str:
    response = browser.get(reverse(name, args=[workspace.pk]), query)
    assert response.status_code == 200
    return words(response)


def own(workspace: Workspace, starts_at: datetime, price: str, actor: User | None = None, note: str = "") -> None:
    prices = {"input_mtok": Decimal(price)}
    add_price(
        workspace=workspace,
        provider=MINI["provider"],
        model=MINI["model"],
        prices=prices,
        starts_at=starts_at,
        note=note,
        actor=actor,
    )


def test_the_models_in_use_stand_first(as_bob: Browser, workspace: Workspace) -> None:
    record(event(workspace, model="gpt-4.1-mini"), event(workspace, model="mystery", cost=None))
    said = page(as_bob, workspace)
    assert "Models used in the last 30 days" in said
    assert "gpt-4.1-mini OpenAI · genai-prices 0.2.3 OpenAI $0.40 / 1M $1.60 / 1M genai-prices 0.2.3" in said
    assert "mystery OpenAI OpenAI Unpriced" in said


def test_a_workspace_that_has_called_nothing_is_told_so(as_bob: Browser, workspace: Workspace) -> None:
    assert "No call in 30 days" in page(as_bob, workspace)


def test_a_model_is_found_by_a_part_of_its_name(as_bob: Browser, workspace: Workspace) -> None:
    said = page(as_bob, workspace, q="GPT-4.1-mini", provider="openai")
    assert "1 model found" in said
    assert "$0.40 / 1M" in said
    assert "No model matches" in page(as_bob, workspace, q="no such model")


def test_a_model_that_calls_can_go_to_is_found_first(as_bob: Browser, workspace: Workspace) -> None:
    said = page(as_bob, workspace, q="gpt-4o-mini")
    assert 0 < said.index("gpt-4o-mini OpenAI") < said.index("gpt-4o-mini github-copilot")


def test_a_model_of_the_workspaces_own_is_found(as_bob: Browser, workspace: Workspace, charlie: User) -> None:
    for tenant, model in ((workspace, "llama-own"), (charlie.memberships.get().workspace, "llama-theirs")):
        prices = {"input_mtok": Decimal(1), "output_mtok": Decimal(2)}
        add_price(workspace=tenant, provider="own/vllm", model=model, prices=prices, actor=None)
    said = page(as_bob, workspace, provider="own/vllm")
    assert "llama-own vllm · own price vllm $1.00 / 1M $2.00 / 1M own price" in said
    assert "llama-theirs" not in said


def test_found_models_come_in_pages(as_bob: Browser, workspace: Workspace) -> None:
    said = page(as_bob, workspace, provider="openrouter", page=2)
    assert "51 – 100 of" in said


def test_a_price_says_for_each_unit_where_it_is_from(as_bob: Browser, workspace: Workspace, alice: User) -> None:
    own(workspace, datetime(2026, 6, 1, 10, tzinfo=UTC), "0.3", alice, "Contract 7")
    add_discount(workspace=workspace, percent=Decimal(10), starts_at=datetime(2026, 6, 1, tzinfo=UTC), actor=alice)
    said = page(as_bob, workspace, "price", **MINI)
    assert "Price at 16:32:07 on 23 June 2026 Europe/Vienna" in said
    assert "Input own price $0.30 / 1M own price" in said
    assert "Output genai-prices 0.2.3, 10 % off list prices $1.44 / 1M" in said
    assert "Price Input $0.30 / 1M. By alice@example.com on 23 June 2026, from 1 June 2026 on: Contract 7 " in said
    assert "Discount 10 % off list prices. By alice@example.com" in said


def test_a_price_can_be_seen_on_any_day(as_bob: Browser, workspace: Workspace) -> None:
    own(workspace, datetime(2026, 6, 10, tzinfo=UTC), "0.3")
    assert "Input genai-prices 0.2.3 $0.40 / 1M" in page(as_bob, workspace, "price", day="2026-06-09", **MINI)
    said = page(as_bob, workspace, "price", day="2026-06-11", **MINI)
    assert "Price at 12:00:00 on 11 June 2026" in said
    assert "Input own price $0.30 / 1M" in said


def test_the_history_has_every_change(as_bob: Browser, workspace: Workspace) -> None:
    own(workspace, datetime(2026, 6, 10, tzinfo=UTC), "0.3")
    own(workspace, datetime(2026, 8, 1, tzinfo=UTC), "0.2")
    history = page(as_bob, workspace, "price", **MINI).partition("History")[2]
    changes = ("1 August 2026 open", "10 June 2026 1 August 2026", "the beginning 10 June 2026")
    first, second, third = (history.index(text) for text in changes)
    assert first < second < third
    assert history.index("$0.20") < history.index("$0.30") < history.index("$0.40")


def test_a_lists_own_dates_are_in_the_history(as_bob: Browser, workspace: Workspace) -> None:
    history = page(as_bob, workspace, "price", provider="openai", model="o3").partition("History")[2]
    assert "10 June 2025 open Input $2.00 / 1M" in history
    assert "the beginning 10 June 2025 Input $10.00 / 1M" in history


def test_long_calls_and_tiers_have_their_prices(as_bob: Browser, workspace: Workspace) -> None:
    said = page(as_bob, workspace, "price", provider="google", model="gemini-2.5-pro")
    assert "$1.25 / 1M over 200,000 input tokens $2.50 / 1M" in said
    november = {"provider": "google", "model": "gemini-2.5-pro", "tier": "batch", "day": "2026-11-25"}
    batch = page(as_bob, workspace, "price", **november)
    assert "$0.625 / 1M over 200,000 input tokens $1.25 / 1M" in batch
    assert "Standard Batch" in batch


def test_an_alias_says_what_it_is_priced_as(as_bob: Browser, workspace: Workspace) -> None:
    add_alias(
        workspace=workspace, provider="azure", model="chat", to_provider="openai", to_model="gpt-4.1-mini", actor=None
    )
    said = page(as_bob, workspace, "price", provider="azure", model="chat")
    assert "Alias Priced as gpt-4.1-mini. By Tokonomics" in said
    assert "Output genai-prices 0.2.3 $1.60 / 1M" in said


def test_a_model_without_a_price_says_what_that_means(as_bob: Browser, workspace: Workspace) -> None:
    said = page(as_bob, workspace, "price", provider="openai", model="<mystery>")
    assert "This model has no price on this day. Calls to it pass unpriced, and are refused under a cap." in said
    assert "&lt;mystery&gt;" in said


def test_without_a_model_there_is_nothing_to_show(as_bob: Browser, workspace: Workspace) -> None:
    response = as_bob.get(reverse("price", args=[workspace.pk]), {"provider": "openai"})
    assert response.url == reverse("prices", args=[workspace.pk])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "query",
    [{"day": "0001-01-01"}, {"day": "9999-12-31"}, {"day": "soon"}, {"tier": "turbo"}, {"page": "x"}, {"q": "\0"}],
)
def test_what_the_address_gets_wrong_is_left_out(as_bob: Browser, workspace: Workspace, query: dict[str, str]) -> None:
    assert page(as_bob, workspace, **query)
    assert "$0.40 / 1M" in page(as_bob, workspace, "price", **MINI, **query)


def test_only_who_may_set_prices_is_offered_to(as_bob: Browser, as_alice: Browser, workspace: Workspace) -> None:
    for name in ("prices", "price"):
        assert "Set a price" not in page(as_bob, workspace, name, **MINI)
        assert "Set a price" in page(as_alice, workspace, name, **MINI)


def test_strangers_see_nothing(as_charlie: Browser, workspace: Workspace) -> None:
    for name in ("prices", "price", "price_rules"):
        assert as_charlie.get(reverse(name, args=[workspace.pk])).status_code == 404


@pytest.mark.parametrize("rules", [1, 12])
def test_the_number_of_queries_stays(
    as_bob: Browser, workspace: Workspace, rules: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(rules):
        own(workspace, datetime(2026, 6, 1 + number, tzinfo=UTC), "0.3")
    with django_assert_num_queries(8):
        page(as_bob, workspace, q="gpt", provider="openai")
    with django_assert_num_queries(8):
        page(as_bob, workspace, "price", **MINI)
