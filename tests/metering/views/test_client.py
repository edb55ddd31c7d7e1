from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client as Browser
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from metering.ledger import BudgetPeriod, DailyRefusals, Reservation
from metering.models import Client
from metering.selection import TooMuch
from metering.views import client as module
from tests.factories import ApiKeyFactory, BudgetFactory, ClientFactory
from tests.ledger import NOON, event, record
from tests.metering.views.conftest import words
from tokonomics.ids import new_id
from tokonomics.models import Membership, User, Workspace

pytestmark = pytest.mark.usefixtures("june")
DOLLAR = 10**9


@pytest.fixture
def acme(workspace: Workspace) -> Client:
    return ClientFactory.create(workspace=workspace, slug="acme-corp", name="Acme Corp")


@pytest.fixture
def url(workspace: Workspace, acme: Client) -> str:
    return f"/w/{workspace.id}/clients/{acme.pk}/"


def polls(page: str) -> list[str]:
    """The addresses that a page polls."""
    return [address.replace("&amp;", "&") for address in re.findall(r'hx-get="([^"]+/live/[^"]*)"', page)]


def test_the_budget_stands_first_in_words(as_bob: Browser, url: str, workspace: Workspace, acme: Client) -> None:
    budget = BudgetFactory.create(workspace=workspace, client=acme)
    record(event(workspace, cost=738_100_000_000))
    as_bob.get(url)
    period = BudgetPeriod.objects.get()
    BudgetPeriod.objects.update(reserved=1_840_000_000)
    for _ in range(3):
        Reservation.objects.create(
            id=new_id(),
            workspace_id=workspace.pk,
            process=new_id(),
            budgets=[budget.pk],
            starts=[period.starts_at],
            amount=1,
            intent={},
            created_at=timezone.now(),
        )
    response = as_bob.get(url)
    text, page = words(response), response.content.decode()
    assert "Cap: 82 % used: $738.10 of $900.00 , resets 1 July" in text
    assert "$161.90 left, $1.84 of it reserved by 3 running calls." in text.replace(" ,", ",")
    assert 'width="82.01%"' in page
    assert 'x="82.01%" width="0.21%"' in page
    assert 'x="100.00%" y="30" text-anchor="end">cap $900.00' in page
    assert text.index("82 % used") < text.index("Unpriced calls")


