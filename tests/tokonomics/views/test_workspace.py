from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from tests.factories import UserFactory
from tests.people import give_role, signed_in
from tokonomics.models import AuditEntry, Role, User, Workspace

GOOD = {"name": "Ada & Co", "timezone": "America/Toronto"}


@pytest.fixture
def url(workspace: Workspace) -> str:
    return reverse("settings", args=[workspace.pk])


def test_an_admin_changes_name_and_zone(as_bob: Client, bob: User, workspace: Workspace, url: str) -> None:
    give_role(bob, workspace, Role.ADMIN)
    assert as_bob.post(url, GOOD)["Location"] == url
    workspace.refresh_from_db()
    assert (workspace.name, workspace.timezone) == ("Ada & Co", "America/Toronto")
    assert AuditEntry.objects.get().actor == bob


def test_a_viewer_looks(as_bob: Client, url: str) -> None:
    page = as_bob.get(url).content.decode()
    assert "Europe/Vienna" in page
    assert 'name="timezone"' not in page


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER])
def test_a_member_changes_nothing(as_bob: Client, bob: User, workspace: Workspace, url: str, role: Role) -> None:
    give_role(bob, workspace, role)
    assert as_bob.post(url, GOOD).status_code == 403
    workspace.refresh_from_db()
    assert workspace.name == "Ada's Agency"


def test_a_stranger_finds_nothing(as_charlie: Client, url: str) -> None:
    assert as_charlie.get(url).status_code == 404
    assert as_charlie.post(url, GOOD).status_code == 404


def test_a_visitor_logs_in_first(client: Client, url: str) -> None:
    assert client.get(url)["Location"] == f"/accounts/login/?next={url}"


@pytest.mark.parametrize("wrong", [{"name": ""}, {"name": "\u202e"}, {"timezone": "Factory"}])
def test_a_wrong_answer_changes_nothing(
    as_alice: Client, url: str, workspace: Workspace, wrong: dict[str, str]
) -> None:
    response = as_alice.post(url, {**GOOD, **wrong})
    assert response.status_code == 200
    assert 'class="errorlist"' in response.content.decode() or 'role="alert"' in response.content.decode()
    workspace.refresh_from_db()
    assert (workspace.name, workspace.timezone) == ("Ada's Agency", "Europe/Vienna")


def test_other_fields_cannot_be_set(as_alice: Client, url: str, workspace: Workspace) -> None:
    as_alice.post(url, {**GOOD, "suspended_at": "2026-01-01", "id": "0", "created_at": "2000-01-01"})
    before = (workspace.id, workspace.created_at)
    workspace.refresh_from_db()
    assert (workspace.id, workspace.created_at, workspace.suspended_at) == (*before, None)


def test_another_workspace_is_opened(as_alice: Client, alice: User) -> None:
    response = as_alice.post("/workspaces/new/", GOOD)
    opened = Workspace.objects.get(name="Ada & Co")
    assert response["Location"] == f"/w/{opened.pk}/"
    assert opened.memberships.get().user == alice


def test_another_workspace_needs_a_name(as_alice: Client) -> None:
    assert as_alice.post("/workspaces/new/", {**GOOD, "name": "\u202e"}).status_code == 200
    assert Workspace.objects.count() == 1


@pytest.mark.django_db
def test_who_belongs_nowhere_is_led_to_open_a_workspace() -> None:
    assert signed_in(UserFactory.create()).get("/")["Location"] == "/workspaces/new/"


def test_opening_a_workspace_needs_a_log_in(client: Client) -> None:
    assert client.get("/workspaces/new/").status_code == 302
