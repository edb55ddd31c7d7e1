from __future__ import annotations

import pytest
from django.test import Client

from tests.factories import MembershipFactory, WorkspaceFactory
from tokonomics.models import User, Workspace


@pytest.mark.django_db
def test_strangers_read_what_it_is(client: Client) -> None:
    page = client.get("/").content.decode()
    assert "Know what each client’s AI cost." in page
    assert 'base_url="http://127.0.0.1:8000/proxy/openai"' in page.replace("&quot;", '"')
    assert 'href="/accounts/signup/"' in page
    assert 'href="/accounts/login/"' in page


def test_members_go_to_the_workspace_they_joined_first(as_alice: Client, alice: User, workspace: Workspace) -> None:
    MembershipFactory.create(user=alice, workspace=WorkspaceFactory.create())
    assert as_alice.get("/").headers["Location"] == f"/w/{workspace.id}/"


@pytest.mark.django_db
def test_pages_run_and_style_nothing_in_line(client: Client, as_alice: Client, workspace: Workspace) -> None:
    for response in (client.get("/"), client.get("/accounts/login/"), as_alice.get(f"/w/{workspace.id}/")):
        page = response.content.decode()
        assert "style=" not in page
        assert "<script>" not in page
        assert "unsafe" not in response["Content-Security-Policy"]


@pytest.mark.django_db
def test_an_address_that_is_none(client: Client) -> None:
    response = client.get("/nowhere")
    assert response.status_code == 404
    assert "Nothing is here" in response.content.decode()
