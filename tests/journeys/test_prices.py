"""The pages of prices in a real browser: nothing on the console, nothing out of the window, nothing that axe finds."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from billing.pricebook import add_alias, add_discount, add_price
from tests.journeys.conftest import Open
from tests.journeys.test_pages import look
from tests.ledger import event, record
from tokonomics.models import User, Workspace

pytestmark = pytest.mark.django_db(transaction=True)
MODEL = "provider=google&model=gemini-2.5-pro&tier=batch"
PLACES = [
    "prices/",
    "prices/?q=gpt-4",
    "prices/?q=nothing-is-called-this",
    f"prices/model/?{MODEL}",
    "prices/model/?provider=openai&model=gpt-4.1-mini",
    "prices/rules/",
    "prices/rules/?state=ended",
    f"prices/rules/new/price/?{MODEL}",
    "prices/rules/new/discount/",
    "prices/rules/new/alias/",
]


@pytest.fixture
def terms(workspace: Workspace, alice: User) -> None:
    """Calls of two models, one unpriced, and a rule of each kind."""
    record(event(workspace, model="gpt-4.1-mini"), event(workspace, model="m" * 120, cost=None))
    prices = {"input_mtok": Decimal("0.3")}
    add_price(workspace=workspace, provider="openai", model="gpt-4.1-mini", prices=prices, note="n" * 120, actor=alice)
    add_discount(workspace=None, percent=Decimal(5), actor=None)
    add_alias(
        workspace=workspace, provider="azure", model="x" * 100, to_provider="openai", to_model="gpt-4o", actor=alice
    )


@pytest.mark.parametrize("place", PLACES)
def test_a_page_of_prices_fits_and_is_accessible(
    visit: Open, alice: User, workspace: Workspace, terms: None, place: str
) -> None:
    found = look(visit(f"/w/{workspace.id}/{place}", alice))
    assert found == dict.fromkeys(found, (0, []))


def test_a_price_is_found_and_set_by_hand(visit: Open, alice: User, workspace: Workspace, terms: None) -> None:
    page = visit(f"/w/{workspace.id}/prices/", alice)
    page.get_by_role("searchbox", name="Model").fill("gpt-4o-mini")
    page.get_by_role("button", name="Find").click()
    page.locator("tbody a", has_text="gpt-4o-mini").first.click()
    page.get_by_role("link", name="Set a price").click()
    expect(page.get_by_role("textbox", name="Model")).to_have_value("gpt-4o-mini")
    page.get_by_role("textbox", name=re.compile("^Output, per 1M tokens")).fill("0.55")
    page.get_by_role("button", name="Set the price").click()
    expect(page.get_by_text("holds from now on: output $0.55 / 1M.")).to_be_visible()
