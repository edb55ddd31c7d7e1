"""`GET /api/v1/prices`: what a model costs on a day, for the workspace of the token."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from billing.models import PriceRule
from billing.pricebook import add_discount, add_price
from tests.metering.api.conftest import TOKEN, Get, _june, get
from tests.people import signed_in
from tokonomics.models import ApiToken, User, Workspace

__all__ = ["_june", "get"]
MINI = {"provider": "openai", "model": "gpt-4.1-mini"}


START = datetime(2026, 6, 1, 10, tzinfo=UTC)
"""Noon for the workspace."""


def price(workspace: Workspace | None, key: str, dollars: str) -> PriceRule:
    prices = {key: Decimal(dollars)}
    return add_price(
        workspace=workspace, provider="openai", model="gpt-4.1-mini", prices=prices, starts_at=START, actor=None
    )


def units(body: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {unit["unit"]: (unit["price_usd"], unit["origin"]) for unit in body["units"]}


def test_a_list_price(get: Get) -> None:
    body = get("prices", MINI).json()
    assert {name: value for name, value in body.items() if name != "units"} == {
        "provider": "openai",
        "model": "gpt-4.1-mini",
        "at": "2026-06-23T14:32:07Z",
        "tier": "standard",
        "priced": True,
        "version": "genai-prices 0.2.3",
        "since": None,
        "until": "2026-10-12T00:00:00Z",
    }
    assert body["units"][0] == {
        "unit": "input_tokens",
        "per": 1000000,
        "price_usd": "0.4",
        "long": [],
        "origin": "list",
    }


def test_own_terms_and_where_they_are_from(get: Get, workspace: Workspace, charlie: User) -> None:
    own = price(workspace, "input_mtok", "0.3")
    price(None, "cache_read_mtok", "0.05")
    add_discount(workspace=workspace, percent=Decimal(10), starts_at=START, actor=None)
    theirs = charlie.memberships.get().workspace
    price(theirs, "output_mtok", "9")
    body = get("prices", MINI).json()
    found = units(body)
    assert found["input_tokens"] == ("0.3", "workspace")
    assert found["cache_read_tokens"] == ("0.05", "global")
    assert found["output_tokens"] == ("1.44", "discount")
    assert f"price {own.pk}" in body["version"]
    assert body["since"] == "2026-06-01T10:00:00Z"
    assert units(get("prices", MINI | {"day": "2026-06-01"}).json())["input_tokens"] == ("0.3", "workspace")
    assert units(get("prices", MINI | {"day": "2026-05-31"}).json())["input_tokens"] == ("0.4", "list")


def test_long_calls_and_tiers(get: Get) -> None:
    query = {"provider": "gemini", "model": "gemini-2.5-pro", "tier": "batch", "day": "2026-11-25"}
    first = get("prices", query).json()["units"][0]
    assert (first["price_usd"], first["long"]) == ("0.625", [{"over_input_tokens": 200000, "price_usd": "1.25"}])


def test_a_model_without_a_price(get: Get) -> None:
    body = get("prices", {"provider": "vllm", "model": "llama"}).json()
    assert (body["priced"], body["units"], body["version"]) == (False, [], "")


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({}, {"provider", "model"}),
        (MINI | {"day": "soon"}, {"day"}),
        (MINI | {"day": "0001-01-01"}, {"day"}),
        (MINI | {"tier": "turbo"}, {"tier"}),
        (MINI | {"modle": "x"}, {"modle"}),
    ],
)
def test_parameters_that_mean_nothing_are_refused(get: Get, query: dict[str, str], fields: set[str]) -> None:
    answer = get("prices", query)
    assert (answer.status_code, set(answer.json()["error"]["fields"])) == (400, fields)


def test_the_token_needs_its_scope(get: Get, workspace: Workspace, alice: User) -> None:
    ApiToken.objects.filter(workspace=workspace).update(scopes=["events:read"])
    assert get("prices", MINI).status_code == 403
    assert get("prices", MINI, "").status_code == 401
    assert signed_in(alice).get("/api/v1/prices", MINI).status_code == 401
    ApiToken.objects.filter(workspace=workspace).update(revoked_at=timezone.now())
    assert get("prices", MINI, TOKEN).status_code == 401


def test_it_is_in_the_document(get: Get) -> None:
    assert "/api/v1/prices:" in get("schema").content.decode()
