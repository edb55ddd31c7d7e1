"""Models without a price on their page, and the price that leads to a preview."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from billing.closing import close
from billing.models import PriceRule, Repricing
from billing.repricing_runs import work
from metering.ledger import UsageEvent
from metering.models import Client
from tests import ledger
from tests.factories import WorkspaceFactory
from tests.metering.views.conftest import june, words
from tests.people import give_role
from tokonomics.models import Role, User, Workspace

__all__ = ["june"]
pytestmark = pytest.mark.usefixtures("june")

EARLY = datetime(2026, 6, 3, 12, tzinfo=ledger.NOON.tzinfo)


def at(name: str, workspace: Workspace, *ids: object) -> str:
    return reverse(name, args=[workspace.pk, *ids])


def unpriced(workspace: Workspace, model: str = "house-7", **fields: Any) -> UsageEvent:
    return ledger.event(workspace, model=model, cost=None, cost_source="", price_version="", lines=[], **fields)


def test_a_workspace_without_any_is_told_so(as_bob: Browser, workspace: Workspace) -> None:
    ledger.record(ledger.event(workspace))
    assert "Every call has a price" in words(as_bob.get(at("unpriced", workspace)))


def test_a_row_says_what_is_missing(as_bob: Browser, workspace: Workspace) -> None:
    Client.objects.create(workspace=workspace, slug="acme-corp", name="Acme Corp")
    ledger.record(
        unpriced(workspace, admitted_at=EARLY),
        unpriced(workspace, client="globex"),
        unpriced(workspace, model="house-8"),
        unpriced(WorkspaceFactory.create(), model="strange-1"),
        ledger.event(workspace),
    )
    response = as_bob.get(at("unpriced", workspace))
    assert "house-7 openai · last seen 23 June openai 2 2,400 3 June 23 June Acme Corp, globex" in words(response)
    assert "house-8 openai · last seen 23 June openai 1 1,200" in words(response)
    assert "strange-1" not in words(response)
    assert "Set a price" not in words(response)
    [row, _] = response.context["rows"]
    calls = as_bob.get(f"{at('events', workspace)}?{row['query']}")
    assert "2 calls" in words(calls)


def test_tokens_of_priced_calls_are_left_out(as_bob: Browser, workspace: Workspace) -> None:
    ledger.record(unpriced(workspace, "gpt-4.1-mini"), ledger.event(workspace), unpriced(workspace, "gpt-4.1-mini"))
    [row] = as_bob.get(at("unpriced", workspace)).context["rows"]
    assert (row["missing"], row["used"], row["mixed"]) == (2, 0, 1)


def test_closed_days_are_left_out(as_bob: Browser, workspace: Workspace) -> None:
    ledger.record(unpriced(workspace, admitted_at=EARLY))
    close(workspace=workspace, until=EARLY.date(), actor=None)
    assert "Every call has a price" in words(as_bob.get(at("unpriced", workspace)))


def test_many_models_have_pages(as_bob: Browser, workspace: Workspace) -> None:
    ledger.record(*[unpriced(workspace, f"house-{number:02}") for number in range(51)])
    assert "1 – 50 of 51 models" in words(as_bob.get(at("unpriced", workspace)))
    assert "house-50" in words(as_bob.get(at("unpriced", workspace), {"page": 2}))


@pytest.mark.parametrize("models", [1, 30])
def test_queries_do_not_grow(
    as_bob: Browser, workspace: Workspace, models: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ledger.record(*[unpriced(workspace, f"house-{n}", client=f"client-{n}") for n in range(models)])
    with django_assert_num_queries(9):
        as_bob.get(at("unpriced", workspace))


def test_a_price_leads_to_what_it_makes_of_the_calls(as_alice: Browser, workspace: Workspace) -> None:
    ledger.record(unpriced(workspace, admitted_at=EARLY), unpriced(workspace))
    address = f"{at('unpriced_price', workspace)}?provider=openai&model=house-7"
    page = words(as_alice.get(address))
    assert "2 calls since 3 June have no price" in page
    fields = {"provider": "openai", "model": "house-7", "first": "2026-06-03", "input_mtok": "1", "output_mtok": "2"}
    response = as_alice.post(address, fields, follow=True)
    run = Repricing.objects.get()
    assert response.redirect_chain == [(at("repricing", workspace, run.pk), 302)]
    assert "The preview is in the making" in words(response)
    rule = PriceRule.objects.get()
    assert (rule.starts_at.date(), rule.prices) == (date(2026, 6, 2), {"input_mtok": "1", "output_mtok": "2"})
    assert (run.first, run.last, run.provider, run.model, run.unpriced_only) == (
        EARLY.date(),
        ledger.NOON.date(),
        "openai",
        "house-7",
        True,
    )
    work(run.pk)
    shown = words(as_alice.get(at("repricing", workspace, run.pk)))
    assert "Difference + &lt;$0.01 $0.00 before, &lt;$0.01 then Calls that change 2 of 2 looked at" in shown
    as_alice.post(at("repricing_apply", workspace, run.pk))
    work(run.pk)
    assert "Every call has a price" in words(as_alice.get(at("unpriced", workspace)))


def test_an_alias_does_the_same(as_alice: Browser, workspace: Workspace) -> None:
    ledger.record(unpriced(workspace))
    address = f"{at('unpriced_alias', workspace)}?provider=openai&model=house-7"
    asked = {"provider": "openai", "model": "house-7", "to_provider": "openai", "first": "2026-06-23"}
    wrong = words(as_alice.post(address, asked | {"to_model": "house-9"}))
    assert "This model has no price either" in wrong
    response = as_alice.post(address, asked | {"to_model": "gpt-4.1-mini"}, follow=True)
    work(Repricing.objects.get().pk)
    shown = as_alice.get(response.redirect_chain[0][0])
    assert shown.context["run"].new == 720_000


@pytest.mark.parametrize("query", ["", "?provider=openai&model=gpt-4.1-mini", "?provider=a%00&model=b"])
def test_a_model_that_is_not_unpriced_is_not_found(as_alice: Browser, workspace: Workspace, query: str) -> None:
    ledger.record(unpriced(workspace), ledger.event(workspace))
    assert as_alice.get(at("unpriced_price", workspace) + query).status_code == 404


def test_only_admins_set_prices(as_bob: Browser, bob: User, workspace: Workspace) -> None:
    ledger.record(unpriced(workspace))
    address = f"{at('unpriced_price', workspace)}?provider=openai&model=house-7"
    assert as_bob.get(address).status_code == 403
    give_role(bob, workspace, Role.ADMIN)
    assert as_bob.get(address).status_code == 200


@pytest.mark.parametrize("name", ["unpriced", "unpriced_price", "repricings", "repricing_new", "reported"])
def test_strangers_find_nothing(as_charlie: Browser, workspace: Workspace, name: str) -> None:
    assert as_charlie.get(at(name, workspace)).status_code == 404


def test_the_list_of_events_says_that_a_price_came_later(as_alice: Browser, workspace: Workspace) -> None:
    [event, _] = ledger.record(unpriced(workspace), ledger.event(workspace, admitted_at=EARLY - timedelta(days=1)))
    before = words(as_alice.get(at("events", workspace)))
    assert ("Unpriced" in before, "+ 1 unpriced" in before) == (True, True)
    address = f"{at('unpriced_price', workspace)}?provider=openai&model=house-7"
    fields = {"provider": "openai", "model": "house-7", "first": "2026-06-03", "input_mtok": "1", "output_mtok": "2"}
    as_alice.post(address, fields)
    run = Repricing.objects.get()
    work(run.pk)
    as_alice.post(at("repricing_apply", workspace, run.pk))
    work(run.pk)
    after = words(as_alice.get(at("events", workspace)))
    assert "2 calls · &lt;$0.01 cost · 0 estimated" in after
    assert "1,000 200 priced later 690 ms 200" in after
    assert "0 0 adjustment ± $0.001400 – adjustment" in after
    assert "2 of 2, as of" in after
    drawer = words(as_alice.get(at("event", workspace, event.id)))
    assert "$0.001400000 Cost, exact, with what was corrected later" in drawer
    assert "What was corrected later Adjustments of this call Priced $0.001400000" in drawer
    correction = UsageEvent.objects.get(source="adjustment")
    shown = words(as_alice.get(at("event", workspace, correction.id)))
    assert "No call: the difference that other prices make" in shown
    assert f"Corrects {event.id}" in shown
