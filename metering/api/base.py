"""What the endpoints of metering share: who may call them, and how their parameters are read."""

from __future__ import annotations

from collections.abc import Iterable

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from metering import clock, filters
from metering.filters import EventFilter, InvalidFilter
from tokonomics.api import ApiTokenAuthentication, has_scope
from tokonomics.models import Workspace
from tokonomics.problems import InvalidParameters


class AsWritten(BaseContentNegotiation):
    """An endpoint answers in its one format, whatever the caller accepts."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        """The first."""
        return next(iter(parsers))

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """The first."""
        first = next(iter(renderers))
        return first, str(first.media_type)


class TokenView(APIView):
    """An endpoint of one workspace, that of the token; `scope` is what the token needs."""

    authentication_classes = (ApiTokenAuthentication,)
    content_negotiation_class = AsWritten
    scope: str

    def get_permissions(self) -> list[BasePermission]:
        """The token's scope alone."""
        return [has_scope(self.scope)()]


def workspace_of(request: Request) -> Workspace:
    """The workspace of the token that called."""
    workspace: Workspace = request.auth.workspace  # type: ignore[union-attr]
    return workspace


def read_filter(request: Request, *also: str) -> EventFilter:
    """The selection that the parameters name; raises `InvalidParameters`, for names that mean nothing as well."""
    unknown = filters.unknown(request.query_params, *also)
    errors = dict.fromkeys(unknown, "There is no such parameter.")
    given = {name: [str(value) for value in values] for name, values in request.query_params.lists()}
    try:
        chosen = filters.read(given, clock.today(workspace_of(request)))
    except InvalidFilter as error:
        raise InvalidParameters(errors | error.errors) from error
    if errors:
        raise InvalidParameters(errors)
    return chosen
