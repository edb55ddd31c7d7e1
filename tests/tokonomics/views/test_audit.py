from __future__ import annotations

from datetime import UTC, datetime

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from tests.people import give_role
from tokonomics import audit
from tokonomics.models import Membership, Role, User, Workspace


@pytest.fixture
def url(workspace: Workspace) -> str:
    return reverse("audit", args=[workspace.pk])


def test_it_says_who_did_what_on_the_workspace_s_clock(
    as_alice: Client, alice: User, workspace: Workspace, url: str
) -> None:
    with time_machine.travel(datetime(2026, 6, 23, 22, 30, tzinfo=UTC)):
        change = audit.change("Ada", "<b>Ada</b>")
        audit.record("renamed", workspace, workspace=workspace, actor=alice, name=change, scopes=["a", "b"])
    page = as_alice.get(url).content.decode()
    assert "24 June, 00:30:00" in page
    assert "alice@example.com" in page
    assert "name: Ada → &lt;b&gt;Ada&lt;/b&gt;" in page
    assert "scopes: a, b" in page


@pytest.mark.parametrize("entries", [1, 3])
def test_the_list_takes_the_same_queries_for_any_number(
    as_alice: Client,
    alice: User,
    workspace: Workspace,
    url: str,
    entries: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(entries):
        audit.record("opened", workspace, workspace=workspace, actor=alice)
    with django_assert_num_queries(6):
        assert as_alice.get(url).content.count(b"<tr>") == entries + 1


def test_it_has_pages_of_fifty(as_alice: Client, alice: User, workspace: Workspace, url: str) -> None:
    for number in range(51):
        audit.record("opened", workspace, workspace=workspace, actor=alice, number=number + 1)
    first, second = as_alice.get(url).content.decode(), as_alice.get(f"{url}?page=2").content.decode()
    assert "1 – 50 of 51 entries" in first
    assert "number: 51" in first
    assert "number: 1<" in second
    assert as_alice.get(f"{url}?page=nonsense").status_code == 200


def test_it_is_for_admins(as_bob: Client, bob: User, workspace: Workspace, url: str) -> None:
    assert as_bob.get(url).status_code == 403
    give_role(bob, workspace, Role.ADMIN)
    assert as_bob.get(url).status_code == 200


def test_a_stranger_finds_nothing(
    as_charlie: Client, charlie: User, alice: User, workspace: Workspace, url: str
) -> None:
    audit.record("opened", workspace, workspace=workspace, actor=alice)
    own = Membership.objects.get(user=charlie).workspace_id
    assert as_charlie.get(url).status_code == 404
    assert b"alice@example.com" not in as_charlie.get(reverse("audit", args=[own])).content


def test_it_cannot_be_written_to(as_alice: Client, url: str) -> None:
    assert as_alice.post(url).status_code == 405
