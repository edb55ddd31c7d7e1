from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from metering.clients import make_client, usable_clients
from metering.models import Client
from tests.factories import ClientFactory
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
