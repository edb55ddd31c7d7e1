from __future__ import annotations

import html

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from metering import client_list
from tests.factories import ApiKeyFactory, BudgetFactory, ClientFactory
from tests.ledger import event, record
from tests.metering.views.conftest import words
from tests.people import give_role
from tokonomics.models import Membership, Role, User, Workspace

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
    assert "Acme Corp acme-corp, 2 calls, 1 key, 1 unpriced acme-corp $1.00 2,400 2 1 1 no cap" in text
    assert "zeta unconfirmed zeta, 0 calls, 0 keys zeta $0.00 0 0 0 0" in text
    assert "Secret" not in text
    page = response.content.decode()
    assert f'href="/w/{workspace.id}/events/?client=acme-corp"' in page
    assert f'href="/w/{workspace.id}/clients/{acme.pk}/"' in page


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
    for client in ClientFactory.create_batch(clients, workspace=workspace):
        BudgetFactory.create(workspace=workspace, client=client)
    as_bob.get(url)
    with django_assert_num_queries(9):
        as_bob.get(url)


def test_budgets_in_the_list(as_bob: Client, url: str, workspace: Workspace) -> None:
    acme, cobalt = (ClientFactory.create(workspace=workspace, slug=slug, name=slug) for slug in ("acme", "cobalt"))
    BudgetFactory.create(workspace=workspace, client=acme, limit=900 * 10**9)
    BudgetFactory.create(workspace=workspace, client=cobalt, limit=400 * 10**9, hard=False)
    record(event(workspace, client="acme", cost=738_100_000_000), event(workspace, client="cobalt", cost=432 * 10**9))
    text = words(as_bob.get(url))
    assert "82 % of $900.00 cap" in text
    assert "108 % of $400.00 budget" in text
    near = words(as_bob.get(url, {"state": "near"}))
    assert ("acme" in near, "cobalt" in near) == (True, True)
    assert "No such client" in words(as_bob.get(url, {"state": "archived"}))
    assert "acme" in words(as_bob.get(url, {"state": "nonsense"}))


@pytest.fixture
def member(as_bob: Client, bob: User, workspace: Workspace) -> Client:
    """Bob as a member, who may change clients."""
    give_role(bob, workspace, Role.MEMBER)
    return as_bob


def test_a_client_is_made(member: Client, url: str, workspace: Workspace) -> None:
    answer = member.post(f"{url}new/", {"name": "Acme Corp", "slug": "", "time_zone": "Asia/Tokyo"})
    made = workspace.clients.get()
    assert (made.name, made.slug, made.timezone) == ("Acme Corp", "acme-corp", "Asia/Tokyo")
    assert answer["Location"] == f"{url}{made.pk}/"


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "株式会社"}, "such as acme-corp"),
        ({"name": "Acme", "slug": "known"}, "has the tag known already"),
        ({"name": "Acme", "time_zone": "Mars/Base"}, "Mars/Base is not one of the available choices"),
    ],
)
def test_a_client_that_is_none(
    member: Client, url: str, workspace: Workspace, asked: dict[str, str], error: str
) -> None:
    ClientFactory.create(workspace=workspace, slug="known")
    answer = member.post(f"{url}new/", asked)
    assert error in words(answer)
    assert f'value="{asked["name"]}"' in answer.content.decode() or not asked["name"]
    assert workspace.clients.count() == 1


def test_a_client_is_changed(member: Client, url: str, workspace: Workspace) -> None:
    row = ClientFactory.create(workspace=workspace, name="Acme", timezone="Asia/Tokyo")
    page = member.get(f"{url}{row.pk}/edit/").content.decode()
    assert 'value="Acme"' in page
    assert '<option value="Asia/Tokyo" selected>' in page
    answer = member.post(f"{url}{row.pk}/edit/", {"name": "Acme Corp", "time_zone": ""}, follow=True)
    row.refresh_from_db()
    assert (row.name, row.timezone) == ("Acme Corp", "")
    assert "Acme Corp is saved." in words(answer)


def test_a_client_is_confirmed(member: Client, url: str, workspace: Workspace) -> None:
    row = ClientFactory.create(workspace=workspace, slug="acme", name="acme", confirmed_at=None)
    assert "Confirm the client" in words(member.get(f"{url}{row.pk}/edit/"))
    assert "at most 256" in words(member.post(f"{url}{row.pk}/edit/", {"name": "\u202e"}))
    answer = member.post(f"{url}{row.pk}/edit/", {"name": "Acme"}, follow=True)
    row.refresh_from_db()
    assert row.confirmed_at is not None
    assert "Acme is confirmed." in words(answer)


def test_a_client_is_put_away_and_back(member: Client, url: str, workspace: Workspace) -> None:
    row = ClientFactory.create(workspace=workspace, name="Acme")
    place = f"{url}{row.pk}/"
    assert "You can restore it." in words(member.get(f"{place}archive/"))
    assert "Acme is archived." in words(member.post(f"{place}archive/", follow=True))
    row.refresh_from_db()
    assert row.archived_at is not None
    assert "archived" in words(member.get(place))
    assert "Restore" in words(member.get(f"{place}edit/"))
    assert "Acme is back in the lists." in words(member.post(f"{place}restore/", follow=True))
    row.refresh_from_db()
    assert row.archived_at is None


def test_a_client_with_keys_is_not_put_away(member: Client, url: str, workspace: Workspace) -> None:
    row = ClientFactory.create(workspace=workspace)
    ApiKeyFactory.create(workspace=workspace, client=row)
    assert "1 key is bound to" in words(member.post(f"{url}{row.pk}/archive/"))
    row.refresh_from_db()
    assert row.archived_at is None


CHANGES = ["new/", "{}/edit/", "{}/archive/", "{}/restore/"]


@pytest.mark.parametrize("path", CHANGES)
def test_a_viewer_changes_no_client(as_bob: Client, url: str, workspace: Workspace, path: str) -> None:
    row = ClientFactory.create(workspace=workspace, name="Acme")
    place = url + path.format(row.pk)
    assert as_bob.post(place, {"name": "evil"}).status_code == 403
    assert as_bob.get(place).status_code in (403, 405)
    assert "New client" not in words(as_bob.get(url))
    assert "Edit" not in words(as_bob.get(f"{url}{row.pk}/"))


@pytest.mark.parametrize("path", CHANGES)
def test_a_stranger_finds_no_client(as_charlie: Client, charlie: User, workspace: Workspace, path: str) -> None:
    row = ClientFactory.create(workspace=workspace, name="Acme")
    own = Membership.objects.get(user=charlie).workspace
    for place in (workspace, own) if "{}" in path else (workspace,):
        address = f"/w/{place.pk}/clients/" + path.format(row.pk)
        assert as_charlie.post(address, {"name": "evil"}).status_code == 404
        assert as_charlie.get(address).status_code in (404, 405)
    row.refresh_from_db()
    assert (row.name, row.archived_at) == ("Acme", None)
