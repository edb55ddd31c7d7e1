"""The pages in a real browser: nothing on the console, nothing out of the window, nothing that axe finds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from django.utils import timezone
from playwright.sync_api import Page, expect

from metering.models import BudgetPeriod
from tests.factories import ApiKeyFactory, BudgetFactory, ClientFactory
from tests.journeys.conftest import Open
from tests.ledger import event, record
from tokonomics.models import User, Workspace

pytestmark = pytest.mark.django_db(transaction=True)
PLACES = ["", "?group=model&period=90d&live=off", "events/", "events/?client=nobody&tag.env=live", "clients/"]
BUDGETED = ["", "clients/", "clients/?state=near", "keys/", "keys/new/", "clients/new/", "settings/budget/"]
Look = tuple[int, Literal["light", "dark"]]
LOOKS: list[Look] = [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")]


@pytest.fixture
def calls(workspace: Workspace) -> None:
    """Sixty calls of eight clients and nobody, over ten days until now; one unpriced, one estimated."""
    now = timezone.now()
    for number in range(8):
        ClientFactory.create(workspace=workspace, slug=f"client-{number}", name=f"A Client With A Long Name {number}")
    clients = [f"client-{number}" for number in range(8)] + ["", "nobody-knows-this-one"]
    record(
        *(
            event(
                workspace,
                client=clients[number % len(clients)],
                cost=None if number == 7 else number * 10**9,
                estimated=number == 8,
                admitted_at=now - timedelta(hours=4 * number),
                tags={"project": "chatbot", "env": "production"},
            )
            for number in range(60)
        )
    )


def sideways(page: Page) -> int:
    """How many pixels the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def faults(page: Page) -> list[str]:
    """What axe finds wrong."""
    return [f"{found['id']}: {found['nodes'][0]['html']}" for found in Axe().run(page).response["violations"]]


def look(page: Page, looks: Sequence[Look] = LOOKS) -> dict[str, tuple[int, list[str]]]:
    """A page in each look that it has: by how much it is too wide, and what axe finds."""
    found = {}
    for width, scheme in looks:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        found[f"{width} {scheme}"] = (max(0, sideways(page)), faults(page))
    return found


@pytest.mark.parametrize("place", PLACES)
def test_a_page_fits_and_is_accessible(visit: Open, alice: User, workspace: Workspace, calls: None, place: str) -> None:
    found = look(visit(f"/w/{workspace.id}/{place}", alice))
    assert found == dict.fromkeys(found, (0, []))


@pytest.fixture
def budgets(workspace: Workspace, calls: None) -> list[str]:
    """Caps and budgets in every state on clients, a key and the workspace: the pages that they stand on."""
    clients = list(workspace.clients.order_by("slug"))
    key = ApiKeyFactory.create(workspace=workspace, client=clients[0], allowed_models=["gpt-4.1*"] * 20)
    facts: list[dict[str, Any]] = [
        {"limit": 10**12},
        {"limit": 10**9},
        {"limit": 10**9, "hard": False},
        {"limit": 10**11, "paused_at": timezone.now()},
        {"raised_by": 10**9, "raised_until": timezone.now() + timedelta(days=3), "raise_reason": "a reason " * 20},
    ]
    made = [
        BudgetFactory.create(workspace=workspace, client=client, **fact)
        for client, fact in zip(clients, facts, strict=False)
    ]
    BudgetFactory.create(workspace=workspace, key=key)
    BudgetFactory.create(workspace=workspace)
    pages = [f"clients/{budget.client_id}/" for budget in made] + [f"clients/{clients[-1].pk}/", f"keys/{key.pk}/"]
    deeds = [f"budgets/{made[4].pk}/{deed}/" for deed in ("raise", "pause", "remove")]
    forms = [f"clients/{clients[0].pk}/{page}/" for page in ("budget", "edit", "archive")]
    return [*BUDGETED, *pages, *deeds, *forms, f"keys/{key.pk}/edit/"]


def test_pages_of_budgets_fit_and_are_accessible(
    visit: Open, alice: User, workspace: Workspace, budgets: list[str]
) -> None:
    for place in budgets:
        found = look(visit(f"/w/{workspace.id}/{place}", alice), [LOOKS[0], LOOKS[-1]])
        assert found == dict.fromkeys(found, (0, [])), place


@pytest.mark.parametrize("place", ["/", "/accounts/login/"])
def test_a_public_page_fits_and_is_accessible(visit: Open, place: str) -> None:
    found = look(visit(place))
    assert found == dict.fromkeys(found, (0, []))


def test_the_overview_moves_by_itself(visit: Open, alice: User, workspace: Workspace) -> None:
    page = visit(f"/w/{workspace.id}/", alice)
    expect(page.get_by_text("Waiting for your first call")).to_be_visible()
    record(event(workspace, admitted_at=timezone.now(), cost=2 * 10**9))
    expect(page.locator("#cost")).to_have_text("$2.00", timeout=10_000)
    page.locator("#days summary").click()
    record(event(workspace, admitted_at=timezone.now(), cost=10**9))
    expect(page.locator("#cost")).to_have_text("$3.00", timeout=10_000)
    expect(page.locator("#days")).to_have_attribute("open", "")
    page.get_by_role("link", name="Pause").click()
    expect(page.get_by_role("link", name="Resume")).to_be_visible()


