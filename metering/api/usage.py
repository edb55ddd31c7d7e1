"""What the calls of a workspace add up to, by client, model, provider, key, day or tag."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from metering import breakdown
from metering.api.base import TokenView, read_filter, workspace_of
from metering.api.parameters import LIMITS, PERIOD
from metering.api.serializers import PeriodSerializer, SumsSerializer, period_data
from metering.breakdown import GROUPS, InvalidGroup
from metering.sums import Sums
from tokonomics.problems import InvalidParameters

COLUMNS = {"key_id": "key", "tag_value": "value"}
"""Columns whose name in an answer is another one."""


class UsageGroupSerializer(SumsSerializer):
    """One group: the fields that name it depend on `group_by`; a null client is Unattributed."""

    client = serializers.CharField(required=False, allow_null=True)
    provider = serializers.CharField(required=False)
    model = serializers.CharField(required=False)
    key = serializers.UUIDField(required=False)
    day = serializers.DateField(required=False)
    value = serializers.CharField(required=False)


class Usage(TokenView):
    """`GET /api/v1/usage`."""

    scope = "usage:read"

    @extend_schema(
        operation_id="usage",
        parameters=[
            OpenApiParameter("group_by", str, required=True, description=f"{', '.join(GROUPS)} or tag.<key>."),
            *PERIOD,
            *LIMITS,
        ],
        responses=inline_serializer(
            "Usage",
            {
                "period": PeriodSerializer(),
                "group_by": serializers.CharField(),
                "total": SumsSerializer(),
                "data": UsageGroupSerializer(many=True),
                "more": serializers.BooleanField(help_text=f"There are more than {breakdown.MOST} groups."),
            },
        ),
    )
    def get(self, request: Request) -> Response:
        """The dearest groups of a period, and its total. With a tag: only what the calls that carry it add up to."""
        chosen = read_filter(request, "group_by")
        group, workspace = request.query_params.get("group_by", ""), workspace_of(request)
        try:
            found = breakdown.breakdown(workspace, chosen, group)
        except InvalidGroup as error:
            raise InvalidParameters({"group_by": str(error)}) from error
        return Response(
            {
                "period": period_data(workspace, chosen.period),
                "group_by": group,
                "total": SumsSerializer(found.total).data,
                "data": [_group(columns, sums) for columns, sums in found.groups],
                "more": found.more,
            }
        )


def _group(columns: dict[str, Any], sums: Sums) -> dict[str, Any]:
    names = {COLUMNS.get(column, column): value for column, value in columns.items()}
    if "client" in names:
        names["client"] = names["client"] or None
    return {**names, **SumsSerializer(sums).data}
