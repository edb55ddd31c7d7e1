from __future__ import annotations

import pytest
from django.test import Client

from tests.factories import UserFactory
from tests.people import signed_in
from tokonomics.members import invite, withdraw
from tokonomics.models import Invitation, Membership, Role, User, Workspace


@pytest.fixture
def invited(alice: User, workspace: Workspace) -> tuple[Invitation, str]:
    """An invitation of Dora's, and the path of its link."""
    invitation, token = invite(workspace=workspace, email="dora@example.com", role=Role.MEMBER, actor=alice)
    return invitation, f"/invitations/{token}/"


@pytest.fixture
def dora(db: None) -> User:
    return UserFactory.create(email="dora@example.com")


def test_the_invited_person_joins(invited: tuple[Invitation, str], dora: User, workspace: Workspace) -> None:
    browser = signed_in(dora)
    assert b"Join" in browser.get(invited[1]).content
    response = browser.post(invited[1])
    assert response["Location"] == f"/w/{workspace.pk}/"
    assert Membership.objects.get(user=dora).role == Role.MEMBER


def test_a_visitor_is_sent_to_sign_up_or_log_in_and_back(invited: tuple[Invitation, str], client: Client) -> None:
    page = client.get(invited[1]).content.decode()
    assert f"/accounts/signup/?next={invited[1]}" in page
    assert f"/accounts/login/?next={invited[1]}" in page
    assert client.post(invited[1]).status_code == 200
    assert not Membership.objects.filter(user__email="dora@example.com").exists()


def test_somebody_else_is_told_whose_it_is(invited: tuple[Invitation, str], as_charlie: Client, charlie: User) -> None:
    assert "You are logged in as charlie@example.com" in as_charlie.get(invited[1]).content.decode()
    assert "This invitation is for dora@example.com" in as_charlie.post(invited[1]).content.decode()
    assert Membership.objects.filter(user=charlie).count() == 1


@pytest.mark.django_db
def test_an_unknown_link_is_gone(client: Client) -> None:
    response = client.get("/invitations/nonsense/")
    assert response.status_code == 404
    assert b"no longer works" in response.content


def test_a_withdrawn_link_looks_like_an_unknown_one(
    invited: tuple[Invitation, str], alice: User, dora: User, client: Client
) -> None:
    withdraw(invitation=invited[0], actor=alice)
    assert client.get(invited[1]).content == client.get("/invitations/nonsense/").content
    assert signed_in(dora).post(invited[1]).status_code == 404


def test_the_page_is_kept_by_no_cache(invited: tuple[Invitation, str], client: Client) -> None:
    assert "no-store" in client.get(invited[1])["Cache-Control"]
