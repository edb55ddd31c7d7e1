"""The price book in the REST API."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from genai_prices.types import TieredPrices
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.book import Quote
from billing.cards import BEGINNING, END
from billing.decomposition import UNITS
from billing.forms.days import FIRST_YEAR, LAST_YEAR
from billing.money import plain_text
from billing.price_words import CONTEXTS
from billing.pricebook import book_of, seller_of
from billing.rules import STANDARD, Rule
from metering import clock
from tokonomics.api import ApiTokenAuthentication, has_scope
from tokonomics.models import Workspace
from tokonomics.problems import InvalidParameters

PARAMETERS = ("provider", "model", "day", "tier")


class StepSerializer(serializers.Serializer[Any]):
    """The price of calls with a longer input."""

    over_input_tokens = serializers.IntegerField()
    price_usd = serializers.CharField()


class UnitSerializer(serializers.Serializer[Any]):
    """What one unit costs."""

    unit = serializers.CharField(help_text="As the lines of an event name it.")
    per = serializers.IntegerField(help_text="How many of the unit (of seconds 3600: an hour) the price is for.")
    price_usd = serializers.CharField()
    long = StepSerializer(many=True)
    origin = serializers.CharField(help_text="list, discount, workspace (its own price) or global (that for all).")


class Prices(APIView):
    """`GET /api/v1/prices`."""

    authentication_classes = (ApiTokenAuthentication,)

    def get_permissions(self) -> list[BasePermission]:
        """Who may read costs may read prices."""
        return [has_scope("usage:read")()]

    @extend_schema(
        operation_id="prices",
        parameters=[
            OpenApiParameter("provider", str, required=True, description="As in `/proxy/{provider}`."),
            OpenApiParameter("model", str, required=True),
            OpenApiParameter("day", OpenApiTypes.DATE, description="Its noon in the workspace's zone; default: now."),
            OpenApiParameter("tier", str, enum=list(CONTEXTS), description=f"Service tier; default: {STANDARD}."),
        ],
        responses=inline_serializer(
            "Price",
            {
                "provider": serializers.CharField(),
                "model": serializers.CharField(),
                "at": serializers.DateTimeField(),
                "tier": serializers.CharField(),
                "priced": serializers.BooleanField(),
                "version": serializers.CharField(help_text="What an event would keep as its price version."),
                "since": serializers.DateTimeField(allow_null=True),
                "until": serializers.DateTimeField(allow_null=True),
                "units": UnitSerializer(many=True),
            },
        ),
    )
    def get(self, request: Request) -> Response:
        """What a model costs on a day, unit by unit, and where each price comes from."""
        workspace: Workspace = request.auth.workspace  # type: ignore[union-attr]
        provider, model, tier, moment = _asked(request, workspace)
        quote = book_of(workspace).quote(seller_of(provider), model, moment, CONTEXTS[tier])
        return Response(
            {
                "provider": provider,
                "model": model,
                "at": moment,
                "tier": tier,
                "priced": bool(quote.units) or quote.listing is not None,
                "version": quote.version,
                "since": None if quote.since == BEGINNING else quote.since,
                "until": None if quote.until == END else quote.until,
                "units": [_unit(key, quote) for key in UNITS if key in quote.units],
            }
        )


def _asked(request: Request, workspace: Workspace) -> tuple[str, str, str, datetime]:
    """Provider, model, tier and moment; raises InvalidParameters."""
    given = {name: str(value).strip() for name, value in request.query_params.items()}
    errors = {name: "There is no such parameter." for name in given if name not in PARAMETERS}
    errors |= {name: "Name it." for name in ("provider", "model") if not given.get(name)}
    tier = given.get("tier") or STANDARD
    if tier not in CONTEXTS:
        errors["tier"] = f"Choose one of {', '.join(CONTEXTS)}."
    moment = timezone.now()
    if given.get("day"):
        day = _day(given["day"])
        if day is None or not FIRST_YEAR <= day.year <= LAST_YEAR:
            errors["day"] = f"Write a day from {FIRST_YEAR} to {LAST_YEAR} as 2026-11-25."
        else:
            moment = datetime.combine(day, time(12), clock.zone(workspace))
    if errors:
        raise InvalidParameters(errors)
    return given["provider"], given["model"], tier, moment


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _unit(key: str, quote: Quote) -> dict[str, Any]:
    price, rule = quote.units[key]
    base = price.base if isinstance(price, TieredPrices) else price
    steps = price.tiers if isinstance(price, TieredPrices) else []
    return {
        "unit": UNITS[key].name,
        "per": UNITS[key].per,
        "price_usd": plain_text(base),
        "long": [{"over_input_tokens": step.start, "price_usd": plain_text(step.price)} for step in steps],
        "origin": _origin(quote, rule),
    }


def _origin(quote: Quote, rule: Rule | None) -> str:
    if rule is None:
        return "discount" if quote.discount else "list"
    return "workspace" if rule.workspace else "global"
