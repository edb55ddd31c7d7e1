"""What a request's body says: JSON, or a form with files. Sans I/O."""

from __future__ import annotations

from typing import Any

import orjson

from metering.errors import Refusal
from metering.multipart import InvalidForm, text_fields


def read_json(body: bytes | bytearray) -> dict[str, Any]:
    """The body as a JSON object; raises Refusal `invalid_request`."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal("invalid_request", "The body is not valid JSON.") from error
    if not isinstance(document, dict):
        raise Refusal("invalid_request", "The body must be a JSON object.")
    return document


def read_form(body: bytes | bytearray) -> dict[str, Any]:
    """The short fields of a form with files (multipart/form-data, or JSON where the endpoint takes both).

    Raises Refusal `invalid_request`.
    """
    if body[:1] == b"{":
        return read_json(body)
    try:
        return dict(text_fields(body))
    except InvalidForm as error:
        raise Refusal("invalid_request", str(error)) from error


def model_of(document: dict[str, Any], usual: str = "") -> str:
    """The model that a body names, or the usual one of the endpoint, if any; raises Refusal `invalid_request`."""
    model = document.get("model") or usual
    if not isinstance(model, str) or not model or len(model) > 256:
        raise Refusal("invalid_request", 'The body must name the model as a text, such as "model": "gpt-4.1-mini".')
    return model
