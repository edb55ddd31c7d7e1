from __future__ import annotations

import pytest

from metering import providers
from metering.answers import StreamAnswer
from metering.providers.base import Provider


def target(provider: Provider, base_path: str, path: str = "/v1/chat/completions") -> str:
    route = provider.route("POST", path)
    assert route is not None
    return provider.target(base_path, route)


@pytest.mark.parametrize("path", ["/chat/completions", "/v1/chat/completions", "/v1/v1/chat/completions"])
@pytest.mark.parametrize(
    ("base_url", "base_path", "wanted"),
    [
        ("http://localhost:11434", "", "/v1/chat/completions"),
        ("http://localhost:11434/", "/", "/v1/chat/completions"),
        ("http://localhost:11434/v1", "/v1", "/v1/chat/completions"),
        ("http://localhost:11434/v1/", "/v1/", "/v1/chat/completions"),
        ("https://example.com/llm/openai", "/llm/openai", "/llm/openai/chat/completions"),
    ],
)
def test_a_server_of_ones_own_is_found_under_its_base_url(
    base_url: str, base_path: str, wanted: str, path: str
) -> None:
    assert target(providers.compatible("mine", base_url, "My server"), base_path, path) == wanted


def test_it_is_asked_for_usage_and_has_its_place_in_the_price_book() -> None:
    provider = providers.compatible("mine", "http://localhost:11434/v1", "My server")
    route = provider.route("POST", "/chat/completions")
    assert route is not None
    assert route.endpoint.asks_usage
    assert (provider.slug, provider.label, provider.dialect) == ("mine", "My server", "openai")
    assert provider.catalogue == "own/mine"
    assert provider.key(route.endpoint, b"k") == (b"authorization", b"Bearer k")


def test_groqs_usage_lies_in_an_extra_object() -> None:
    route = providers.PROVIDERS["groq"].route("POST", "/chat/completions")
    assert route is not None
    answer = StreamAnswer(route.endpoint.reader())
    answer.feed(b'data: {"model":"m","choices":[{"delta":{}}],"x_groq":{"id":"r","usage":{"prompt_tokens":18,')
    answer.feed(b'"completion_tokens":73,"total_tokens":91}}}\n\ndata: [DONE]\n\n')
    usage = answer.finish().usage
    assert usage is not None
    assert usage.counts() == {"input_tokens": 18, "output_tokens": 73}
