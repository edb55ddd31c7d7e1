from __future__ import annotations

import ast
import json
import shlex
from itertools import pairwise
from urllib.parse import unquote, urlsplit

import pytest

from billing.sandbox import PRICES
from metering.providers import PROVIDERS
from metering.snippets import MODELS, snippets

TAGS = {"client": 'o\'brien "&" co', "env": "production"}
PROXY = "http://127.0.0.1:8000/proxy"


def texts(slug: str, dialect: str) -> dict[str, str]:
    made = snippets(proxy_url=PROXY, slug=slug, dialect=dialect, key="mk_key", tags=TAGS)
    return {snippet.name: snippet.text for snippet in made}


@pytest.mark.parametrize(
    ("slug", "dialect", "url", "header"),
    [
        ("openai", "openai", f"{PROXY}/openai/chat/completions", "Authorization: Bearer mk_key"),
        ("sandbox", "openai", f"{PROXY}/sandbox/chat/completions", "Authorization: Bearer mk_key"),
        ("mistral", "flat", f"{PROXY}/mistral/chat/completions", "Authorization: Bearer mk_key"),
        ("anthropic", "anthropic", f"{PROXY}/anthropic/v1/messages", "x-api-key: mk_key"),
        (
            "google",
            "google",
            f"{PROXY}/google/v1beta/models/gemini-2.5-flash:generateContent",
            "x-goog-api-key: mk_key",
        ),
        (
            "bedrock",
            "aws",
            f"{PROXY}/bedrock/model/us.amazon.nova-lite-v1%3A0/converse",
            "Authorization: Bearer mk_key",
        ),
        (
            "vertex",
            "google",
            f"{PROXY}/vertex/v1/publishers/google/models/gemini-2.5-flash:generateContent",
            "x-goog-api-key: mk_key",
        ),
    ],
)
def test_curl_is_what_a_shell_understands(slug: str, dialect: str, url: str, header: str) -> None:
    words = shlex.split(texts(slug, dialect)["curl"])
    assert words[:2] == ["curl", url]
    headers = [word for before, word in pairwise(words) if before == "-H"]
    assert headers[0] == header
    assert json.loads(headers[2].removeprefix("X-Metering-Tags: ")) == TAGS
    body = json.loads(words[words.index("-d") + 1])
    assert MODELS[slug] in (body["model"] if "model" in body else unquote(url))


@pytest.mark.parametrize(
    ("slug", "dialect"),
    [
        ("openai", "openai"),
        ("anthropic", "anthropic"),
        ("google", "google"),
        ("bedrock", "aws"),
        ("vertex", "google"),
        ("voyageai", "flat"),
    ],
)
def test_python_is_python_with_key_address_and_tags(slug: str, dialect: str) -> None:
    constants = {
        node.value
        for node in ast.walk(ast.parse(texts(slug, dialect)["python"]))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert {"mk_key", f"{PROXY}/{slug}"} < constants
    assert TAGS in [json.loads(text) for text in constants if text.startswith("{")]


def test_vertex_is_told_apart_from_gemini_s_own_api() -> None:
    assert "vertexai=True" in texts("vertex", "google")["python"]
    assert "vertexai" not in texts("google", "google")["python"]


def test_a_server_of_one_s_own_has_a_model_to_fill_in() -> None:
    assert '"your-model"' in texts("office-gpu", "openai")["python"]


def test_the_sandbox_is_asked_for_a_model_that_it_prices() -> None:
    assert MODELS["sandbox"] in PRICES


@pytest.mark.parametrize("slug", sorted(PROVIDERS))
def test_the_call_of_every_provider_is_one_that_it_takes(slug: str) -> None:
    provider = PROVIDERS[slug]
    url = urlsplit(shlex.split(texts(slug, provider.dialect)["curl"])[1])
    path = url.path.removeprefix(f"{urlsplit(PROXY).path}/{slug}")
    route = provider.route("POST", path)
    assert slug in MODELS
    assert route is not None
    assert route.endpoint.metered
