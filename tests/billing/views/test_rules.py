"""Own prices, discounts and aliases on their pages."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from billing.models import PriceRule
from billing.pricebook import add_discount, add_price, book_of, end_rule, rules
from metering.usage import Usage
from tests.factories import ProviderCredentialFactory
from tests.metering.views.conftest import june, words
from tests.people import give_role
from tokonomics.models import Role, User, Workspace

__all__ = ["june"]
pytestmark = pytest.mark.usefixtures("june")
VIENNA_JULY = datetime(2026, 6, 30, 22, tzinfo=UTC)
"""The midnight with which July begins for the workspace."""
PRICE = {"provider": "openai", "model": "gpt-4.1-mini", "input_mtok": "$0.30"}


def at(name: str, workspace: Workspace, *ids: object) -> str:
    return reverse(name, args=[workspace.pk, *ids])


def post(browser: Browser, workspace: Workspace, kind: str, **fields: Any) -> str:
    return words(browser.post(at(f"{kind}_new", workspace), fields, follow=True))


def unit_price(workspace: Workspace, provider: str, model: str, moment: datetime) -> Decimal:
    card = book_of(workspace).rate_card(provider, model, moment)
    assert card is not None
    return card.charge(Usage(input_tokens=1)).lines[0].unit_price * 10**6


def test_a_price_is_set(as_alice: Browser, workspace: Workspace, alice: User) -> None:
    said = post(as_alice, workspace, "price", **PRICE, note="Contract 7")
    assert "The own price of openai gpt-4.1-mini holds from now on: input $0.30 / 1M." in said
    rule = PriceRule.objects.get()
    assert (rule.workspace, rule.made_by, rule.prices, rule.note) == (
        workspace,
        "alice@example.com",
        {"input_mtok": "0.3"},
        "Contract 7",
    )
    assert rule.starts_at == timezone.now()
    assert unit_price(workspace, "openai", "gpt-4.1-mini", timezone.now()) == Decimal("0.30")


def test_days_are_the_workspaces_own(as_alice: Browser, workspace: Workspace) -> None:
    said = post(as_alice, workspace, "price", **PRICE, first="2026-07-01", last="2026-07-31", tier="batch")
    assert "holds from its first day on" in said
    rule = PriceRule.objects.get()
    assert (rule.starts_at, rule.ends_at, rule.tier) == (VIENNA_JULY, datetime(2026, 7, 31, 22, tzinfo=UTC), "batch")
    assert "OpenAI gpt-4.1-mini Batch only 1 July 2026 – 1 August 2026" in said
    assert "to come" in said


def test_the_form_begins_with_what_the_model_costs(as_alice: Browser, workspace: Workspace) -> None:
    said = words(as_alice.get(at("price_new", workspace), {"provider": "openai", "model": "gpt-4.1-mini"}))
    assert "Now $0.40 / 1M. Empty: the list price." in said
    assert said.index("Input, per 1M tokens") < said.index("Other units") < said.index("Audio, per hour")
    html = as_alice.get(at("price_new", workspace), {"provider": "own/vllm", "model": "llama"}).content.decode()
    assert '<option value="own/vllm" selected>vllm</option>' in html
    assert 'value="llama"' in html


def test_a_change_begins_with_what_was_set(as_alice: Browser, workspace: Workspace, rule: PriceRule) -> None:
    html = as_alice.get(at("price_new", workspace), {"provider": "openai", "model": "gpt-4.1-mini"}).content.decode()
    assert 'name="input_mtok" value="0.3"' in html
    assert 'name="output_mtok" value' not in html


def test_an_own_server_can_be_chosen(as_alice: Browser, workspace: Workspace) -> None:
    ProviderCredentialFactory.create(workspace=workspace, slug="vllm", base_url="http://10.0.0.1/v1")
    fields = {"provider": "own/vllm", "model": "llama", "input_mtok": "0.1", "output_mtok": "0.2"}
    assert "holds from now on" in post(as_alice, workspace, "price", **fields)
    assert unit_price(workspace, "own/vllm", "llama", timezone.now()) == Decimal("0.1")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"input_mtok": ""}, "Give at least one price."),
        ({"input_mtok": "cheap"}, "Write an amount in US dollars, such as 2.50."),
        ({"input_mtok": "-1"}, "Give a price from 0"),
        ({"input_mtok": "NaN"}, "Give a price from 0"),
        ({"audio_hours": "x"}, "Write an amount in US dollars"),
        ({"model": ""}, "This field is required."),
        ({"model": "*"}, "A pattern needs more than a *"),
        ({"model": "unlisted"}, "give this price too, 0 where it is free"),
        ({"provider": "nobody"}, "Select a valid choice"),
        ({"tier": "turbo"}, "Select a valid choice"),
        ({"first": "1999-12-31"}, "Choose a day from 2000 to 2199."),
        ({"first": "2026-07-02", "last": "2026-07-01"}, "not before the first"),
        ({"last": "2026-06-22"}, "not before the first"),
        ({"note": "x" * 201}, "at most 200 characters"),
    ],
)
def test_a_wrong_price_sets_nothing(
    as_alice: Browser, workspace: Workspace, changes: dict[str, str], says: str
) -> None:
    assert says in post(as_alice, workspace, "price", **(PRICE | changes))
    assert not PriceRule.objects.exists()


def test_what_was_typed_stays_and_a_folded_field_with_an_error_is_open(as_alice: Browser, workspace: Workspace) -> None:
    response = as_alice.post(at("price_new", workspace), PRICE | {"audio_hours": "x"})
    html = response.content.decode()
    assert 'value="$0.30"' in html
    assert '<details class="fold" open>' in html


def test_a_discount_is_set(as_alice: Browser, workspace: Workspace) -> None:
    said = post(as_alice, workspace, "discount", percent="12.5")
    assert "Every model" in said
    assert "Discount: 12.5 % off list prices" in said
    assert unit_price(workspace, "openai", "gpt-4.1-mini", timezone.now()) == Decimal("0.35")
    assert "Give a percentage up to 100" in post(as_alice, workspace, "discount", percent="0")
    assert "Every model of OpenAI" in post(as_alice, workspace, "discount", percent="-10", provider="openai")


def test_an_alias_is_made(as_alice: Browser, workspace: Workspace) -> None:
    fields = {"provider": "azure", "model": "chat", "to_provider": "openai", "to_model": "gpt-4.1-mini"}
    assert "The alias of azure chat holds from now on: priced as gpt-4.1-mini." in post(
        as_alice, workspace, "alias", **fields
    )
    assert unit_price(workspace, "azure", "chat", timezone.now()) == Decimal("0.4")
    wrong = post(as_alice, workspace, "alias", **(fields | {"to_model": "nothing"}))
    assert "This model has no price either: name one that has." in wrong


@pytest.fixture
def rule(workspace: Workspace, alice: User) -> PriceRule:
    return add_price(
        workspace=workspace,
        provider="openai",
        model="gpt-4.1-mini",
        prices={"input_mtok": Decimal("0.3")},
        starts_at=datetime(2026, 6, 1, tzinfo=UTC),
        actor=alice,
    )


def test_a_rule_is_ended_now_or_with_a_day(as_alice: Browser, workspace: Workspace, rule: PriceRule) -> None:
    address = at("price_rule_end", workspace, rule.pk)
    assert "End the own price of openai gpt-4.1-mini" in words(as_alice.get(address))
    said = words(as_alice.post(address, {"last": "2026-06-30"}, follow=True))
    assert "The own price of openai gpt-4.1-mini ends then." in said
    assert rules().get(pk=rule.pk).until == VIENNA_JULY
    assert "has ended" in words(as_alice.post(address, {"last": ""}, follow=True))
    assert rules().get(pk=rule.pk).until == timezone.now()
    assert "It ends earlier than that." in words(as_alice.post(address, {"last": "2026-06-30"}))
    assert "It cannot end before it starts." in words(as_alice.post(address, {"last": "2026-01-01"}))
    assert "Choose a day from 2000" in words(as_alice.post(address, {"last": "2300-01-01"}))


def test_what_is_over_stands_apart(as_bob: Browser, workspace: Workspace, rule: PriceRule, alice: User) -> None:
    assert "Nothing has ended" in words(as_bob.get(at("price_rules", workspace), {"state": "ended"}))
    end_rule(rule=rule, actor=alice)
    assert "Every call is priced by the lists" in words(as_bob.get(at("price_rules", workspace)))
    assert "OpenAI gpt-4.1-mini" in words(as_bob.get(at("price_rules", workspace), {"state": "ended"}))


def test_a_rule_for_all_is_seen_but_not_ended_here(as_alice: Browser, workspace: Workspace) -> None:
    common = add_discount(workspace=None, percent=Decimal(5), actor=None)
    html = as_alice.get(at("price_rules", workspace)).content.decode()
    assert "all workspaces" in html
    assert at("price_rule_end", workspace, common.pk) not in html
    assert as_alice.post(at("price_rule_end", workspace, common.pk)).status_code == 404


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER])
def test_who_only_reads_cannot_write(
    as_bob: Browser, bob: User, workspace: Workspace, rule: PriceRule, role: Role
) -> None:
    give_role(bob, workspace, role)
    html = as_bob.get(at("price_rules", workspace)).content.decode()
    assert "gpt-4.1-mini" in html
    assert at("price_rule_end", workspace, rule.pk) not in html
    assert at("price_new", workspace) not in html
    for kind in ("price", "discount", "alias"):
        assert as_bob.get(at(f"{kind}_new", workspace)).status_code == 403
        assert as_bob.post(at(f"{kind}_new", workspace), PRICE).status_code == 403
    assert as_bob.post(at("price_rule_end", workspace, rule.pk)).status_code == 403
    assert PriceRule.objects.count() == 1


def test_another_workspaces_rule_is_not_there(
    as_charlie: Browser, charlie: User, workspace: Workspace, rule: PriceRule
) -> None:
    theirs = charlie.memberships.get().workspace
    assert as_charlie.post(at("price_rule_end", theirs, rule.pk)).status_code == 404
    assert as_charlie.post(at("price_new", workspace), PRICE).status_code == 404
    assert "gpt-4.1-mini" not in words(as_charlie.get(at("price_rules", theirs)))


@pytest.mark.parametrize("number", [1, 60])
def test_the_list_comes_in_pages_and_takes_as_many_queries(
    as_bob: Browser, workspace: Workspace, number: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for percent in range(1, number + 1):
        add_discount(workspace=workspace, percent=Decimal(percent), actor=None)
    with django_assert_num_queries(6):
        said = words(as_bob.get(at("price_rules", workspace)))
    assert said.count("% off list prices") == min(number, 50)
    assert ("51 – 60 of 60 rules" in words(as_bob.get(at("price_rules", workspace), {"page": 2}))) == (number == 60)
