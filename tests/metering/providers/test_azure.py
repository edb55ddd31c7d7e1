from __future__ import annotations

import pytest

from metering import providers
from metering.providers.azure import AZURE, resource
from metering.providers.base import Route

DEPLOYED = "/openai/deployments/my-gpt"


def found(path: str, method: str = "POST") -> Route:
    route = AZURE.route(method, path)
    assert route is not None, path
    return route


@pytest.mark.parametrize("before", ["", "/openai", "/openai/openai"])
@pytest.mark.parametrize(
    ("end", "kind"),
    [
        ("chat/completions", "chat.completions"),
        ("completions", "completions"),
        ("embeddings", "embeddings"),
        ("images/generations", "images.generations"),
        ("audio/transcriptions", "audio.transcriptions"),
        ("audio/translations", "audio.translations"),
        ("audio/speech", "audio.speech"),
    ],
)
def test_a_deployment_is_the_model_that_is_asked_for(before: str, end: str, kind: str) -> None:
    route = found(f"{before}/deployments/my-gpt/{end}")
    assert (route.path, route.endpoint.kind, route.model) == (f"{DEPLOYED}/{end}", kind, "my-gpt")


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("/chat/completions", "/openai/v1/chat/completions"),
        ("/v1/chat/completions", "/openai/v1/chat/completions"),
        ("/openai/v1/chat/completions", "/openai/v1/chat/completions"),
        ("/openai/v1/v1/embeddings", "/openai/v1/embeddings"),
        ("/responses", "/openai/v1/responses"),
        ("/openai/v1/responses/resp_1", ""),
        ("/openai/responses", "/openai/responses"),
        ("/models/chat/completions", "/models/chat/completions"),
        ("/models/embeddings", "/models/embeddings"),
        ("/v1/messages", "/anthropic/v1/messages"),
        ("/anthropic/v1/messages", "/anthropic/v1/messages"),
        ("/anthropic/v1/messages/count_tokens", "/anthropic/v1/messages/count_tokens"),
        ("/openai/deployments/a b/chat/completions", ""),
    ],
)
def test_both_shapes_of_the_address(path: str, own: str) -> None:
    route = AZURE.route("POST", path)
    assert (route.path if route else "") == own


def test_models_are_listed_by_the_latest_api() -> None:
    assert found("/models", "GET").path == "/openai/v1/models"
    assert found("/openai/models", "GET").path == "/openai/models"


def test_the_key_has_a_header_of_its_own() -> None:
    assert AZURE.key(found("/chat/completions").endpoint, b"k") == (b"api-key", b"k")


@pytest.mark.parametrize(
    "pasted",
    [
        "https://res.openai.azure.com",
        " https://res.openai.azure.com/ ",
        "https://res.openai.azure.com/openai",
        "https://res.openai.azure.com/openai/v1/",
        "https://res.openai.azure.com/openai/deployments/gpt/chat/completions?api-version=2025-01-01-preview",
        "https://res.openai.azure.com/models",
        "https://res.openai.azure.com/anthropic/v1/messages",
        "https://res.openai.azure.com/api/projects/mine",
    ],
)
def test_whatever_the_portal_shows_leads_to_the_resource(pasted: str) -> None:
    assert resource(pasted) == "https://res.openai.azure.com"


def test_a_gateway_before_azure_keeps_its_path() -> None:
    address = resource("https://api.example.com/llm/openai/deployments/gpt/chat/completions")
    assert address == "https://api.example.com/llm"
    assert AZURE.target("/llm", found("/chat/completions")) == "/llm/openai/v1/chat/completions"


def test_claude_answers_in_its_own_dialect() -> None:
    endpoint = found("/anthropic/v1/messages").endpoint
    assert (endpoint.kind, endpoint.dialect) == ("messages", "anthropic")


def test_the_filters_chunk_is_no_answer_and_no_usage() -> None:
    reader = found("/chat/completions").endpoint.reader()
    reader.read({"choices": [], "model": "", "prompt_filter_results": [{"prompt_index": 0}]})
    assert (reader.reading().usage, reader.reading().model, reader.terminal) == (None, "", False)


def test_it_is_in_the_table() -> None:
    assert providers.find("azure") is AZURE
