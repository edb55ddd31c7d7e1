from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from metering.clients import archive_client, change_client, make_client, restore_client, usable_clients
from metering.models import Client
from tests.factories import ApiKeyFactory, ClientFactory
from tokonomics.models import AuditEntry, User, Workspace


@pytest.mark.parametrize(
    ("name", "slug", "made"),
    [
        ("Acme Corp", "", ("Acme Corp", "acme-corp")),
        ("  Acme \t Corp ", " acme ", ("Acme Corp", "acme")),
        ("Bäcker Müller", "", ("Bäcker Müller", "backer-muller")),
        ("株式会社", "kk", ("株式会社", "kk")),
        ("Acme", "Acme/EU: 1", ("Acme", "Acme/EU: 1")),
    ],
)
def test_make_client(workspace: Workspace, alice: User, name: str, slug: str, made: tuple[str, str]) -> None:
    client = make_client(workspace=workspace, name=name, slug=slug, actor=alice)
    assert (client.name, client.slug) == made
    assert client.confirmed_at is not None
    assert AuditEntry.objects.get().verb == "made"


@pytest.mark.parametrize(
    ("name", "slug"), [("", "acme"), ("x" * 257, "acme"), ("Acme", "x" * 257), ("株式会社", ""), ("A\x00", "a")]
)
def test_make_client_refuses(workspace: Workspace, alice: User, name: str, slug: str) -> None:
    with pytest.raises(ValidationError, match="at most 256"):
        make_client(workspace=workspace, name=name, slug=slug, actor=alice)
    assert not Client.objects.exists()


def test_a_client_that_a_call_brought_is_confirmed(workspace: Workspace, alice: User) -> None:
    brought = ClientFactory.create(workspace=workspace, slug="acme", name="acme", confirmed_at=None)
    client = make_client(workspace=workspace, name="Acme Corp", slug="acme", actor=alice)
    assert client == brought
    client.refresh_from_db()
    assert (client.name, client.confirmed_at is not None) == ("Acme Corp", True)
    assert AuditEntry.objects.get().verb == "confirmed"


def test_a_tag_belongs_to_one_client(workspace: Workspace, alice: User) -> None:
    ClientFactory.create(workspace=workspace, slug="acme", name="Acme")
    with pytest.raises(ValidationError, match="Acme has the tag acme already"):
        make_client(workspace=workspace, name="Acme 2", slug="acme", actor=alice)


def test_another_workspace_may_use_the_same_tag(workspace: Workspace, alice: User) -> None:
    ClientFactory.create(slug="acme")
    assert make_client(workspace=workspace, name="Acme", slug="acme", actor=alice).workspace == workspace


def test_usable_clients_are_confirmed_and_in_use(workspace: Workspace) -> None:
    zoe, adam = (ClientFactory.create(workspace=workspace, name=name) for name in ("Zoe", "Adam"))
    ClientFactory.create(workspace=workspace, confirmed_at=None)
    ClientFactory.create(workspace=workspace, archived_at=timezone.now())
    ClientFactory.create()
    assert usable_clients(workspace) == [adam, zoe]


def test_a_client_with_its_own_zone(workspace: Workspace, alice: User) -> None:
    assert make_client(workspace=workspace, name="Acme", time_zone="Asia/Tokyo", actor=alice).timezone == "Asia/Tokyo"
    with pytest.raises(ValidationError, match="is not a time zone"):
        make_client(workspace=workspace, name="Kestrel", time_zone="Factory", actor=alice)


def test_a_client_is_changed(workspace: Workspace, alice: User) -> None:
    client = ClientFactory.create(workspace=workspace, name="Acme")
    for _ in range(2):
        change_client(client=client, name=" Acme  Corp ", time_zone="Asia/Tokyo", actor=alice)
    client.refresh_from_db()
    assert (client.name, client.timezone) == ("Acme Corp", "Asia/Tokyo")
    entry = AuditEntry.objects.get()
    assert entry.verb == "changed"
    assert entry.details["name"] == {"before": "Acme", "after": "Acme Corp"}


def test_a_change_confirms_what_a_call_brought(workspace: Workspace, alice: User) -> None:
    client = ClientFactory.create(workspace=workspace, confirmed_at=None)
    change_client(client=client, name=client.name, time_zone="", actor=alice)
    client.refresh_from_db()
    assert client.confirmed_at is not None
    assert AuditEntry.objects.get().verb == "confirmed"


@pytest.mark.parametrize(
    ("name", "zone", "reason"), [("", "", "at most 256"), ("Acme", "Mars/Base", "is not a time zone")]
)
def test_a_change_that_is_none(workspace: Workspace, alice: User, name: str, zone: str, reason: str) -> None:
    client = ClientFactory.create(workspace=workspace, name="Acme")
    with pytest.raises(ValidationError, match=reason):
        change_client(client=client, name=name, time_zone=zone, actor=alice)
    client.refresh_from_db()
    assert (client.name, client.timezone) == ("Acme", "")


def test_a_client_is_put_away_and_back(workspace: Workspace, alice: User) -> None:
    client = ClientFactory.create(workspace=workspace)
    for deed in (archive_client, archive_client, restore_client, restore_client):
        deed(client=client, actor=alice)
    client.refresh_from_db()
    assert client.archived_at is None
    assert [entry.verb for entry in AuditEntry.objects.order_by("id")] == ["archived", "restored"]


def test_a_client_with_keys_stays(workspace: Workspace, alice: User) -> None:
    client = ClientFactory.create(workspace=workspace)
    ApiKeyFactory.create(workspace=workspace, client=client)
    ApiKeyFactory.create(workspace=workspace, client=client, revoked_at=timezone.now())
    with pytest.raises(ValidationError, match="1 key is bound"):
        archive_client(client=client, actor=alice)
    client.refresh_from_db()
    assert client.archived_at is None
