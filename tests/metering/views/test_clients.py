from __future__ import annotations

import html

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from metering import client_list
from tests.factories import ApiKeyFactory, ClientFactory
from tests.ledger import event, record
from tests.metering.views.conftest import words
from tokonomics.models import Workspace

pytestmark = pytest.mark.usefixtures("june")


@pytest.fixture
def url(workspace: Workspace) -> str:
    return f"/w/{workspace.id}/clients/"


def test_the_clients_of_the_month(as_bob: Client, url: str, workspace: Workspace, stranger: Workspace) -> None:
    acme = ClientFactory.create(workspace=workspace, slug="acme-corp", name="Acme Corp")
    ApiKeyFactory.create(workspace=workspace, client=acme)
    ClientFactory.create(workspace=workspace, slug="zeta", name="zeta", confirmed_at=None)
    ClientFactory.create(workspace=stranger, slug="secret", name="Secret Ltd")
    record(event(workspace, cost=10**9), event(workspace, cost=None), event(stranger, cost=10**12))
    response = as_bob.get(url)
    text = words(response)
    assert "Acme Corp acme-corp, 2 calls, 1 key, 1 unpriced acme-corp $1.00 2,400 2 1 1" in text
    assert "zeta unconfirmed zeta, 0 calls, 0 keys zeta $0.00 0 0 0 0" in text
    assert "Secret" not in text
    assert f'href="/w/{workspace.id}/events/?client=acme-corp"' in response.content.decode()


def test_search(as_bob: Client, url: str, workspace: Workspace) -> None:
    ClientFactory.create(workspace=workspace, slug="acme", name="Acme Corp")
    ClientFactory.create(workspace=workspace, slug="hh", name="Halcyon Hotels")
    assert "Acme Corp" not in words(as_bob.get(url, {"q": "hotel"}))
    text = html.unescape(words(as_bob.get(url, {"q": "\0x<b>"})))
    assert "No client is called “x<b>”" in text


def test_no_clients_yet(as_bob: Client, url: str) -> None:
    assert "No clients yet" in words(as_bob.get(url))


def test_more_than_fit(as_bob: Client, url: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_list, "LONGEST", 1)
    ClientFactory.create_batch(2, workspace=workspace)
    assert "The first 1 of 2. Search for the others." in words(as_bob.get(url))


@pytest.mark.parametrize("clients", [1, 3])
def test_it_takes_constant_queries(
    as_bob: Client, url: str, workspace: Workspace, clients: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ClientFactory.create_batch(clients, workspace=workspace)
    with django_assert_num_queries(7):
        as_bob.get(url)