def test_a_budget_moves_by_itself(visit: Open, alice: User, workspace: Workspace) -> None:
    client = ClientFactory.create(workspace=workspace, slug="acme-corp", name="Acme Corp")
    BudgetFactory.create(workspace=workspace, client=client, limit=10 * 10**9)
    page = visit(f"/w/{workspace.id}/clients/{client.pk}/", alice)
    bar = page.locator("#budget")
    expect(bar).to_contain_text("used: $0.00 of $10.00")
    page.locator("#pause-budget").focus()
    record(event(workspace, admitted_at=timezone.now(), cost=9 * 10**9))
    BudgetPeriod.objects.update(settled=9 * 10**9, reserved=10**9)
    expect(bar).to_contain_text("used: $9.00 of $10.00", timeout=10_000)
    expect(bar).to_contain_text("$1.00 left, all of it reserved")
    expect(page.locator("#cost")).to_have_text("$9.00", timeout=10_000)
    expect(page.locator("#pause-budget")).to_be_focused()
    page.get_by_role("link", name="Pause", exact=True).click()
    BudgetPeriod.objects.update(settled=10 * 10**9, reserved=0)
    expect(page.get_by_role("link", name="Resume")).to_be_visible()
    assert page.locator("[hx-get]").count() == 0


def test_a_cap_without_scripts(visit: Open, alice: User, workspace: Workspace) -> None:
    client = ClientFactory.create(workspace=workspace, slug="acme-corp", name="Acme Corp")
    page = visit(f"/w/{workspace.id}/clients/{client.pk}/", alice, 390, java_script_enabled=False)
    page.get_by_role("link", name="Set a cap or a budget").click()
    page.get_by_label("Limit a month").fill("300")
    page.get_by_role("button", name="Set the limit").click()
    expect(page.locator("#budget")).to_contain_text("used: $0.00 of $300.00")
    page.get_by_role("link", name="Raise cap").click()
    page.get_by_label("Raise it by").fill("60")
    page.get_by_label("Reason").fill("launch week")
    page.get_by_role("button", name="Raise the cap").click()
    expect(page.locator("#budget")).to_contain_text("of $360.00")
    page.get_by_role("link", name="Pause cap").click()
    page.get_by_role("button", name="Pause the cap").click()
    expect(page.locator("#budget")).to_contain_text("Paused")
    page.get_by_role("button", name="Resume cap").click()
    page.get_by_role("link", name="Edit cap").click()
    page.get_by_role("link", name="Remove…").click()
    page.get_by_role("button", name="Remove the cap of $300.00").click()
    expect(page.get_by_text("No cap.")).to_be_visible()


def test_the_chart_by_keyboard(visit: Open, alice: User, workspace: Workspace, calls: None) -> None:
    page = visit(f"/w/{workspace.id}/?period=7d&live=off", alice)
    page.locator("#day-1").focus()
    page.keyboard.press("End")
    expect(page.locator("#day-7")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#day-6")).to_be_focused()
    total = page.locator("#days tbody tr").nth(5).locator("td").last.text_content()
    expect(page.locator(".tip b").first).to_have_text(total or "none")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Events")).to_be_visible()


def test_a_call_opens_beside_the_list(visit: Open, alice: User, workspace: Workspace, calls: None) -> None:
    page = visit(f"/w/{workspace.id}/events/?period=7d", alice)
    second = page.locator("tbody tr").nth(1).get_by_role("link")
    second.click()
    expect(page.locator("#drawer")).to_be_focused()
    assert page.url.endswith("/?period=7d")
    assert not page.url.endswith("/events/?period=7d")
    assert faults(page) == []
    page.keyboard.press("Escape")
    expect(second).to_be_focused()
    assert page.url.endswith("/events/?period=7d")
    page.go_back()
    expect(page.locator("#drawer .total")).to_be_visible()
    expect(page.locator("tbody tr[aria-selected]")).to_have_count(1)


def test_all_of_it_without_scripts(visit: Open, alice: User, workspace: Workspace, calls: None) -> None:
    page = visit(f"/w/{workspace.id}/", alice, 390, java_script_enabled=False)
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Events").click()
    page.locator("tbody tr").first.get_by_role("link").click()
    expect(page.locator("#drawer .total")).to_be_visible()
    page.get_by_role("link", name="Close").click()
    page.get_by_text("Filter", exact=True).click()
    page.get_by_label("Client’s tag").fill("client-1")
    page.get_by_role("button", name="Show these calls").click()
    expect(page.locator(".chip")).to_contain_text("A Client With A Long Name 1")


def test_the_theme_is_remembered(visit: Open) -> None:
    page = visit("/", None, color_scheme="light")
    page.get_by_role("button", name="Switch between light and dark").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
