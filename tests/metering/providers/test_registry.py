"""The table as a whole: what every row must keep."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from genai_prices.data import providers as catalogue_providers

from metering import providers
from metering.bounds import bound
from metering.providers.base import Endpoint, Provider

ROWS = providers.PROVIDERS.values()
ENDPOINTS = [
    pytest.param(row, endpoint, id=f"{row.slug}-{endpoint.kind}") for row in ROWS for endpoint in row.endpoints
]


def test_aliases() -> None:
    assert providers.find("gemini") is providers.find("google") is providers.PROVIDERS["google"]
    assert providers.find("nobody") is None


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.slug)
def test_a_row_is_complete(row: Provider) -> None:
    catalogue = {provider.id for provider in catalogue_providers} | {"sandbox"}
    assert row.label
    assert row.dialect in {"openai", "anthropic", "google", "flat", "aws"}
    assert row.catalogue in catalogue or row.catalogue == f"own/{row.slug}"
    address = urlsplit(row.base_url)
    assert (address.scheme, address.path) == ("https", "") or row.slug == "sandbox" or row.own_address is not None


@pytest.mark.parametrize(("row", "endpoint"), ENDPOINTS)
def test_nothing_is_silently_free(row: Provider, endpoint: Endpoint) -> None:
    """What is forwarded makes an event, unless it only reads, ends or deletes what is stored."""
    if endpoint.refusal:
        assert endpoint.refusal.endswith(".")
    else:
        assert endpoint.metered or endpoint.method in {"GET", "DELETE"} or endpoint.kind == "responses.cancel"


@pytest.mark.parametrize(("row", "endpoint"), ENDPOINTS)
def test_usage_is_asked_for_only_in_openais_dialect(row: Provider, endpoint: Endpoint) -> None:
    assert not endpoint.asks_usage or endpoint.kind in {"chat.completions", "completions"}


@pytest.mark.parametrize("slug", ["groq", "mistral", "together", "perplexity", "openrouter", "zai"])
def test_who_reports_unasked_is_not_asked(slug: str) -> None:
    route = providers.PROVIDERS[slug].route("POST", "/chat/completions")
    assert route is not None
    assert not route.endpoint.asks_usage


@pytest.mark.parametrize("slug", ["openai", "deepseek", "xai", "fireworks", "cerebras", "huggingface", "sandbox"])
def test_who_does_not_is_asked(slug: str) -> None:
    route = providers.PROVIDERS[slug].route("POST", "/chat/completions")
    assert route is not None
    assert route.endpoint.asks_usage


@pytest.mark.parametrize(
    ("slug", "method", "path"),
    [
        ("openai", "POST", "/v1/images/variations"),
        ("openai", "GET", "/v1/files"),
        ("openai", "POST", "/v1/files/file-1/content"),
        ("openai", "POST", "/v1/batches"),
        ("openai", "POST", "/v1/fine_tuning/jobs"),
        ("openai", "POST", "/v1/vector_stores/vs_1/search"),
        ("openai", "POST", "/v1/realtime/sessions"),
        ("openai", "POST", "/v1/videos"),
        ("anthropic", "POST", "/v1/messages/batches"),
        ("anthropic", "POST", "/v1/complete"),
        ("anthropic", "POST", "/v1/files"),
        ("google", "POST", "/v1beta/models/imagen-4:predict"),
        ("google", "POST", "/v1beta/models/veo-3:predictLongRunning"),
        ("google", "POST", "/v1beta/cachedContents"),
        ("google", "POST", "/v1beta/openai/images/generations"),
        ("azure", "POST", "/openai/batches"),
        ("azure", "POST", "/openai/v1/files"),
        ("azure", "POST", "/openai/deployments/mine/chat/completions/batches"),
        ("azure", "POST", "/openai/v1/video/generations/jobs"),
        ("cohere", "POST", "/v1/embed-jobs"),
        ("cohere", "GET", "/v1/datasets"),
        ("mistral", "POST", "/v1/batch/jobs"),
        ("mistral", "POST", "/v1/conversations"),
        ("groq", "POST", "/openai/v1/batches"),
        ("perplexity", "POST", "/search"),
        ("perplexity", "POST", "/async/chat/completions"),
        ("voyageai", "POST", "/v1/batches"),
        ("xai", "POST", "/v1/videos/generations"),
    ],
)
def test_what_cannot_be_metered_is_refused_with_a_reason(slug: str, method: str, path: str) -> None:
    route = providers.PROVIDERS[slug].route(method, path)
    assert route is not None
    assert len(route.endpoint.refusal) > 40


@pytest.mark.parametrize(
    ("slug", "path"),
    [
        ("openai", "/audio/speech"),
        ("azure", "/openai/deployments/mine/audio/speech"),
        ("groq", "/openai/v1/audio/speech"),
        ("together", "/images/generations"),
        ("xai", "/images/generations"),
        ("mistral", "/moderations"),
        ("cohere", "/classify"),
    ],
)
def test_what_may_not_say_what_it_used_has_no_price_and_no_bound(slug: str, path: str) -> None:
    route = providers.PROVIDERS[slug].route("POST", path)
    assert route is not None
    endpoint = route.endpoint
    assert (endpoint.metered, endpoint.free, endpoint.estimable, endpoint.untold) == (True, False, False, True)
    assert "not told" in bound(endpoint, "openai", {"model": "m", "input": "Hello"}, 40).reason
