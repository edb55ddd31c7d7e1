from __future__ import annotations

import re

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, Settings

from tests.factories import MembershipFactory
from tests.people import give_role
from tokonomics.ids import new_id
from tokonomics.members import find_invitation, invite
from tokonomics.models import Invitation, Membership, Role, User, Workspace


@pytest.fixture
def url(workspace: Workspace) -> str:
    return reverse("members", args=[workspace.pk])


def of(name: str, membership: Membership) -> str:
    return reverse(name, args=[membership.workspace_id, membership.pk])


@pytest.fixture
def bobs(bob: User) -> Membership:
    return Membership.objects.get(user=bob)


@pytest.fixture
def alices(alice: User) -> Membership:
    return Membership.objects.get(user=alice)


def test_everybody_sees_who_belongs(as_bob: Client, alice: User, charlie: User, url: str) -> None:
    page = as_bob.get(url).content.decode()
    assert "alice@example.com" in page
    assert "charlie@example.com" not in page
    assert "Invite somebody" not in page


@pytest.mark.parametrize("members", [1, 3])
def test_the_list_takes_the_same_queries_for_any_number(
    as_alice: Client, workspace: Workspace, url: str, members: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    MembershipFactory.create_batch(members - 1, workspace=workspace)
    with django_assert_num_queries(6):
        assert as_alice.get(url).content.count(b"<tr>") == members + 1


def test_an_admin_invites_by_e_mail(
    as_bob: Client, bob: User, workspace: Workspace, url: str, settings: Settings
) -> None:
    settings.PUBLIC_URL = "https://meter.example.com"
    give_role(bob, workspace, Role.ADMIN)
    page = as_bob.post(url, {"email": "dora@example.com", "role": "member"}).content.decode()
    message = mail.outbox[0]
    link = re.search(r"https://meter\.example\.com/invitations/(\S+)/", str(message.body))
    assert link
    assert (message.to, message.subject) == (["dora@example.com"], "Join Ada's Agency on Tokonomics")
    assert find_invitation(link[1]) == Invitation.objects.get()
    assert link[0] in page


def test_the_link_is_shown_once(as_alice: Client, url: str) -> None:
    as_alice.post(url, {"email": "dora@example.com", "role": "member"})
    page = as_alice.get(url).content.decode()
    assert "dora@example.com" in page
    assert "/invitations/" not in re.sub(r"/settings/invitations/", "", page)


def test_a_mail_server_that_is_away_leaves_the_link(as_alice: Client, url: str, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    page = as_alice.post(url, {"email": "dora@example.com", "role": "member"}).content.decode()
    assert "could not be sent" in page
    assert "/invitations/" in page


@pytest.mark.parametrize(
    "wrong",
    [
        {"email": "nobody", "role": "member"},
        {"email": "bob@example.com", "role": "member"},
        {"email": "dora@example.com", "role": "root"},
        {"email": "dora@example.com\r\nBcc: eve@example.com", "role": "member"},
    ],
)
def test_a_wrong_invitation_is_not_sent(as_alice: Client, bob: User, url: str, wrong: dict[str, str]) -> None:
    response = as_alice.post(url, wrong)
    assert response.status_code == 200
    assert 'class="errorlist"' in response.content.decode()
    assert not mail.outbox
    assert not Invitation.objects.exists()


def test_an_admin_cannot_invite_an_owner(as_bob: Client, bob: User, workspace: Workspace, url: str) -> None:
    give_role(bob, workspace, Role.ADMIN)
    assert "Select a valid choice" in as_bob.post(url, {"email": "d@example.com", "role": "owner"}).content.decode()
    assert not Invitation.objects.exists()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER])
def test_members_invite_nobody(as_bob: Client, bob: User, workspace: Workspace, url: str, role: Role) -> None:
    give_role(bob, workspace, role)
    assert as_bob.post(url, {"email": "dora@example.com", "role": "viewer"}).status_code == 403
    assert not Invitation.objects.exists()


