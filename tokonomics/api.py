"""The doors of the REST API: a workspace's token in `Authorization: Bearer tk_…`, and the scopes that it has.

Cookies open nothing here, so that no page elsewhere can make a browser call the API.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from tokonomics.crypto import TOKEN_PREFIX
from tokonomics.models import ApiToken
from tokonomics.tokens import find_token

LONGEST_TOKEN = 100


class Caller:
    """Who calls: a token, which is nobody's session."""

    is_authenticated = True
    is_anonymous = False
    is_active = True

    def __init__(self, token: ApiToken) -> None:
        self.token = token
        self.pk = token.pk

    def __str__(self) -> str:
        return str(self.token)


class ApiTokenAuthentication(BaseAuthentication):
    """Puts the token's row as `request.auth` and its workspace as `request.workspace`."""

    def authenticate(self, request: Request) -> tuple[Caller, ApiToken] | None:
        """None without an Authorization header; raises AuthenticationFailed, or PermissionDenied: suspended."""
        header = get_authorization_header(request)
        if not header:
            return None
        scheme, _, text = header.decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not text.startswith(TOKEN_PREFIX) or len(text) > LONGEST_TOKEN:
            raise AuthenticationFailed("Send a token of your workspace: Authorization: Bearer tk_….")
        token = find_token(text)
        if token is None:
            raise AuthenticationFailed("This token is unknown or was revoked.")
        if token.workspace.suspended_at:
            raise PermissionDenied("This workspace is suspended.", code="workspace_suspended")
        request.workspace = request._request.workspace = token.workspace  # type: ignore[attr-defined]  # noqa: SLF001
        return Caller(token), token

    def authenticate_header(self, request: Request) -> str:
        """What a 401 asks for."""
        return "Bearer"


def has_scope(scope: str) -> type[BasePermission]:
    """A permission class: the token has this scope (tokonomics.tokens.SCOPES)."""

    class HasScope(BasePermission):
        message = f"The token lacks the scope {scope}."

        def has_permission(self, request: Request, view: APIView) -> bool:
            return isinstance(request.auth, ApiToken) and scope in request.auth.scopes

    return HasScope


class ApiTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document describes the token."""

    target_class = ApiTokenAuthentication
    name = "apiToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """A bearer token."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "tk_…"}
