from __future__ import annotations

from datetime import date

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from metering import client_list
from metering.periods import preset
from tests.factories import ApiKeyFactory, ClientFactory
from tests.ledger import event, record
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
    listed = client_list.client_list(workspace.id, MONTH)
    rows = [(row.slug, row.name, row.confirmed, row.keys, row.sums.calls, row.sums.cost) for row in listed.rows]
    assert rows == [("acme-corp", "acme Corp", True, 1, 2, 11), ("zeta", "Zeta", False, 0, 0, 0)]
    assert listed.count == 2


@pytest.mark.parametrize(("text", "slugs"), [("ACME", ["acme"]), ("hotel", ["hh"]), ("zzz", [])])
def test_search(workspace: Workspace, text: str, slugs: list[str]) -> None:
    ClientFactory.create(workspace=workspace, slug="acme", name="The A Company")
    ClientFactory.create(workspace=workspace, slug="hh", name="Halcyon Hotels")
    assert [row.slug for row in client_list.client_list(workspace.id, MONTH, text).rows] == slugs


@pytest.mark.parametrize("clients", [1, 3])
def test_it_takes_three_queries(
    workspace: Workspace, clients: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ClientFactory.create_batch(clients, workspace=workspace)
    with django_assert_num_queries(3):
        client_list.client_list(workspace.id, MONTH)
