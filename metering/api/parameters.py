"""The parameters that select calls, as the OpenAPI document tells them."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from metering.filters import ONLY, STATUSES
from metering.periods import PRESETS

PERIOD = (
    OpenApiParameter("period", str, enum=list(PRESETS), description="Default: this month, in the workspace's zone."),
    OpenApiParameter("from", OpenApiTypes.DATE, description="First day, included; instead of a period."),
    OpenApiParameter("to", OpenApiTypes.DATE, description="Last day, included."),
)
LIMITS = (
    OpenApiParameter("client", str, description="A client's tag."),
    OpenApiParameter("unattributed", str, enum=["1"], description="Only calls without a client."),
    OpenApiParameter("provider", str),
    OpenApiParameter("model", str),
    OpenApiParameter("key", OpenApiTypes.UUID, description="An API key's id."),
)
MORE = (
    OpenApiParameter("status", str, enum=list(STATUSES)),
    OpenApiParameter("only", str, enum=list(ONLY)),
    OpenApiParameter(
        "tag.{key}", str, many=True, description="A tag's value, such as tag.project=chatbot; repeatable."
    ),
)
