from __future__ import annotations

import pytest

from metering import providers
from metering.providers import base
from metering.providers.base import Route


def path_of(slug: str, path: str, method: str = "POST") -> str | None:
    provider = providers.find(slug)
    assert provider is not None
    route = provider.route(method, path)
    return None if route is None or route.endpoint.refusal else route.path


@pytest.mark.parametrize(
    ("slug", "sent", "own"),
    [
        ("openai", "/chat/completions", "/v1/chat/completions"),
        ("openai", "/v1/chat/completions", "/v1/chat/completions"),
        ("openai", "/v1/v1/chat/completions", "/v1/chat/completions"),
        ("openai", "/openai/v1/responses", "/v1/responses"),
        ("openai", "/chat/completions/", "/v1/chat/completions"),
        ("anthropic", "/v1/messages", "/v1/messages"),
        ("anthropic", "/messages", "/v1/messages"),
        ("anthropic", "/v1/v1/messages", "/v1/messages"),
        ("google", "/v1/models/m:generateContent", "/v1/models/m:generateContent"),
        ("google", "/v1beta/models/m:generateContent", "/v1beta/models/m:generateContent"),
        ("google", "/models/m:generateContent", "/v1beta/models/m:generateContent"),
        ("google", "/v1beta/v1/models/m:generateContent", "/v1/models/m:generateContent"),
        ("google", "/v1alpha/models/m:streamGenerateContent", "/v1alpha/models/m:streamGenerateContent"),
        ("google", "/v1beta/openai/chat/completions", "/v1beta/openai/chat/completions"),
        ("google", "/openai/chat/completions", "/v1beta/openai/chat/completions"),
        ("google", "/v1/openai/v1/embeddings", "/v1beta/openai/embeddings"),
        ("google", "/chat/completions", "/v1beta/openai/chat/completions"),
        ("gemini", "/models/m:countTokens", "/v1beta/models/m:countTokens"),
        ("mistral", "/v1/chat/completions", "/v1/chat/completions"),
        ("mistral", "/chat/completions", "/v1/chat/completions"),
        ("groq", "/openai/v1/chat/completions", "/openai/v1/chat/completions"),
        ("groq", "/v1/chat/completions", "/openai/v1/chat/completions"),
        ("groq", "/chat/completions", "/openai/v1/chat/completions"),
        ("groq", "/openai/v1/openai/v1/chat/completions", "/openai/v1/chat/completions"),
        ("deepseek", "/chat/completions", "/chat/completions"),
        ("deepseek", "/v1/chat/completions", "/chat/completions"),
        ("deepseek", "/beta/chat/completions", "/beta/chat/completions"),
        ("deepseek", "/anthropic/v1/messages", "/anthropic/v1/messages"),
        ("xai", "/chat/completions", "/v1/chat/completions"),
        ("together", "/v1/completions", "/v1/completions"),
        ("openrouter", "/chat/completions", "/api/v1/chat/completions"),
        ("openrouter", "/api/v1/chat/completions", "/api/v1/chat/completions"),
        ("perplexity", "/v1/chat/completions", "/chat/completions"),
        ("fireworks", "/v1/chat/completions", "/inference/v1/chat/completions"),
        ("fireworks", "/inference/v1/embeddings", "/inference/v1/embeddings"),
        ("cerebras", "/chat/completions", "/v1/chat/completions"),
        ("zai", "/api/paas/v4/chat/completions", "/api/paas/v4/chat/completions"),
        ("zai", "/chat/completions", "/api/paas/v4/chat/completions"),
        ("huggingface", "/chat/completions", "/v1/chat/completions"),
        ("huggingface", "/together/v1/chat/completions", "/together/v1/chat/completions"),
        ("sandbox", "/chat/completions", "/v1/chat/completions"),
    ],
)
def test_a_path_becomes_the_providers_own(slug: str, sent: str, own: str) -> None:
    assert path_of(slug, sent) == own


@pytest.mark.parametrize("slug", providers.PROVIDERS)
@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/v1",
        "/v1/",
        "chat/completions",
        "/nothing/here",
        "//chat/completions",
        "/v1//chat/completions",
        "/v1/../v1/chat/completions",
        "/v1/./chat/completions",
        "/v1/%2e%2e/v1/chat/completions",
        "/v1/chat%2fcompletions",
        "/v1/chat%2Fcompletions",
        "/v1/chat%5ccompletions",
        "/v1/chat\\completions",
        "/v1/chat/completions;x=1",
        "/v1/chat/completions%00",
        "/v1/chat/completions\x00",
        "/v1/chat/completions\r\nHost: evil",
        "/v1/chat/completions%0d%0a",
        "/v1/chat/completions ",
        "/v1/chat/completions?x=1",
        "/v1/chat/completions#x",
        "/v1/chat/completionsx",
        "/v1/chat/completions/1/2",
        "/V1/chat/completions",
        "/v1/chat/%63ompletions",
        "/v1/models/..",
        "/v1/models/a..b",
        "/v1/models/gpt\u212a",
        "/v1/organization/admin_api_keys",
        "/v1/dashboard/billing/usage",
    ],
)
def test_what_is_not_on_the_list_is_not_routed(slug: str, path: str) -> None:
    for method in ("GET", "POST"):
        assert providers.PROVIDERS[slug].route(method, path) is None


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "post", ""])
def test_the_method_belongs_to_the_endpoint(method: str) -> None:
    assert providers.PROVIDERS["openai"].route(method, "/v1/chat/completions") is None


@pytest.mark.parametrize(
    "model", ["gpt-4.1-mini", "ft:gpt-4o-mini:org::id", "ft%3Agpt-4o%3Aorg", "meta-llama/Llama-4-Scout", "a_b.c@d+e"]
)
def test_a_models_name_may_stand_in_a_path(model: str) -> None:
    route = providers.PROVIDERS["openai"].route("GET", f"/models/{model}")
    assert route is not None
    assert (route.path, route.endpoint.metered) == (f"/v1/models/{model}", False)


def test_a_base_url_may_end_in_the_version() -> None:
    openai, google = providers.PROVIDERS["openai"], providers.PROVIDERS["google"]
    chat, generate = openai.route("POST", "/chat/completions"), google.route("POST", "/v1/models/m:generateContent")
    assert chat is not None
    assert generate is not None
    assert openai.target("", chat) == "/v1/chat/completions"
    assert openai.target("/v1", chat) == "/v1/chat/completions"
    assert openai.target("/recording-1/", chat) == "/recording-1/v1/chat/completions"
    assert google.target("/v1beta", generate) == "/v1/models/m:generateContent"


def test_keys_are_sent_where_the_provider_looks() -> None:
    def key(slug: str, path: str) -> tuple[bytes, bytes]:
        provider = providers.PROVIDERS[slug]
        route = provider.route("POST", path)
        assert route is not None
        return provider.key(route.endpoint, b"sk")

    assert key("openai", "/responses") == (b"authorization", b"Bearer sk")
    assert key("anthropic", "/messages") == (b"x-api-key", b"sk")
    assert key("google", "/models/m:generateContent") == (b"x-goog-api-key", b"sk")
    assert key("google", "/openai/chat/completions") == (b"authorization", b"Bearer sk")


def test_routes_are_remembered_but_not_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "MOST_CACHED_ROUTES", 10)
    provider = providers.compatible("mine", "http://localhost:8080", "Mine")
    routes = [provider.route("GET", f"/models/m{number}") for number in range(100)]
    assert all(isinstance(route, Route) for route in routes)
    assert len(provider._routes) <= 10
    assert provider.route("GET", "/models/m99") is routes[-1]
