from __future__ import annotations

import pytest
import time_machine
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from metering.models import ApiKey
from tests import ledger
from tests.factories import ApiKeyFactory, BudgetFactory, ClientFactory
from tests.metering.views.conftest import words
from tests.people import give_role
from tokonomics.models import Role, User, Workspace


def at(name: str, workspace: Workspace, *ids: object) -> str:
    return reverse(name, args=[workspace.pk, *ids])


@pytest.fixture
def member(as_bob: Browser, bob: User, workspace: Workspace) -> Browser:
    """Bob as a member, who may change keys."""
    give_role(bob, workspace, Role.MEMBER)
    return as_bob


@pytest.mark.usefixtures("june")
def test_a_key_with_its_limits_and_budget(as_bob: Browser, workspace: Workspace) -> None:
    client = ClientFactory.create(workspace=workspace, name="Acme")
    key = ApiKeyFactory.create(
        workspace=workspace,
        name="bot",
        last_four="4f2a",
        client=client,
        requests_per_minute=60,
        allowed_models=["gpt-4.1*", "o3"],
        allowed_providers=["openai"],
    )
    BudgetFactory.create(workspace=workspace, key=key, limit=10 * 10**9)
    ledger.record(ledger.event(workspace, key_id=key.pk, cost=2 * 10**9))
    text = words(as_bob.get(at("key", workspace, key.pk)))
    assert "Keys / bot mk_…4f2a" in text
    assert "Cap: 20 % used: $2.00 of $10.00 , resets 1 July" in text
    assert "This month $2.00 Last call 23 June, 14:00:00 Client Acme" in text
    limits = "Requests a minute 60 Tokens a minute no limit Models gpt-4.1*, o3 Providers OpenAI"
    assert limits in text
    assert "Edit" not in text


def test_a_key_without_any(as_alice: Browser, workspace: Workspace) -> None:
    key = ApiKeyFactory.create(workspace=workspace)
    text = words(as_alice.get(at("key", workspace, key.pk)))
    assert "No cap. Calls with this key pass whatever they cost" in text
    assert "Set a cap or a budget" in text
    assert "Models every model Providers every provider" in text


def test_a_revoked_key_is_only_looked_at(as_alice: Browser, workspace: Workspace) -> None:
    key = ApiKeyFactory.create(workspace=workspace, revoked_at=timezone.now())
    text = words(as_alice.get(at("key", workspace, key.pk)))
    assert "revoked" in text
    assert ("Set a cap" in text, "Change" in text) == (False, False)


def test_limits_are_changed(member: Browser, workspace: Workspace) -> None:
    key = ApiKeyFactory.create(
        workspace=workspace, name="bot", allowed_models=["gpt-4.1*", "o3"], allowed_providers=["sandbox"]
    )
    url = at("key_edit", workspace, key.pk)
    page = member.get(url).content.decode()
    assert "gpt-4.1*\no3</textarea>" in page
    assert 'value="sandbox"' in page
    assert "checked" in page
    asked = {"name": "bot", "requests_per_minute": "5", "tokens_per_minute": "90000", "allowed_models": "o3"}
    with time_machine.travel(timezone.now()):
        text = words(member.post(url, asked, follow=True))
    assert "bot is saved. Calls meet its limits from now on." in text
    assert "Requests a minute 5 Tokens a minute 90,000 Models o3 Providers every provider" in text


def test_wrong_limits_change_nothing(member: Browser, workspace: Workspace) -> None:
    key = ApiKeyFactory.create(workspace=workspace, name="bot")
    answer = member.post(at("key_edit", workspace, key.pk), {"name": "robot", "allowed_models": "gpt?4"})
    assert "“gpt?4” is not a model’s name" in words(answer)
    assert 'value="robot"' in answer.content.decode()
    assert "Edit bot" in words(answer)
    assert ApiKey.objects.get().name == "bot"


def test_a_key_is_renamed(member: Browser, workspace: Workspace) -> None:
    key = ApiKeyFactory.create(workspace=workspace, name="bot")
    url = at("key_edit", workspace, key.pk)
    assert 'value="bot"' in member.get(url).content.decode()
    assert member.post(url, {"name": "robot", "revoked_at": "2026-01-01"})["Location"] == at("key", workspace, key.pk)
    key.refresh_from_db()
    assert (key.name, key.revoked_at) == ("robot", None)


@pytest.mark.parametrize("name", ["", "\u202e", "x" * 101])
def test_a_wrong_name_changes_nothing(member: Browser, workspace: Workspace, name: str) -> None:
    key = ApiKeyFactory.create(workspace=workspace, name="bot")
    assert member.post(at("key_edit", workspace, key.pk), {"name": name}).status_code == 200
    key.refresh_from_db()
    assert key.name == "bot"


def test_revoking_asks_first(member: Browser, workspace: Workspace) -> None:
    key = ApiKeyFactory.create(workspace=workspace)
    url = at("key_revoke", workspace, key.pk)
    assert "cannot be undone" in member.get(url).content.decode()
    key.refresh_from_db()
    assert key.revoked_at is None
    page = member.post(url, follow=True).content.decode()
    assert "is revoked. Calls with it are refused from now on." in page
    key.refresh_from_db()
    assert key.revoked_at is not None
