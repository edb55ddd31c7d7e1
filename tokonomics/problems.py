"""Errors of the REST API: `{"error": {"code", "message"}}`, with `fields` where single parameters are wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, JsonResponse
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.response import Response
from rest_framework.views import exception_handler


class InvalidParameters(APIException):
    """Parameters that mean nothing: `fields` says for each what to change."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "invalid_request"

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(" ".join(f"{name}: {message}" for name, message in fields.items()))
        self.fields = dict(fields)


class SelectionTooLarge(APIException):
    """More than can be gone through while a caller waits."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "selection_too_large"
    default_detail = "The selection is too large: choose fewer days or fewer tags, or export it as CSV."


def answer(error: Exception, context: dict[str, Any]) -> Response | None:
    """What the caller of the API gets for an exception; None: it is a fault of ours."""
    response = exception_handler(error, context)
    if response is None:
        return None
    detail = response.data.get("detail") if isinstance(response.data, dict) else None
    body: dict[str, Any] = {"code": getattr(detail, "code", "invalid_request"), "message": str(detail or error)}
    if isinstance(error, InvalidParameters):
        body["fields"] = error.fields
    response.data = {"error": body}
    return response


def not_found(request: HttpRequest) -> JsonResponse:
    """For every address below /api/ that is none."""
    error = {"code": "not_found", "message": "No such endpoint. The OpenAPI document at /api/v1/schema lists them all."}
    return JsonResponse({"error": error}, status=404)