@pytest.mark.parametrize(
    ("facts", "cents", "said"),
    [
        ({}, 900_00, "100 % used: $900.00 of $900.00 , resets 1 July Calls are refused until it resets or is raised."),
        ({}, 920_00, "102 % used: $920.00 of $900.00 , resets 1 July $20.00 over its limit. Calls are refused"),
        (
            {"hard": False},
            931_62,
            "103 % used: $931.62 of $900.00 , resets 1 July $31.62 over its limit. It only",
        ),
        ({"hard": False}, 90_00, "$810.00 left. It only warns: calls go on when it is used up."),
        ({"paused_at": NOON}, 90_00, "Paused: 10 % used: $90.00 of $900.00 , resets 1 July $810.00 left. Calls pass"),
        ({"billing_day": 15}, 9_00, "1.0 % used: $9.00 of $900.00 , resets 15 July"),
    ],
)
def test_what_is_said_in_each_state(
    as_bob: Browser, url: str, acme: Client, facts: dict[str, object], cents: int, said: str
) -> None:
    BudgetFactory.create(workspace=acme.workspace, client=acme, **facts)
    record(event(acme.workspace, cost=cents * DOLLAR // 100))
    assert said in words(as_bob.get(url))


def test_a_raise_is_told(as_bob: Browser, url: str, workspace: Workspace, acme: Client) -> None:
    ends = NOON.replace(day=27, hour=22)
    budget = BudgetFactory.create(
        workspace=workspace, client=acme, raised_by=300 * DOLLAR, raised_until=ends, raise_reason="launch week"
    )
    text = words(as_bob.get(url))
    assert "0 % used: $0.00 of $1,200.00 , resets 1 July" in text
    assert "Raised by $300.00 until the end of 27 June: launch week" in text
    budget.raised_until = ends + timedelta(hours=14)
    budget.save()
    assert "until 28 June, 14:00: launch week" in words(as_bob.get(url))


def test_a_reset_is_in_the_client_s_zone(as_bob: Browser, url: str, workspace: Workspace, acme: Client) -> None:
    acme.timezone = "Pacific/Kiritimati"
    acme.save()
    BudgetFactory.create(workspace=workspace, client=acme)
    assert (
        'datetime="2026-06-30T10:00:00+00:00" title="2026-06-30 10:00:00 UTC">1 July<'
        in as_bob.get(url).content.decode()
    )


def test_who_may_change_it(as_bob: Browser, as_alice: Browser, url: str, workspace: Workspace, acme: Client) -> None:
    assert "Set a cap or a budget" not in words(as_bob.get(url))
    assert "No cap. Its calls pass whatever they cost. Set a cap or a budget" in words(as_alice.get(url))
    budget = BudgetFactory.create(workspace=workspace, client=acme)
    assert "Raise cap" not in words(as_bob.get(url))
    assert "Raise cap Pause cap Edit cap" in words(as_alice.get(url))
    budget.hard, budget.paused_at = False, NOON
    budget.save()
    assert "Resume budget Edit budget" in words(as_alice.get(url))


def test_figures_models_keys_and_calls(as_alice: Browser, url: str, workspace: Workspace, acme: Client) -> None:
    key = ApiKeyFactory.create(workspace=workspace, client=acme, name="production", last_four="4f2a")
    BudgetFactory.create(workspace=workspace, key=key, limit=10 * DOLLAR)
    record(
        event(workspace, cost=3 * DOLLAR, key_id=key.pk, cache_read_tokens=500),
        event(workspace, cost=DOLLAR, model="gpt-4.1", estimated=True, admitted_at=NOON - timedelta(days=2)),
        event(workspace, cost=None, model="mystery", admitted_at=NOON - timedelta(days=2)),
        event(workspace, cost=2 * DOLLAR, admitted_at=NOON - timedelta(days=31)),
        event(workspace, cost=90 * DOLLAR, client="other", model="other-model"),
    )
    DailyRefusals.objects.create(
        workspace_id=workspace.pk, day=NOON.date(), client="acme-corp", key_id=key.pk, code="budget_reserved", calls=14
    )
    response = as_alice.get(url)
    text, page = words(response), response.content.decode()
    assert "Clients / Acme Corp" in text
    assert "Cost, 1 – 23 June $4.00 ▲ 100 % against $2.00 , 1 – 23 May" in text
    assert "Calls 3 ▲ 200 % against 1 Refused 14 14 by a cap Tokens 3,600 17 % of the input from a cache" in text
    assert "Unpriced calls 1 33 % estimated" in text
    assert "gpt-4.1-mini $3.00 75 % gpt-4.1 $1.00 25 % mystery Unpriced 0 % 3 models $4.00 100 %" in text
    assert "production mk_…4f2a 30 % of $10.00 cap 14:00:00 30 % of $10.00 cap $3.00" in text
    assert "All 3" in text
    assert "14:00:00 Acme Corp · gpt-4.1-mini" in text
    assert "other" not in text
    assert f'href="/w/{workspace.id}/events/?client=acme-corp&amp;provider=openai&amp;model=gpt-4.1"' in page
    assert f'href="/w/{workspace.id}/events/?client=acme-corp&amp;key={key.pk}"' in page
    assert f'href="/w/{workspace.id}/keys/new/?client={acme.pk}"' in page


def test_a_client_that_has_not_called(as_bob: Browser, url: str) -> None:
    text = words(as_bob.get(url))
    assert "No calls 1 – 23 June. Calls that carry the tag client: acme-corp" in text
    assert "No key is bound to this client" in text


def test_another_period(as_bob: Browser, url: str, workspace: Workspace) -> None:
    record(event(workspace, cost=2 * DOLLAR, admitted_at=NOON - timedelta(days=31)))
    response = as_bob.get(url, {"period": "last-month"})
    assert "Cost, 1 – 31 May $2.00" in words(response)
    assert polls(response.content.decode()) == []
    assert "Choose one of month" in words(as_bob.get(url, {"period": "year"}))
    assert as_bob.get(url, {"period": "year"}).status_code == 400


def test_calls_that_take_too_long_to_find(
    as_bob: Browser, url: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_: object) -> None:
        raise TooMuch("too many")

    monkeypatch.setattr(module, "last_calls", slow)
    record(event(workspace))
    assert "Finding them takes too long" in words(as_bob.get(url))


def test_it_moves_when_something_has_changed(as_bob: Browser, url: str, workspace: Workspace, acme: Client) -> None:
    BudgetFactory.create(workspace=workspace, client=acme)
    record(event(workspace, cost=DOLLAR))
    bar, below = polls(as_bob.get(url).content.decode())
    assert [as_bob.get(address).status_code for address in (bar, below)] == [204, 204]
    record(event(workspace, cost=DOLLAR, client="other"))
    assert as_bob.get(below).status_code == 204
    (new,) = record(event(workspace, cost=DOLLAR, admitted_at=NOON + timedelta(minutes=5)))
    BudgetPeriod.objects.update(settled=2 * DOLLAR)
    moved = as_bob.get(bar)
    assert "0.2 % used: $2.00 of $900.00" in words(moved)
    response = as_bob.get(below)
    assert "$2.00" in words(response)
    rows = re.findall(r'<tr class="fresh">.*?call-([0-9a-f-]+)', response.content.decode(), re.DOTALL)
    assert rows == [str(new.id)]
    for answer in (moved, response):
        assert as_bob.get(polls(answer.content.decode())[0]).status_code == 204


def test_a_pause_is_an_address(as_bob: Browser, url: str, workspace: Workspace, acme: Client) -> None:
    BudgetFactory.create(workspace=workspace, client=acme)
    page = as_bob.get(url, {"live": "off", "period": "30d"}).content.decode()
    assert "hx-get" not in page
    assert 'id="resume" href="?period=30d"' in page


def test_a_budget_that_is_gone_makes_the_page_anew(
    as_bob: Browser, url: str, workspace: Workspace, acme: Client
) -> None:
    budget = BudgetFactory.create(workspace=workspace, client=acme)
    bar = polls(as_bob.get(url).content.decode())[0]
    budget.delete()
    assert as_bob.get(bar)["HX-Refresh"] == "true"


@pytest.mark.parametrize("rows", [1, 3])
def test_the_page_takes_constant_queries(
    as_bob: Browser, url: str, acme: Client, rows: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    workspace = acme.workspace
    BudgetFactory.create(workspace=workspace, client=acme)
    for number in range(rows):
        key = ApiKeyFactory.create(workspace=workspace, client=acme)
        BudgetFactory.create(workspace=workspace, key=key)
        record(event(workspace, key_id=key.pk, model=f"m{number}", admitted_at=NOON - timedelta(days=number)))
    as_bob.get(url)
    with django_assert_num_queries(26):
        as_bob.get(url)


def test_polling_is_cheap(
    as_bob: Browser, url: str, workspace: Workspace, acme: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    BudgetFactory.create(workspace=workspace, client=acme)
    record(event(workspace))
    for address in polls(as_bob.get(url).content.decode()):
        with django_assert_num_queries(5):  # session, user, membership; budget and month, or client and pulse
            as_bob.get(address)


@pytest.mark.parametrize("path", ["", "live/"])
def test_strangers_find_nothing(
    as_charlie: Browser, charlie: User, client: Browser, url: str, acme: Client, path: str
) -> None:
    own = Membership.objects.get(user=charlie).workspace
    assert as_charlie.get(url + path).status_code == 404
    assert as_charlie.get(f"/w/{own.pk}/clients/{acme.pk}/{path}").status_code == 404
    assert client.get(url + path).status_code == 302