def test_a_role_is_changed(as_alice: Client, bobs: Membership, url: str) -> None:
    assert as_alice.post(of("member_role", bobs), {"role": "admin"})["Location"] == url
    bobs.refresh_from_db()
    assert bobs.role == Role.ADMIN


def test_a_role_that_is_none_changes_nothing(as_alice: Client, bobs: Membership) -> None:
    as_alice.post(of("member_role", bobs), {"role": "root"})
    bobs.refresh_from_db()
    assert bobs.role == Role.VIEWER


def test_an_admin_makes_no_owner(as_bob: Client, bobs: Membership, bob: User, workspace: Workspace) -> None:
    give_role(bob, workspace, Role.ADMIN)
    assert as_bob.post(of("member_role", bobs), {"role": "owner"}).status_code == 403


def test_the_last_owner_is_told_why_they_stay(as_alice: Client, alices: Membership) -> None:
    page = as_alice.post(of("member_role", alices), {"role": "viewer"}, follow=True).content.decode()
    assert "A workspace needs an owner" in page
    page = as_alice.post(of("member_remove", alices)).content.decode()
    assert "A workspace needs an owner" in page
    alices.refresh_from_db()
    assert alices.role == Role.OWNER


def test_removing_asks_first(as_alice: Client, bobs: Membership, url: str) -> None:
    assert "no longer sees this workspace" in as_alice.get(of("member_remove", bobs)).content.decode()
    assert Membership.objects.filter(pk=bobs.pk).exists()
    assert as_alice.post(of("member_remove", bobs))["Location"] == url
    assert not Membership.objects.filter(pk=bobs.pk).exists()


def test_anybody_may_leave(as_bob: Client, bobs: Membership) -> None:
    assert as_bob.post(of("member_remove", bobs))["Location"] == "/"
    assert not Membership.objects.filter(pk=bobs.pk).exists()


@pytest.mark.parametrize("name", ["member_role", "member_remove"])
def test_a_viewer_changes_nobody_else(as_bob: Client, alices: Membership, name: str) -> None:
    assert as_bob.post(of(name, alices), {"role": "viewer"}).status_code == 403


@pytest.mark.parametrize("name", ["member_role", "member_remove"])
def test_a_stranger_finds_nobody(as_charlie: Client, charlie: User, bobs: Membership, name: str) -> None:
    assert as_charlie.post(of(name, bobs), {"role": "admin"}).status_code == 404
    own = Membership.objects.get(user=charlie).workspace_id
    assert as_charlie.post(reverse(name, args=[own, bobs.pk]), {"role": "admin"}).status_code == 404
    bobs.refresh_from_db()
    assert bobs.role == Role.VIEWER


def test_a_role_is_changed_by_a_form_only(as_alice: Client, bobs: Membership) -> None:
    assert as_alice.get(of("member_role", bobs)).status_code == 405


def test_an_invitation_is_withdrawn(as_alice: Client, alice: User, workspace: Workspace) -> None:
    invitation, token = invite(workspace=workspace, email="dora@example.com", role=Role.MEMBER, actor=alice)
    url = reverse("invitation_withdraw", args=[workspace.pk, invitation.pk])
    assert as_alice.get(url).status_code == 405
    as_alice.post(url)
    assert find_invitation(token) is None


def test_only_admins_of_the_workspace_withdraw(
    as_bob: Client, as_charlie: Client, charlie: User, alice: User, workspace: Workspace
) -> None:
    invitation, token = invite(workspace=workspace, email="dora@example.com", role=Role.MEMBER, actor=alice)
    own = Membership.objects.get(user=charlie).workspace_id
    assert as_bob.post(reverse("invitation_withdraw", args=[workspace.pk, invitation.pk])).status_code == 403
    assert as_charlie.post(reverse("invitation_withdraw", args=[workspace.pk, invitation.pk])).status_code == 404
    assert as_charlie.post(reverse("invitation_withdraw", args=[own, invitation.pk])).status_code == 404
    assert as_charlie.post(reverse("invitation_withdraw", args=[own, new_id()])).status_code == 404
    assert find_invitation(token) == invitation
