"""Providers that tell what a call cost, in each of their dialects."""

from __future__ import annotations

from typing import Any

import pytest

from metering import providers
from metering.usage import Reading, Usage

CHAT = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
RESPONSE = {"input_tokens": 9, "output_tokens": 1, "total_tokens": 10}
MESSAGE = {"input_tokens": 9, "output_tokens": 1}
TICKS = {"cost_in_usd_ticks": 37_756_000}
CREDITS = {"cost": 0.0037756}
TOTAL = {"cost": {"input_tokens_cost": 0.001, "total_cost": 0.0037756}}
COST = 3_775_600


def reading(slug: str, path: str, document: Any) -> Reading:
    route = providers.PROVIDERS[slug].route("POST", path)
    assert route is not None
    reader = route.endpoint.reader()
    reader.read(document)
    return reader.reading()


@pytest.mark.parametrize(
    ("slug", "path", "document"),
    [
        ("xai", "/v1/chat/completions", {"usage": CHAT | TICKS}),
        ("xai", "/v1/responses", {"status": "completed", "usage": RESPONSE | TICKS}),
        ("openrouter", "/chat/completions", {"usage": CHAT | CREDITS}),
        ("openrouter", "/v1/responses", {"status": "completed", "usage": RESPONSE | CREDITS}),
        ("openrouter", "/v1/messages", {"type": "message", "usage": MESSAGE | CREDITS}),
        ("perplexity", "/chat/completions", {"usage": CHAT | TOTAL}),
        ("perplexity", "/v1/responses", {"status": "completed", "usage": RESPONSE | TOTAL}),
        ("perplexity", "/v1/agent", {"status": "completed", "usage": RESPONSE | TOTAL}),
    ],
)
def test_the_cost_that_is_told(slug: str, path: str, document: Any) -> None:
    found = reading(slug, path, document)
    assert found.usage is not None
    assert (found.usage.counts(), found.provider_cost) == ({"input_tokens": 9, "output_tokens": 1}, COST)


def test_a_picture_may_tell_its_cost_alone() -> None:
    found = reading("xai", "/v1/images/generations", {"data": [{"url": "…"}], "usage": TICKS})
    assert (found.usage, found.provider_cost) == (Usage(), COST)
    assert reading("xai", "/v1/images/generations", {"data": [{"url": "…"}]}).usage is None


def test_a_key_of_the_callers_own_costs_the_fee_and_what_the_maker_charges() -> None:
    usage = CHAT | {"cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.02}}
    assert reading("openrouter", "/chat/completions", {"usage": usage}).provider_cost == 21_000_000


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("/v1/chat/completions", "/chat/completions"),
        ("/responses", "/v1/responses"),
        ("/v1/agent", "/v1/agent"),
    ],
)
def test_perplexitys_older_endpoints_have_no_version(path: str, own: str) -> None:
    route = providers.PROVIDERS["perplexity"].route("POST", path)
    assert route is not None
    assert route.path == own
