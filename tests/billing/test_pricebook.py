"""Laying down prices, discounts and aliases, and the book that comes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction
from django.utils import timezone

from billing.models import PriceRule
from billing.pricebook import add_alias, add_discount, add_price, book_of, end_rule, rules, rules_of, seller_of
from billing.pricing import RateCard
from metering.usage import Usage
from tokonomics.models import AuditEntry, User, Workspace

MAY = datetime(2026, 5, 1, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)
JULY = datetime(2026, 7, 1, tzinfo=UTC)
THOUSAND_IN = Usage(input_tokens=1000)


def cost(card: RateCard | None, usage: Usage = THOUSAND_IN) -> int | None:
    return None if card is None else card.charge(usage).cost


def gpt(workspace: Workspace | None, moment: datetime | None = None) -> RateCard | None:
    return book_of(workspace).rate_card("openai", "gpt-4.1-mini", moment or timezone.now())


@pytest.fixture
def own_price(workspace: Workspace, alice: User) -> PriceRule:
    """Input of gpt-4.1-mini at 0.30 $ a million instead of 0.40 $, from June on."""
    return add_price(
        workspace=workspace,
        provider="openai",
        model="gpt-4.1-mini",
        prices={"input_mtok": Decimal("0.30")},
        starts_at=JUNE,
        note="Contract of May",
        actor=alice,
    )


def test_a_price_holds_from_its_start_on_and_for_its_unit_alone(workspace: Workspace, own_price: PriceRule) -> None:
    before, after = gpt(workspace, JUNE - timedelta(microseconds=1)), gpt(workspace, JUNE)
    assert (cost(before), cost(after)) == (400_000, 300_000)
    assert cost(after, Usage(output_tokens=1000)) == 1_600_000
    assert before is not None
    assert (before.source, before.version) == ("catalogue", "genai-prices 0.2.3")
    assert after is not None
    assert after.source == "override"
    assert after.version == f"genai-prices 0.2.3, price {own_price.pk}"


def test_a_price_is_its_workspaces_alone(workspace: Workspace, own_price: PriceRule, charlie: User) -> None:
    other = charlie.memberships.get().workspace
    assert cost(gpt(other, JULY)) == cost(gpt(None, JULY)) == 400_000
    assert list(rules_of(other)) == []


def test_the_workspaces_price_stands_before_that_of_all(workspace: Workspace, own_price: PriceRule) -> None:
    prices = {"input_mtok": Decimal("0.35"), "output_mtok": Decimal("1.50")}
    add_price(workspace=None, provider="openai", model="gpt-4.1-mini", prices=prices, starts_at=MAY, actor=None)
    assert cost(gpt(None, JULY)) == 350_000
    assert cost(gpt(workspace, JULY)) == 300_000
    assert cost(gpt(workspace, JULY), Usage(output_tokens=1000)) == 1_500_000


def test_a_change_is_a_new_row_and_what_ends_gives_way_to_what_was(workspace: Workspace, own_price: PriceRule) -> None:
    prices = {"output_mtok": Decimal(1)}
    rule = add_price(
        workspace=workspace,
        provider="openai",
        model="GPT-4.1-mini",
        prices=prices,
        starts_at=JULY,
        ends_at=JULY + timedelta(days=7),
        actor=None,
    )
    during, after = gpt(workspace, JULY), gpt(workspace, JULY + timedelta(days=7))
    assert (cost(during), cost(during, Usage(output_tokens=1000))) == (400_000, 1_000_000)
    assert (cost(after), cost(after, Usage(output_tokens=1000))) == (300_000, 1_600_000)
    assert {own_price, rule} == set(rules_of(workspace))


def test_an_end_is_a_row_of_its_own(workspace: Workspace, own_price: PriceRule, alice: User) -> None:
    end_rule(rule=own_price, ends_at=JULY, actor=alice)
    assert (cost(gpt(workspace, JUNE)), cost(gpt(workspace, JULY))) == (300_000, 400_000)
    assert PriceRule.objects.get(pk=own_price.pk).ends_at is None
    assert rules().get(pk=own_price.pk).until == JULY
    with pytest.raises(ValidationError, match="ends earlier"):
        end_rule(rule=own_price, actor=alice)
    end_rule(rule=own_price, ends_at=JUNE, actor=alice)
    assert cost(gpt(workspace, JUNE)) == 400_000


@pytest.mark.parametrize("change", ["update", "delete"])
def test_nothing_is_edited_behind_anybodys_back(own_price: PriceRule, change: str) -> None:
    rows = PriceRule.objects.filter(pk=own_price.pk)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        rows.update(note="another") if change == "update" else rows._raw_delete(rows.db)


def test_every_step_is_in_the_audit_log(workspace: Workspace, own_price: PriceRule, alice: User) -> None:
    end_rule(rule=own_price, ends_at=JULY, actor=alice)
    entries = list(AuditEntry.objects.filter(workspace=workspace).order_by("created_at"))
    assert [(entry.verb, entry.object_name, entry.actor) for entry in entries] == [
        ("laid down", "own price of openai gpt-4.1-mini", alice),
        ("ended", "own price of openai gpt-4.1-mini", alice),
    ]
    assert entries[0].details == {
        "starts_at": "2026-06-01T00:00:00+00:00",
        "prices_usd": {"input_mtok": "0.3"},
        "note": "Contract of May",
    }


def test_a_discount_is_off_list_prices_only(workspace: Workspace, own_price: PriceRule) -> None:
    rule = add_discount(workspace=workspace, provider="openai", percent=Decimal("12.5"), starts_at=JUNE, actor=None)
    card = gpt(workspace, JULY)
    assert (cost(card), cost(card, Usage(output_tokens=1000))) == (300_000, 1_400_000)
    assert card is not None
    assert card.version == f"genai-prices 0.2.3, discount {rule.pk}, price {own_price.pk}"
    claude = book_of(workspace).rate_card("anthropic", "claude-sonnet-4-5", JULY)
    assert claude is not None
    assert claude.source == "catalogue"


def test_the_closest_discount_counts_alone(workspace: Workspace) -> None:
    for provider, model, percent in (("", "", "1"), ("openai", "", "10"), ("openai", "gpt-4.1*", "20")):
        add_discount(
            workspace=workspace, provider=provider, model=model, percent=Decimal(percent), starts_at=MAY, actor=None
        )
    add_discount(
        workspace=None, provider="openai", model="gpt-4.1-mini", percent=Decimal(50), starts_at=MAY, actor=None
    )
    assert cost(gpt(workspace, JULY)) == 320_000
    assert cost(gpt(None, JULY)) == 200_000
    assert cost(book_of(workspace).rate_card("openai", "gpt-4o", JULY)) == 2_250_000
    assert cost(book_of(workspace).rate_card("mistral", "mistral-large-latest", JULY)) == 1_980_000


def test_a_surcharge_is_a_discount_below_zero(workspace: Workspace) -> None:
    add_discount(workspace=workspace, percent=Decimal(-10), starts_at=MAY, actor=None)
    assert cost(gpt(workspace, JULY)) == 440_000


def test_a_deployment_is_priced_as_its_model(workspace: Workspace, own_price: PriceRule) -> None:
    rule = add_alias(
        workspace=workspace,
        provider="azure",
        model="chat-*",
        to_provider="openai",
        to_model="gpt-4.1-mini",
        starts_at=JUNE,
        actor=None,
    )
    card = book_of(workspace).rate_card("azure", "chat-production", JULY)
    assert (cost(card), cost(card, Usage(output_tokens=1000))) == (300_000, 1_600_000)
    assert card is not None
    assert card.listed_as == "gpt-4.1-mini"
    assert card.version == f"genai-prices 0.2.3, alias {rule.pk}, price {own_price.pk}"
    assert book_of(workspace).rate_card("azure", "chat-production", MAY) is None


def test_an_own_servers_model_can_have_a_price(workspace: Workspace) -> None:
    prices = {"input_mtok": Decimal("0.1"), "output_mtok": Decimal("0.2"), "requests_kcount": Decimal(1)}
    add_price(workspace=workspace, provider=seller_of("vllm"), model="llama-70b", prices=prices, actor=None)
    card = book_of(workspace).rate_card("own/vllm", "llama-70b", timezone.now())
    assert cost(card, Usage(input_tokens=1000, output_tokens=1000)) == 100_000 + 200_000 + 1_000_000
    assert card is not None
    assert card.named
    assert book_of(workspace).rate_card("own/other", "llama-70b", timezone.now()) is None


def test_providers_are_named_as_in_the_catalogue() -> None:
    assert [seller_of(slug) for slug in ("openai", "xai", "gemini", "vllm")] == ["openai", "x-ai", "google", "own/vllm"]


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"prices": {}}, "prices", "at least one"),
        ({"prices": {"input_tokens": Decimal(1)}}, "prices", "There is no unit input_tokens"),
        ({"prices": {"input_mtok": Decimal(-1)}}, "input_mtok", "from 0"),
        ({"prices": {"input_mtok": Decimal("NaN")}}, "input_mtok", "from 0"),
        ({"prices": {"input_mtok": Decimal("1e-13")}}, "input_mtok", "12 decimals"),
        ({"prices": {"input_mtok": Decimal("1e10")}}, "input_mtok", "billion"),
        ({"model": " "}, "model", "Name the model"),
        ({"model": "**"}, "model", "more than a"),
        ({"model": "x" * 257}, "model", "256"),
        ({"provider": ""}, "provider", "Name the provider"),
        ({"tier": "turbo"}, "tier", "standard, batch, flex, priority, fast"),
        ({"ends_at": MAY}, "ends_at", "after it starts"),
        ({"note": "x" * 201}, "note", "200"),
        ({"model": "unlisted"}, "output_mtok", "0 where it is free"),
    ],
)
def test_a_price_that_cannot_be_is_refused(
    workspace: Workspace, changes: dict[str, object], field: str, says: str
) -> None:
    asked = {"provider": "openai", "model": "gpt-4.1-mini", "prices": {"input_mtok": Decimal(1)}, "starts_at": JUNE}
    with pytest.raises(ValidationError) as refused:
        add_price(workspace=workspace, actor=None, **(asked | changes))  # type: ignore[arg-type]
    assert says in refused.value.message_dict[field][0]
    assert not PriceRule.objects.exists()


@pytest.mark.parametrize("percent", ["0", "100.01", "-100.01", "1.00001", "NaN"])
def test_a_discount_that_cannot_be_is_refused(workspace: Workspace, percent: str) -> None:
    with pytest.raises(ValidationError) as refused:
        add_discount(workspace=workspace, percent=Decimal(percent), actor=None)
    assert set(refused.value.message_dict) == {"percent"}


@pytest.mark.parametrize(
    ("target", "says"),
    [("no-such-model", "no price either"), ("ft:mine", "itself"), ("chat", "an alias itself")],
)
def test_an_alias_that_cannot_be_is_refused(workspace: Workspace, target: str, says: str) -> None:
    add_alias(workspace=workspace, provider="openai", model="chat", to_provider="openai", to_model="gpt-4o", actor=None)
    with pytest.raises(ValidationError) as refused:
        add_alias(
            workspace=workspace, provider="openai", model="ft:mine", to_provider="openai", to_model=target, actor=None
        )
    assert says in refused.value.message_dict["to_model"][0]
