"""What a key has used itself this month: `GET /api/v1/me/usage`, with the `mk_` key."""

from __future__ import annotations

from datetime import UTC
from typing import Any, cast

from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from metering import breakdown, clock, periods
from metering.api.base import AsWritten
from metering.api.serializers import Dollars, PeriodSerializer, SumsSerializer, period_data
from metering.models import ApiKey
from metering.standings import Standing, standing_of_key
from tokonomics.problems import InvalidParameters


class KeyCaller:
    """Who calls: an API key, which is nobody's session."""

    is_authenticated = True
    is_active = True

    def __init__(self, key: ApiKey) -> None:
        self.pk = key.pk


class ApiKeyAuthentication(BaseAuthentication):
    """Puts the key's row as `request.auth`."""

    def authenticate(self, request: Request) -> tuple[KeyCaller, ApiKey] | None:
        """None without an Authorization header; raises AuthenticationFailed (401) and PermissionDenied (403)."""
        header = get_authorization_header(request)
        if not header:
            return None
        scheme, _, text = header.decode("latin-1").partition(" ")
        key = breakdown.find_key(text) if scheme.lower() == "bearer" else None
        if key is None:
            raise AuthenticationFailed("Send an API key: Authorization: Bearer mk_….", code="invalid_api_key")
        if key.revoked_at:
            raise PermissionDenied("This API key was revoked.", code="key_disabled")
        if key.workspace.suspended_at:
            raise PermissionDenied("This workspace is suspended.", code="workspace_suspended")
        return KeyCaller(key), key

    def authenticate_header(self, request: Request) -> str:
        """What a 401 asks for."""
        return "Bearer"


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document describes the key."""

    target_class = ApiKeyAuthentication
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """A bearer token."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "mk_…"}


class OwnKeySerializer(serializers.Serializer[ApiKey]):
    """The key that asks; a null client is none that it is bound to."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    last_four = serializers.CharField()
    client = serializers.CharField(source="client.slug", default=None, allow_null=True)


class ModelSerializer(SumsSerializer):
    """A model's part."""

    provider = serializers.CharField()
    model = serializers.CharField()


class DaySerializer(SumsSerializer):
    """A day's part."""

    day = serializers.DateField()


class OwnBudgetSerializer(serializers.Serializer[Standing]):
    """What holds the key's calls back: its own budget, else the tightest of its client's and its workspace's.

    A cap stops calls, a budget only warns. limit = settled + reserved + left, unless more was spent than the limit.
    """

    of = serializers.SerializerMethodField()
    kind = serializers.SerializerMethodField()
    state = serializers.CharField(help_text="ok, near (from 80 %), over (a budget), used_up (a cap) or paused.")
    limit_usd = Dollars(source="limit", help_text="With a raise that runs.")
    settled_usd = Dollars(source="settled", help_text="What the calls of its month cost.")
    reserved_usd = Dollars(source="reserved", help_text="What running calls may still cost.")
    left_usd = Dollars(source="free", help_text="What a new call can have.")
    resets = serializers.DateTimeField(source="ends", default_timezone=UTC)

    @extend_schema_field(serializers.ChoiceField(choices=["key", "client", "workspace"]))
    def get_of(self, standing: Standing) -> str:
        """Whose it is."""
        budget = standing.budget
        return "key" if budget.key_id else "client" if budget.client_id else "workspace"

    @extend_schema_field(serializers.ChoiceField(choices=["cap", "budget"]))
    def get_kind(self, standing: Standing) -> str:
        """Whether it stops calls."""
        return "cap" if standing.budget.hard else "budget"


class OwnUsageSerializer(SumsSerializer):
    """A key's month; a null budget is none."""

    key = OwnKeySerializer()
    period = PeriodSerializer()
    budget = OwnBudgetSerializer(allow_null=True)
    refused = serializers.DictField(
        child=serializers.IntegerField(), help_text="Calls that were refused and so are no events, by code."
    )
    by_model = ModelSerializer(many=True)
    by_day = DaySerializer(many=True)


class OwnUsage(APIView):
    """`GET /api/v1/me/usage`."""

    authentication_classes = (ApiKeyAuthentication,)
    content_negotiation_class = AsWritten

    @extend_schema(operation_id="own_usage", responses=OwnUsageSerializer)
    def get(self, request: Request) -> Response:
        """This month of the key that asks, in its workspace's time zone, and the budget that holds its calls back."""
        if request.query_params:
            raise InvalidParameters(dict.fromkeys(request.query_params, "There is no such parameter."))
        key = cast(ApiKey, request.auth)
        month = periods.preset("month", clock.today(key.workspace))
        budget = standing_of_key(key, timezone.now())
        used = breakdown.key_usage(key, month)
        return Response(
            {
                "key": OwnKeySerializer(key).data,
                "period": period_data(key.workspace, month.whole),
                "budget": OwnBudgetSerializer(budget).data if budget else None,
                **SumsSerializer(used.total).data,
                "refused": used.refused,
                "by_model": [{**columns, **SumsSerializer(sums).data} for columns, sums in used.models],
                "by_day": [{**columns, **SumsSerializer(sums).data} for columns, sums in used.days],
            }
        )
