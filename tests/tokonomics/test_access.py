from __future__ import annotations

from itertools import product
from uuid import UUID

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, HttpResponseBase
from django.test import RequestFactory

from tests.people import give_role
from tokonomics.access import WorkspaceRequest, reaches, workspace_view
from tokonomics.ids import new_id
from tokonomics.models import Role, User, Workspace


@workspace_view(Role.MEMBER)
def page(request: WorkspaceRequest, word: str) -> HttpResponse:
    return HttpResponse(f"{request.workspace.name} {request.role} {word}")


@workspace_view(Role.VIEWER, to_change=Role.ADMIN)
def form(request: WorkspaceRequest) -> HttpResponse:
    return HttpResponse(request.method)


def ask(user: User | AnonymousUser, workspace: UUID, method: str = "get", **headers: str) -> WorkspaceRequest:
    request = RequestFactory().generic(method.upper(), "/w/x/?a=1", headers=headers)
    request.user = user
    return request  # type: ignore[return-value]


def body(response: HttpResponseBase) -> bytes:
    assert isinstance(response, HttpResponse)
    return response.content


def test_each_role_reaches_as_far_as_those_below_it() -> None:
    order = [Role.VIEWER, Role.MEMBER, Role.ADMIN, Role.OWNER]
    for (have, role), (want, needed) in product(enumerate(order), enumerate(order)):
        assert reaches(role, needed) == (have >= want)


def test_a_member_gets_the_page_with_their_workspace_and_role(alice: User, workspace: Workspace) -> None:
    response = page(ask(alice, workspace.pk), workspace=workspace.pk, word="hello")
    assert body(response) == b"Ada's Agency owner hello"


def test_the_page_is_kept_by_no_cache(alice: User, workspace: Workspace) -> None:
    response = page(ask(alice, workspace.pk), workspace=workspace.pk, word="")
    assert set(response["Cache-Control"].split(", ")) == {"private", "no-store"}


def test_a_stranger_finds_nothing(charlie: User, workspace: Workspace) -> None:
    with pytest.raises(Http404):
        page(ask(charlie, workspace.pk), workspace=workspace.pk, word="")


def test_a_workspace_that_does_not_exist_looks_the_same(charlie: User) -> None:
    with pytest.raises(Http404):
        page(ask(charlie, new_id()), workspace=new_id(), word="")


def test_a_role_that_does_not_reach_is_refused(bob: User, workspace: Workspace) -> None:
    with pytest.raises(PermissionDenied):
        page(ask(bob, workspace.pk), workspace=workspace.pk, word="")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_changing_may_need_more_than_looking(bob: User, workspace: Workspace, method: str) -> None:
    assert body(form(ask(bob, workspace.pk), workspace=workspace.pk)) == b"GET"
    with pytest.raises(PermissionDenied):
        form(ask(bob, workspace.pk, method), workspace=workspace.pk)
    give_role(bob, workspace, Role.ADMIN)
    assert body(form(ask(bob, workspace.pk, method), workspace=workspace.pk)) == method.upper().encode()


def test_who_is_not_signed_in_logs_in_first_and_comes_back(workspace: Workspace) -> None:
    response = page(ask(AnonymousUser(), workspace.pk), workspace=workspace.pk, word="")
    assert (response.status_code, response["Location"]) == (302, "/accounts/login/?next=/w/x/%3Fa%3D1")


def test_a_fragment_of_somebody_logged_out_reloads_the_page(workspace: Workspace) -> None:
    request = ask(AnonymousUser(), workspace.pk)
    request.htmx = True  # type: ignore[assignment]
    response = page(request, workspace=workspace.pk, word="")
    assert (response.status_code, response["HX-Refresh"]) == (401, "true")
