from __future__ import annotations

import re

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests.factories import MembershipFactory, WorkspaceFactory
from tokonomics.models import User, Workspace


def current(page: str) -> list[str]:
    return re.findall(r'<a href="[^"]*" aria-current="page">.*?</svg>\s*(\w+)</a>', page, re.DOTALL)


@pytest.mark.parametrize(("path", "place"), [("", "Overview"), ("events/", "Events"), ("clients/", "Clients")])
def test_the_place_one_is_in_is_marked(as_alice: Client, workspace: Workspace, path: str, place: str) -> None:
    assert current(as_alice.get(f"/w/{workspace.id}/{path}").content.decode()) == [place]


def test_one_may_switch_to_one_s_other_workspaces_alone(
    as_alice: Client, alice: User, charlie: User, workspace: Workspace
) -> None:
    other = WorkspaceFactory.create(name="Beta & Co")
    MembershipFactory.create(user=alice, workspace=other)
    page = as_alice.get(f"/w/{workspace.id}/").content.decode()
    assert f'<li><a href="/w/{other.id}/">' in page
    assert "Beta &amp; Co" in page
    assert "Charlie" not in page


@pytest.mark.parametrize("others", [1, 3])
def test_workspaces_take_one_query(
    as_alice: Client,
    alice: User,
    workspace: Workspace,
    others: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(others):
        MembershipFactory.create(user=alice)
    with django_assert_num_queries(7):
        as_alice.get(f"/w/{workspace.id}/clients/")
