"""Runs on their pages: begun, previewed, applied, and remembered."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from billing.models import Repricing
from billing.pricebook import add_price
from billing.repricing_runs import fail, make_run, work
from metering.models import Client
from tests import ledger
from tests.factories import WorkspaceFactory
from tests.metering.views.conftest import june, words
from tokonomics.models import Workspace

__all__ = ["june"]
pytestmark = pytest.mark.usefixtures("june")


def at(name: str, workspace: Workspace, *ids: object) -> str:
    return reverse(name, args=[workspace.pk, *ids])


def price(workspace: Workspace) -> None:
    prices = {"input_mtok": Decimal(10), "output_mtok": Decimal(20)}
    start = datetime(2026, 1, 1, tzinfo=UTC)
    add_price(workspace=workspace, provider="openai", model="gpt-4.1-mini", prices=prices, starts_at=start, actor=None)


def run_over(workspace: Workspace) -> Repricing:
    run = make_run(workspace=workspace, first=date(2026, 6, 1), last=date(2026, 6, 23), actor=None)
    work(run.pk)
    return run


def test_there_is_none_at_first(as_bob: Browser, workspace: Workspace) -> None:
    assert "No call was priced anew yet" in words(as_bob.get(at("repricings", workspace)))


def test_from_the_form_to_the_ledger(as_alice: Browser, workspace: Workspace) -> None:
    Client.objects.create(workspace=workspace, slug="acme-corp", name="Acme Corp")
    million = {"input_tokens": 10**6, "output_tokens": 10**6, "cost": 2_000_000_000}
    ledger.record(ledger.event(workspace, **million), ledger.event(workspace, **million, client=""))
    price(workspace)
    asked = {"first": "2026-06-01", "last": "2026-06-23", "provider": "openai", "model": "gpt-4.1-mini"}
    response = as_alice.post(at("repricing_new", workspace), asked, follow=True)
    run = Repricing.objects.get()
    assert (run.made_by, run.unpriced_only) == ("alice@example.com", False)
    assert "The preview is in the making: 0 calls so far." in words(response)
    assert 'hx-trigger="every 2s"' in response.content.decode()
    work(run.pk)
    response = as_alice.get(at("repricing", workspace, run.pk))
    assert "hx-trigger" not in response.content.decode()
    shown = words(response)
    assert "Difference + $56.00 $4.00 before, $60.00 then Calls that change 2 of 2 looked at" in shown
    assert "Acme Corp 1 call 1 $2.00 $30.00 + $28.00" in shown
    assert "Unattributed 1 call 1 $2.00 $30.00 + $28.00" in shown
    assert "2 clients 2 $4.00 $60.00 + $56.00" in shown
    assert "Apply +$56.00 to 2 calls" in shown
    as_alice.post(at("repricing_apply", workspace, run.pk))
    assert "It is being applied" in words(as_alice.get(at("repricing", workspace, run.pk)))
    work(run.pk)
    shown = words(as_alice.get(at("repricing", workspace, run.pk)))
    assert "Applied by alice@example.com on 23 June, 16:32:07" in shown
    assert "Difference + $56.00 $4.00 before, $60.00 now" in shown
    assert "Apply +" not in shown
    again = words(as_alice.post(at("repricing_apply", workspace, run.pk), follow=True))
    assert "This run is applied: it cannot be applied." in again
    listed = words(as_alice.get(at("repricings", workspace)))
    assert "openai gpt-4.1-mini 2 $4.00 $60.00 + $56.00 applied alice@example.com" in listed
    assert "$60.00" in words(as_alice.get(at("overview", workspace)))


def test_nothing_to_change_is_said_plainly(as_alice: Browser, workspace: Workspace) -> None:
    ledger.record(ledger.event(workspace))
    run = run_over(workspace)
    shown = words(as_alice.get(at("repricing", workspace, run.pk)))
    assert "Nothing changes" in shown
    assert "Apply" not in shown


def test_a_failure_is_told(as_bob: Browser, workspace: Workspace) -> None:
    run = make_run(workspace=workspace, first=date(2026, 6, 1), last=date(2026, 6, 2), actor=None)
    fail(run.pk, "It failed, and nothing more was changed.")
    assert "It failed, and nothing more was changed." in words(as_bob.get(at("repricing", workspace, run.pk)))
    assert "failed" in words(as_bob.get(at("repricings", workspace)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"first": "2026-06-23", "last": "2026-06-01"}, "begins on 2026-06-23, after its end"),
        ({"first": "2020-06-23", "last": "2026-06-01"}, "Choose at most 400 days"),
        ({"first": "", "last": "2026-06-01"}, "This field is required"),
        ({"first": "June", "last": "2026-06-01"}, "Enter a valid date"),
        ({"first": "2026-06-01", "last": "2026-06-02", "model": "a\0"}, "Null characters"),
    ],
)
def test_bad_choices_are_explained(
    as_alice: Browser, workspace: Workspace, fields: dict[str, str], message: str
) -> None:
    assert message in words(as_alice.post(at("repricing_new", workspace), fields))
    assert not Repricing.objects.exists()


def test_viewers_look_and_leave_it(as_bob: Browser, workspace: Workspace) -> None:
    ledger.record(ledger.event(workspace))
    price(workspace)
    run = run_over(workspace)
    assert "Apply +" not in words(as_bob.get(at("repricing", workspace, run.pk)))
    assert as_bob.post(at("repricing_apply", workspace, run.pk)).status_code == 403
    assert as_bob.get(at("repricing_new", workspace)).status_code == 403
    run.refresh_from_db()
    assert run.state == "previewed"


def test_another_tenants_run_is_not_found(as_alice: Browser, workspace: Workspace) -> None:
    run = run_over(WorkspaceFactory.create())
    assert as_alice.get(at("repricing", workspace, run.pk)).status_code == 404
    assert as_alice.post(at("repricing_apply", workspace, run.pk)).status_code == 404


@pytest.mark.parametrize("number", [1, 20])
def test_queries_do_not_grow(
    as_bob: Browser, workspace: Workspace, number: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ledger.record(*[ledger.event(workspace, client=f"client-{n}") for n in range(number)])
    price(workspace)
    runs: list[Any] = [run_over(workspace) for _ in range(number)]
    with django_assert_num_queries(6):
        as_bob.get(at("repricings", workspace))
    with django_assert_num_queries(9):
        as_bob.get(at("repricing", workspace, runs[0].pk))
