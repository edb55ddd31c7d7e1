from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests.factories import BudgetFactory, ClientFactory
from tests.ledger import NOON, event, record
from tests.metering.views.conftest import words
from tokonomics.models import User, Workspace

pytestmark = pytest.mark.usefixtures("june")


@pytest.fixture
def url(workspace: Workspace) -> str:
    return f"/w/{workspace.id}/"


@pytest.fixture
def calls(workspace: Workspace, stranger: Workspace) -> None:
    ClientFactory.create(workspace=workspace, slug="acme-corp", name="Acme Corp")
    record(
        event(stranger, client="their-client", model="their-model", cost=10**15),
        event(workspace, cost=300_000_000_000, model="gpt-4.1"),
        event(workspace, cost=75_000_000_000, client="halcyon", estimated=True),
        event(workspace, cost=25_000_000_000, client="", admitted_at=NOON - timedelta(days=2)),
        event(workspace, cost=None, model="mystery"),
        event(workspace, cost=200_000_000_000, admitted_at=NOON - timedelta(days=31)),
    )


def poll(browser: Client, page: str) -> str:
    """The address that a page polls."""
    found = re.search(r'hx-get="([^"]+/live/[^"]*)"', page)
    assert found
    return found[1].replace("&amp;", "&")


@pytest.mark.usefixtures("calls")
def test_the_month_in_figures(as_alice: Client, url: str) -> None:
    text = words(as_alice.get(url))
    assert "1 – 23 June, Vienna" in text
    assert "Cost $400.00 ▲ 100 % against $200.00 , 1 – 23 May" in text
    assert "Calls 4 ▲ 300 % against 1" in text
    assert "Unattributed 6.2 % $25.00 , 1 call" in text
    assert "Unpriced calls 1 25 % estimated" in text


@pytest.mark.usefixtures("calls")
def test_each_client_with_its_share(as_alice: Client, url: str) -> None:
    text = words(as_alice.get(url))
    assert "Acme Corp 75 %, 2 calls $300.00 75 % ▲ 50 % 2,400 2 1 0" in text
    assert "halcyon unconfirmed 19 %, 1 call $75.00 19 % new 1,200 1 0 1" in text
    assert "Unattributed 1 call without a client $25.00 6.2 % new 1,200 1 0 0" in text
    assert "2 clients $400.00 100 % ▲ 100 % 4,800 4 1 1" in text


@pytest.mark.usefixtures("calls")
def test_each_model(as_alice: Client, url: str) -> None:
    text = words(as_alice.get(url))
    assert "gpt-4.1 openai, 1 call openai $300.00 75 % new" in text
    assert "mystery openai, 1 call openai Unpriced 0 % –" in text


@pytest.mark.usefixtures("calls")
def test_the_last_calls_newest_first(as_alice: Client, url: str) -> None:
    text = words(as_alice.get(url))
    assert "14:00:00 halcyon · gpt-4.1-mini" in text
    assert text.index("14:00:00 Acme Corp · gpt-4.1") < text.index("21 June, 14:00:00 Unattributed · gpt-4.1-mini")


@pytest.mark.usefixtures("calls")
def test_the_table_behind_the_chart(as_alice: Client, url: str) -> None:
    text = words(as_alice.get(url))
    assert "Day Acme Corp halcyon Unattributed Total 1 June $0.00 $0.00 $0.00 $0.00" in text
    assert "23 June so far $300.00 $75.00 $0.00 $375.00" in text
    assert "24 June" not in text


@pytest.mark.usefixtures("calls")
def test_numbers_lead_to_their_calls(as_alice: Client, url: str) -> None:
    page = as_alice.get(f"{url}?period=7d").content.decode()
    assert f'href="{url}events/?period=7d&amp;client=halcyon"' in page
    assert f'href="{url}events/?period=7d&amp;unattributed=1"' in page
    assert f'href="{url}events/?period=7d&amp;only=unpriced"' in page
    assert f'href="{url}events/?from=2026-06-22&amp;to=2026-06-22"' in page
    assert f'href="{url}events.csv?period=7d"' in page


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize(
    ("group", "bands"),
    [("model", ["mystery", "gpt-4.1-mini", "gpt-4.1"]), ("provider", ["openai"]), ("nonsense", ["Unattributed"])],
)
def test_the_chart_by_other_groups(as_alice: Client, url: str, group: str, bands: list[str]) -> None:
    page = as_alice.get(url, {"group": group}).content.decode()
    legend = page[page.index('class="legend"') : page.index("</ul>", page.index('class="legend"'))]
    assert [name for name in re.findall(r'title="([^"$]+)"', legend) if name in bands] == bands


def test_nothing_of_another_tenant_shows(as_alice: Client, url: str, calls: None) -> None:
    page = as_alice.get(url).content.decode()
    assert "their" not in page
    assert "1,000,000" not in page


