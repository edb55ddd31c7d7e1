from __future__ import annotations

import pytest
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from tests.factories import ApiTokenFactory
from tokonomics.api import ApiTokenAuthentication, has_scope
from tokonomics.models import ApiToken

pytestmark = pytest.mark.django_db


class Page(APIView):
    authentication_classes = (ApiTokenAuthentication,)
    permission_classes = (has_scope("events:read"),)

    def get(self, request: Request) -> Response:
        workspace = request.workspace  # type: ignore[attr-defined]
        assert request._request.workspace == workspace  # type: ignore[attr-defined]
        return Response({"workspace": str(workspace), "token": str(request.auth), "user": str(request.user)})


def get(authorization: str | None) -> Response:
    headers = {"Authorization": authorization} if authorization is not None else {}
    return Page.as_view()(APIRequestFactory().get("/", headers=headers))


@pytest.fixture
def token() -> ApiToken:
    return ApiTokenFactory.create(token="tk_known", name="report", last_four="nown", workspace__name="Ada")


def test_a_token_opens_its_workspace(token: ApiToken) -> None:
    response = get("Bearer tk_known")
    assert (response.status_code, response.data) == (
        200,
        {"workspace": "Ada", "token": "report (tk_…nown)", "user": "report (tk_…nown)"},
    )


def test_the_scheme_is_read_in_any_case(token: ApiToken) -> None:
    assert get("bearer tk_known").status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer    ",
        "tk_known",
        "Basic dGtfa25vd246",
        "Bearer tk_unknown",
        "Bearer mk_known",
        "Bearer tk_known tk_known",
        "Bearer tk_known, Bearer tk_known",
        "Bearer tk_\u00e9",
        "Bearer tk_' OR '1'='1",
        "Bearer tk_" + "x" * 100_000,
        "Bearer eyJhbGciOiJub25lIn0.e30.",
    ],
)
def test_anything_else_opens_nothing(token: ApiToken, authorization: str | None) -> None:
    response = get(authorization)
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
    assert "tk_known" not in str(response.data)


def test_a_revoked_token_opens_nothing(token: ApiToken) -> None:
    ApiToken.objects.update(revoked_at=timezone.now())
    assert get("Bearer tk_known").status_code == 401


def test_a_suspended_workspace_is_closed(token: ApiToken) -> None:
    token.workspace.suspended_at = timezone.now()
    token.workspace.save()
    response = get("Bearer tk_known")
    assert (response.status_code, response.data["error"]["code"]) == (403, "workspace_suspended")


def test_a_token_without_the_scope_is_refused(token: ApiToken) -> None:
    ApiToken.objects.update(scopes=["usage:read"])
    response = get("Bearer tk_known")
    error = {"code": "permission_denied", "message": "The token lacks the scope events:read."}
    assert (response.status_code, response.data) == (403, {"error": error})
