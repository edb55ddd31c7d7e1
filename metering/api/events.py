"""The calls of a workspace: as JSON pages, and as the same CSV that the events page exports."""

from __future__ import annotations

from django.http import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from metering import cursors, exports, selection
from metering.api.base import TokenView, read_filter, workspace_of
from metering.api.parameters import LIMITS, MORE, PERIOD
from metering.api.serializers import EventSerializer
from metering.cursors import InvalidCursor
from metering.selection import TooMuch
from tokonomics.problems import InvalidParameters, SelectionTooLarge

LARGEST_PAGE = 200


class EventList(TokenView):
    """`GET /api/v1/events`."""

    scope = "events:read"

    @extend_schema(
        operation_id="events",
        parameters=[
            *PERIOD,
            *LIMITS,
            *MORE,
            OpenApiParameter("cursor", str, description="`next` of the page before."),
            OpenApiParameter("limit", int, description=f"At most {LARGEST_PAGE}; default {selection.PAGE}."),
        ],
        responses=inline_serializer(
            "EventPage", {"data": EventSerializer(many=True), "next": serializers.CharField(allow_null=True)}
        ),
    )
    def get(self, request: Request) -> Response:
        """A page of calls, newest first, and the cursor of the next one (null: this was the last)."""
        chosen = read_filter(request, "cursor", "limit")
        size = _limit(request.query_params.get("limit", str(selection.PAGE)))
        try:
            cursor = cursors.decode(text) if (text := request.query_params.get("cursor")) else None
            page = selection.page(workspace_of(request).id, chosen, cursor, size)
        except InvalidCursor as error:
            raise InvalidParameters({"cursor": str(error)}) from error
        except TooMuch as error:
            raise SelectionTooLarge from error
        following = page.older.encode() if page.older else None
        return Response({"data": EventSerializer(list(page.events), many=True).data, "next": following})


class EventCsv(TokenView):
    """`GET /api/v1/events.csv`."""

    scope = "events:read"

    @extend_schema(
        operation_id="events_csv",
        parameters=[*PERIOD, *LIMITS, *MORE],
        responses={(200, "text/csv"): OpenApiResponse(OpenApiTypes.STR, description="One row a call, newest first.")},
    )
    def get(self, request: Request) -> HttpResponseBase:
        """All calls of a selection, streamed."""
        chosen = read_filter(request)
        workspace = workspace_of(request)
        name = exports.file_name(workspace.name, chosen)
        return StreamingHttpResponse(
            exports.events_csv(workspace.id, chosen),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= LARGEST_PAGE):
        raise InvalidParameters({"limit": f"Give a number from 1 to {LARGEST_PAGE}."})
    return int(text)
