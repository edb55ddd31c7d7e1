"""Calls whose process died before it could write what came of them. Pure."""

from __future__ import annotations

from typing import Any

ORPHAN = "orphan"
"""Flag: the event is made from the intent alone, since the gateway process that had the call is gone."""


def orphan(intent: dict[str, Any]) -> dict[str, Any]:
    """The result of a call of which only the intent is known: it may have reached the provider, so it is not free.

    Its usage and cost are the intent's estimate. Raises KeyError, TypeError or AttributeError for no intent of ours.
    """
    facts = dict(intent)
    estimate = facts.pop("estimate")
    tokens, cost = estimate["input_tokens"], estimate["cost"]
    source, version = estimate.get("price") or ("catalogue", "")
    return facts | {
        "kind": "result",
        "requested_model": facts["model"],
        "status": "aborted",
        "http_status": 0,
        "estimated": True,
        "usage": {"input_tokens": tokens} if tokens else {},
        "cost": cost,
        "cost_source": "" if cost is None else source,
        "price_version": "" if cost is None else version,
        "lines": [],
        "provider_cost": None,
        "latency_ms": 0,
        "first_byte_ms": None,
        "flags": [ORPHAN],
        "source": "proxy",
    }
