"""Requests and their bounds, as the gateway asks for them."""

from __future__ import annotations

import json
from typing import Any

from metering import providers
from metering.bounds import Bound, bound

WINDOW = 128_000
CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
GEMINI = "/v1beta/models/gemini-2.5-flash:generateContent"


def bounded(slug: str, path: str, document: dict[str, Any], *, model: str = "m", window: int = WINDOW) -> Bound:
    """The bound of a request to a provider's path."""
    provider = providers.find(slug)
    assert provider is not None
    route = provider.route("POST", path)
    assert route is not None
    dialect = route.endpoint.dialect or provider.dialect
    return bound(route.endpoint, dialect, document, length(document), model=route.model or model, window=window)


def said(content: Any, **more: Any) -> dict[str, Any]:
    """A request with one message."""
    return {"model": "m", "messages": [{"role": "user", "content": content}], "max_tokens": 100} | more


def length(document: dict[str, Any]) -> int:
    """Bytes of its body."""
    return len(json.dumps(document, ensure_ascii=False).encode())
