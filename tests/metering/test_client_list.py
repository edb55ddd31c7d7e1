from __future__ import annotations

from datetime import date

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from metering import client_list
from metering.periods import preset
from tests.factories import ApiKeyFactory, BudgetFactory, ClientFactory
from tests.ledger import NOON, event, record
from tokonomics.models import Workspace

MONTH = preset("month", date(2026, 6, 23))


def test_a_client_with_its_cost_and_keys(workspace: Workspace, stranger: Workspace) -> None:
    acme = ClientFactory.create(workspace=workspace, slug="acme-corp", name="acme Corp")
    ClientFactory.create(workspace=workspace, slug="zeta", name="Zeta", confirmed_at=None)
    ClientFactory.create(workspace=workspace, archived_at=timezone.now())
    ClientFactory.create(workspace=stranger, slug="acme-corp")
    ApiKeyFactory.create(workspace=workspace, client=acme)
    ApiKeyFactory.create(workspace=workspace, client=acme, revoked_at=timezone.now())
    record(event(workspace, cost=5), event(workspace, cost=6), event(stranger, cost=7))
    listed = client_list.client_list(workspace, MONTH, NOON)
    rows = [(row.slug, row.name, row.confirmed, row.keys, row.sums.calls, row.sums.cost) for row in listed.rows]
    assert rows == [("acme-corp", "acme Corp", True, 1, 2, 11), ("zeta", "Zeta", False, 0, 0, 0)]
    assert listed.count == 2


@pytest.mark.parametrize(("text", "slugs"), [("ACME", ["acme"]), ("hotel", ["hh"]), ("zzz", [])])
def test_search(workspace: Workspace, text: str, slugs: list[str]) -> None:
    ClientFactory.create(workspace=workspace, slug="acme", name="The A Company")
    ClientFactory.create(workspace=workspace, slug="hh", name="Halcyon Hotels")
    assert [row.slug for row in client_list.client_list(workspace, MONTH, NOON, text).rows] == slugs


@pytest.fixture
def budgets(workspace: Workspace) -> None:
    """Clients at 10 and 80 % of a cap and beyond a budget, one without, one unconfirmed, one put away."""
    for name, cost, facts in (
        ("calm", 100, {}),
        ("near", 800, {}),
        ("over", 1001, {"hard": False}),
        ("paused", 5000, {"paused_at": timezone.now()}),
    ):
        client = ClientFactory.create(workspace=workspace, slug=name, name=name)
        BudgetFactory.create(workspace=workspace, client=client, limit=1000, **facts)
        record(event(workspace, client=name, cost=cost))
    ClientFactory.create(workspace=workspace, slug="free", name="free")
    ClientFactory.create(workspace=workspace, slug="new", name="new", confirmed_at=None)
    ClientFactory.create(workspace=workspace, slug="gone", name="gone", archived_at=timezone.now())


@pytest.mark.parametrize(
    ("state", "slugs"),
    [
        ("", ["calm", "free", "near", "new", "over", "paused"]),
        ("near", ["near", "over"]),
        ("uncapped", ["free", "new", "over"]),
        ("unconfirmed", ["new"]),
        ("archived", ["gone"]),
    ],
)
def test_by_state(workspace: Workspace, budgets: None, state: str, slugs: list[str]) -> None:
    listed = client_list.client_list(workspace, MONTH, NOON, state=state)
    assert ([row.slug for row in listed.rows], listed.count) == (slugs, len(slugs))


def test_where_budgets_stand(workspace: Workspace, budgets: None) -> None:
    rows = client_list.client_list(workspace, MONTH, NOON).rows
    found = {row.slug: row.standing and (row.standing.settled, row.standing.state) for row in rows}
    assert found == {
        "calm": (100, "ok"),
        "free": None,
        "near": (800, "near"),
        "new": None,
        "over": (1001, "over"),
        "paused": (5000, "paused"),
    }


@pytest.mark.parametrize("clients", [1, 3])
def test_it_takes_five_queries(
    workspace: Workspace, clients: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for client in ClientFactory.create_batch(clients, workspace=workspace):
        BudgetFactory.create(workspace=workspace, client=client)
    client_list.client_list(workspace, MONTH, NOON)
    with django_assert_num_queries(5):
        client_list.client_list(workspace, MONTH, NOON)
