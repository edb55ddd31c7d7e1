from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from tests.factories import ApiTokenFactory
from tests.people import give_role
from tokonomics.models import ApiToken, Membership, Role, User, Workspace
from tokonomics.tokens import find_token


def at(name: str, workspace: Workspace, *ids: object) -> str:
    return reverse(name, args=[workspace.pk, *ids])


def test_a_new_token_is_shown_once_and_works(as_alice: Client, workspace: Workspace) -> None:
    page = as_alice.post(at("token_new", workspace), {"name": "report", "scopes": ["events:read"]}).content.decode()
    found = re.search(r"tk_[\w-]{43}", page)
    assert found
    token = find_token(found[0])
    assert token
    assert (token.workspace, token.name, token.scopes) == (workspace, "report", ["events:read"])
    listed = as_alice.get(at("tokens", workspace)).content.decode()
    assert found[0] not in listed
    assert f"tk_…{found[0][-4:]}" in listed


@pytest.mark.parametrize(
    "wrong", [{"name": "", "scopes": ["events:read"]}, {"name": "a"}, {"name": "a", "scopes": ["root"]}]
)
def test_a_wrong_answer_makes_none(as_alice: Client, workspace: Workspace, wrong: dict[str, object]) -> None:
    response = as_alice.post(at("token_new", workspace), wrong)
    assert response.status_code == 200
    assert 'class="errorlist"' in response.content.decode()
    assert not ApiToken.objects.exists()


def test_revoking_asks_first(as_alice: Client, workspace: Workspace) -> None:
    token = ApiTokenFactory.create(workspace=workspace)
    url = at("token_revoke", workspace, token.pk)
    assert "cannot be undone" in as_alice.get(url).content.decode()
    token.refresh_from_db()
    assert token.revoked_at is None
    as_alice.post(url)
    token.refresh_from_db()
    assert token.revoked_at is not None


@pytest.mark.parametrize("tokens", [1, 3])
def test_the_list_takes_the_same_queries_for_any_number(
    as_alice: Client, alice: User, workspace: Workspace, tokens: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ApiTokenFactory.create_batch(tokens, workspace=workspace, created_by=alice)
    with django_assert_num_queries(5):
        assert as_alice.get(at("tokens", workspace)).content.count(b"<tr>") == tokens + 1


def test_an_empty_list_says_the_next_step(as_alice: Client, workspace: Workspace) -> None:
    assert "Make the first token" in as_alice.get(at("tokens", workspace)).content.decode()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER])
def test_tokens_are_for_admins(as_bob: Client, bob: User, workspace: Workspace, role: Role) -> None:
    give_role(bob, workspace, role)
    token = ApiTokenFactory.create(workspace=workspace)
    for url in (at("tokens", workspace), at("token_new", workspace), at("token_revoke", workspace, token.pk)):
        assert as_bob.get(url).status_code == 403
    assert as_bob.post(at("token_revoke", workspace, token.pk)).status_code == 403
    assert as_bob.post(at("token_new", workspace), {"name": "a", "scopes": ["events:read"]}).status_code == 403
    assert ApiToken.objects.get().revoked_at is None


def test_a_stranger_finds_no_token(as_charlie: Client, charlie: User, workspace: Workspace) -> None:
    token = ApiTokenFactory.create(workspace=workspace, name="Ada's token")
    own = Membership.objects.get(user=charlie).workspace
    assert as_charlie.get(at("tokens", workspace)).status_code == 404
    assert as_charlie.post(at("token_revoke", workspace, token.pk)).status_code == 404
    assert as_charlie.post(at("token_revoke", own, token.pk)).status_code == 404
    assert b"token&#x27;s" not in as_charlie.get(at("tokens", own)).content
    token.refresh_from_db()
    assert token.revoked_at is None
