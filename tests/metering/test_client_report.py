from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from metering import client_report as module
from metering.client_report import client_report, last_calls
from metering.ledger import DailyRefusals
from metering.models import Client
from metering.periods import preset
from metering.sums import Sums
from tests.factories import ApiKeyFactory, ClientFactory
from tests.ledger import NOON, event, record
from tokonomics.ids import new_id
from tokonomics.models import Workspace

MONTH = preset("month", date(2026, 6, 23))


@pytest.fixture
def acme(workspace: Workspace) -> Client:
    return ClientFactory.create(workspace=workspace, slug="acme-corp")


def refuse(workspace: Workspace, code: str, calls: int, client: str = "acme-corp", day: int = 23) -> None:
    DailyRefusals.objects.create(
        workspace_id=workspace.pk, day=date(2026, 6, day), client=client, key_id=new_id(), code=code, calls=calls
    )


def test_only_the_client_s_calls_of_the_period(workspace: Workspace, stranger: Workspace, acme: Client) -> None:
    record(
        event(workspace, cost=300, model="gpt-4.1", cache_read_tokens=250),
        event(workspace, cost=100, provider="anthropic", model="claude"),
        event(workspace, cost=None, model="mystery"),
        event(workspace, cost=7, client="other"),
        event(stranger, cost=9),
        event(workspace, cost=50, admitted_at=NOON - timedelta(days=31)),
    )
    found = client_report(acme, MONTH)
    assert (found.total.calls, found.total.cost, found.total.unpriced) == (3, 400, 1)
    assert (found.calls_before, found.before) == (1, 50)
    rows = [(row.provider, row.name, row.sums.cost, row.share, row.width) for row in found.models]
    assert rows == [
        ("openai", "gpt-4.1", 300, Decimal("0.75"), "100.0"),
        ("anthropic", "claude", 100, Decimal("0.25"), "33.3"),
        ("openai", "mystery", 0, Decimal(0), "0.0"),
    ]
    assert found.model_count == 3
    assert found.cached == Decimal(250) / 3000


def test_the_rest_of_the_models(workspace: Workspace, acme: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MODELS", 1)
    record(*(event(workspace, cost=cost, model=f"m{cost}") for cost in (1, 20, 300)))
    found = client_report(acme, MONTH)
    assert [(row.name, row.sums.cost) for row in found.models] == [("m300", 300), ("", 21)]
    assert sum((row.sums for row in found.models), Sums()) == found.total


def test_keys_that_are_bound_or_have_called(workspace: Workspace, acme: Client) -> None:
    bound = ApiKeyFactory.create(workspace=workspace, client=acme, name="bound")
    free = ApiKeyFactory.create(workspace=workspace, name="free")
    gone = ApiKeyFactory.create(workspace=workspace, client=acme, name="gone", revoked_at=timezone.now())
    ApiKeyFactory.create(workspace=workspace, client=acme, revoked_at=timezone.now())
    ApiKeyFactory.create(workspace=workspace)
    record(
        event(workspace, cost=5, key_id=free.pk),
        event(workspace, cost=None, key_id=free.pk, admitted_at=NOON + timedelta(minutes=1)),
        event(workspace, cost=90, key_id=gone.pk),
        event(workspace, cost=1000, key_id=free.pk, client="other"),
    )
    rows = [(row.key, row.cost, row.unpriced, row.last_call_at) for row in client_report(acme, MONTH).keys]
    assert rows == [
        (gone, 90, 0, NOON),
        (free, 5, 1, NOON + timedelta(minutes=1)),
        (bound, 0, 0, None),
    ]


def test_refusals(workspace: Workspace, stranger: Workspace, acme: Client) -> None:
    refuse(workspace, "budget_exhausted", 10)
    refuse(workspace, "budget_reserved", 2, day=1)
    refuse(workspace, "rate_limited", 3)
    refuse(workspace, "budget_exhausted", 100, client="other")
    refuse(stranger, "budget_exhausted", 1000)
    found = client_report(acme, MONTH)
    assert (found.refused, found.refused_by_budget) == (15, 12)


def test_a_client_without_calls(acme: Client) -> None:
    found = client_report(acme, MONTH)
    assert (found.total, found.models, found.keys, found.cached) == (Sums(), [], [], None)
    assert last_calls(acme, MONTH, 6) == []


def test_the_last_calls_newest_first(workspace: Workspace, acme: Client) -> None:
    events = record(*(event(workspace, admitted_at=NOON - timedelta(days=3 * number)) for number in range(4)))
    record(event(workspace, client="other"), event(workspace, admitted_at=NOON - timedelta(days=40)))
    assert [call.id for call in last_calls(acme, MONTH, 2)] == [events[0].id, events[1].id]
    assert len(last_calls(acme, MONTH, 50)) == 4


@pytest.mark.parametrize("keys", [1, 3])
def test_queries(
    workspace: Workspace, acme: Client, keys: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(keys):
        key = ApiKeyFactory.create(workspace=workspace, client=acme)
        record(event(workspace, key_id=key.pk, model=f"m{number}"))
    with django_assert_num_queries(7):  # with the two of its transaction
        client_report(acme, MONTH)