def test_the_period_before_is_chosen_in_the_address(as_alice: Client, url: str, calls: None) -> None:
    text = words(as_alice.get(url, {"period": "last-month"}))
    assert "1 – 31 May, Vienna" in text
    assert "Cost $200.00 no calls 1 – 30 April" in text
    assert "Live" not in text


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"period": "year"}, "Choose one of month, last-month, 7d, 30d, 90d."),
        ({"from": "2026-06-31"}, "Write a date as 2026-06-23, not '2026-06-31'."),
    ],
)
def test_a_period_that_is_none(as_alice: Client, url: str, query: dict[str, str], message: str) -> None:
    response = as_alice.get(url, query)
    assert response.status_code == 400
    assert message in words(response)


def test_the_first_call_is_waited_for(as_alice: Client, url: str) -> None:
    response = as_alice.get(url)
    assert "Waiting for your first call" in words(response)
    assert "/proxy/sandbox/chat/completions" in response.content.decode()
    assert poll(as_alice, response.content.decode()).startswith(f"{url}live/?known=")


def test_a_period_without_calls_leads_to_the_last_one(as_alice: Client, url: str, workspace: Workspace) -> None:
    record(event(workspace, admitted_at=NOON - timedelta(days=100)))
    response = as_alice.get(url)
    assert "No calls in this period" in words(response)
    assert 'href="?from=2026-03-15&amp;to=2026-03-15"' in response.content.decode()


def test_polling_answers_nothing_until_a_call_arrives(as_alice: Client, url: str, workspace: Workspace) -> None:
    record(event(workspace, cost=10**9))
    address = poll(as_alice, as_alice.get(url).content.decode())
    assert as_alice.get(address).status_code == 204
    (new,) = record(event(workspace, cost=10**9, admitted_at=NOON + timedelta(minutes=5)))
    response = as_alice.get(address)
    assert "Cost $2.00" in words(response)
    rows = re.findall(r'<tr class="fresh">.*?call-([0-9a-f-]+)', response.content.decode(), re.DOTALL)
    assert rows == [str(new.id)]
    assert as_alice.get(poll(as_alice, response.content.decode())).status_code == 204


def test_pause_is_an_address(as_alice: Client, url: str, workspace: Workspace) -> None:
    record(event(workspace))
    page = as_alice.get(url, {"live": "off", "group": "model"}).content.decode()
    assert "hx-get" not in page
    assert 'id="resume" href="?group=model"' in page


@pytest.mark.usefixtures("calls")
def test_budgets_of_the_clients_and_of_all(as_bob: Client, url: str, workspace: Workspace) -> None:
    acme = workspace.clients.get(slug="acme-corp")
    BudgetFactory.create(workspace=workspace, client=acme, limit=1000 * 10**9)
    budget = BudgetFactory.create(workspace=workspace, limit=500 * 10**9, hard=False)
    response = as_bob.get(url)
    text, page = words(response), response.content.decode()
    assert "Acme Corp 75 %, 2 calls · 30 % of $1,000.00 cap $300.00" in text
    assert "Budget: Ada's Agency: 80 % used: $400.00 of $500.00 , resets 1 July" in text
    assert "$100.00 left. It only warns: calls go on when it is used up." in text
    assert f'href="{url}clients/{acme.pk}/"' in page
    assert f'hx-get="{url}budgets/{budget.pk}/live/?known=' in page
    assert "Raise budget" not in text


@pytest.mark.parametrize("calls", [1, 3])
def test_the_page_takes_constant_queries(
    as_alice: Client, url: str, workspace: Workspace, calls: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(calls):
        client = ClientFactory.create(workspace=workspace, slug=f"c{number}")
        BudgetFactory.create(workspace=workspace, client=client)
        record(event(workspace, client=f"c{number}", model=f"m{number}"))
    BudgetFactory.create(workspace=workspace)
    as_alice.get(url)
    with django_assert_num_queries(21):
        as_alice.get(url)


def test_polling_takes_four_queries(
    as_alice: Client, url: str, workspace: Workspace, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    record(event(workspace))
    address = poll(as_alice, as_alice.get(url).content.decode())
    with django_assert_num_queries(4):  # session, user, membership, pulse
        as_alice.get(address)


@pytest.mark.parametrize("path", ["", "live/", "events/", "events.csv", "clients/"])
def test_strangers_find_nothing(as_charlie: Client, client: Client, alice: User, url: str, path: str) -> None:
    assert as_charlie.get(url + path).status_code == 404
    response = client.get(url + path)
    assert (response.status_code, response["Location"]) == (302, f"/accounts/login/?next={url}{path}")


@pytest.mark.parametrize("path", ["", "live/", "events/", "events.csv", "clients/"])
def test_viewers_may_read_and_nobody_may_post(as_bob: Client, url: str, path: str) -> None:
    assert as_bob.get(url + path).status_code == 200
    assert as_bob.post(url + path).status_code == 405
