from __future__ import annotations

import re

import pytest
from django.test import Client as Browser
from django.urls import reverse

from tests.factories import BudgetFactory
from tests.ledger import event, record
from tests.metering.views.conftest import words
from tests.people import give_role
from tokonomics.models import Role, User, Workspace

pytestmark = pytest.mark.usefixtures("june")


@pytest.fixture
def url(workspace: Workspace) -> str:
    return reverse("workspace_budget", args=[workspace.pk])


def test_the_budget_of_all_calls(as_bob: Browser, url: str, workspace: Workspace) -> None:
    assert "No cap. All calls of the workspace together pass whatever they cost." in words(as_bob.get(url))
    BudgetFactory.create(workspace=workspace, limit=10 * 10**9)
    record(event(workspace, cost=10**9), event(workspace, cost=2 * 10**9, client=""))
    response = as_bob.get(url)
    assert "Cap: 30 % used: $3.00 of $10.00 , resets 1 July" in words(response)
    assert "Live Pause" in words(response)
    assert "hx-get" in response.content.decode()
    paused = as_bob.get(url, {"live": "off"})
    assert "hx-get" not in paused.content.decode()
    assert "Resume" in words(paused)


def test_an_admin_chooses_the_status_of_refusals(as_bob: Browser, bob: User, url: str, workspace: Workspace) -> None:
    give_role(bob, workspace, Role.ADMIN)
    assert re.search(r'value="429"[^>]* checked', as_bob.get(url).content.decode())
    text = words(as_bob.post(url, {"status": "402"}, follow=True))
    assert "Calls that no cap has room for are answered with 402." in text
    workspace.refresh_from_db()
    assert workspace.budget_status == 402


@pytest.mark.parametrize("status", ["", "200", "many"])
def test_a_status_that_is_none(as_alice: Browser, url: str, workspace: Workspace, status: str) -> None:
    answer = as_alice.post(url, {"status": status})
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    workspace.refresh_from_db()
    assert workspace.budget_status == 429


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER])
def test_a_member_looks(as_bob: Browser, bob: User, url: str, workspace: Workspace, role: Role) -> None:
    give_role(bob, workspace, role)
    text = words(as_bob.get(url))
    assert "Calls are refused with 429 Too Many Requests." in text
    assert "Set a cap" not in text
    assert as_bob.post(url, {"status": "402"}).status_code == 403
    workspace.refresh_from_db()
    assert workspace.budget_status == 429


def test_a_stranger_finds_nothing(as_charlie: Browser, url: str) -> None:
    assert as_charlie.get(url).status_code == 404
    assert as_charlie.post(url, {"status": "402"}).status_code == 404
