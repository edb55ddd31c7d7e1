from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pytest_django import Settings

from metering.connection import Verdict, try_connection
from metering.models import ProviderCredential
from metering.providers import PROVIDERS
from tests.factories import ProviderCredentialFactory
from tests.metering.service_account import key_file
from tokonomics.models import Workspace

SECRET = "sk-CANARY-0123456789abcdef"


class Provider(ThreadingHTTPServer):
    """Answers every request with one status, and keeps what was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = self.token_status = 200
        self.error_type = ""
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((self.command, self.path, headers))
        body = json.dumps({"error": {"message": f"Incorrect API key provided: {SECRET}"}}).encode()
        if self.path == "/token":
            body = b'{"access_token":"ya29.fresh","expires_in":3599}'
        self.send_response(self.server.token_status if self.path == "/token" else self.server.status)
        if self.server.error_type:
            self.send_header("x-amzn-errortype", self.server.error_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def provider(settings: Settings) -> Iterator[Provider]:
    settings.ALLOW_PRIVATE_ADDRESSES = True
    with Provider() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


def credential(workspace: Workspace, base_url: str, slug: str = "openai") -> ProviderCredential:
    return ProviderCredentialFactory.create(workspace=workspace, slug=slug, base_url=base_url, plain=SECRET)


@pytest.mark.parametrize(
    ("slug", "base", "path", "header"),
    [
        ("openai", "/v1", "/v1/models", ("authorization", f"Bearer {SECRET}")),
        ("openai", "", "/v1/models", ("authorization", f"Bearer {SECRET}")),
        ("anthropic", "", "/v1/models", ("x-api-key", SECRET)),
        ("google", "", "/v1beta/models", ("x-goog-api-key", SECRET)),
        ("office-gpu", "/llm/v1", "/llm/v1/models", ("authorization", f"Bearer {SECRET}")),
        ("azure", "", "/openai/v1/models", ("api-key", SECRET)),
        ("cohere", "", "/v1/models", ("authorization", f"Bearer {SECRET}")),
        ("openrouter", "", "/api/v1/key", ("authorization", f"Bearer {SECRET}")),
    ],
)
def test_it_asks_for_the_models_with_the_stored_key(
    workspace: Workspace, provider: Provider, slug: str, base: str, path: str, header: tuple[str, str]
) -> None:
    verdict = try_connection(credential(workspace, provider.url + base, slug))
    assert (verdict.works, verdict.text, verdict.status) == (True, "Works.", 200)
    method, asked, headers = provider.asked[0]
    assert (method, asked) == ("GET", path)
    assert header in headers.items()


@pytest.mark.parametrize(
    ("slug", "path"),
    [
        ("perplexity", "/chat/completions"),
        ("voyageai", "/v1/embeddings"),
        ("huggingface", "/v1/chat/completions"),
        ("zai", "/api/paas/v4/chat/completions"),
    ],
)
@pytest.mark.parametrize(("status", "works"), [(400, True), (422, True), (401, False), (404, False)])
def test_whose_models_show_no_key_is_asked_for_nothing_at_all(
    workspace: Workspace, provider: Provider, slug: str, path: str, status: int, works: bool
) -> None:
    provider.status = status
    verdict = try_connection(credential(workspace, provider.url, slug))
    assert (verdict.works, verdict.status) == (works, status)
    [(method, asked, headers)] = provider.asked
    assert (method, asked, headers["content-length"]) == ("POST", path, "2")
    assert (headers["authorization"], headers["content-type"]) == (f"Bearer {SECRET}", "application/json")


@pytest.mark.parametrize("slug", sorted(PROVIDERS.keys() - {"sandbox"}))
def test_every_provider_can_be_tested(workspace: Workspace, provider: Provider, slug: str) -> None:
    secret = json.dumps(BEDROCK) if slug == "bedrock" else SECRET
    assert try_connection(account(workspace, provider.url, slug, secret)).works


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (302, "redirects (HTTP 302)"),
        (401, "rejects this key (HTTP 401)"),
        (403, "rejects this key (HTTP 403)"),
        (404, "Check the path"),
        (418, "refuses the test (HTTP 418)"),
        (429, "credit and limits"),
        (500, "fails at the moment (HTTP 500)"),
        (503, "fails at the moment (HTTP 503)"),
    ],
)
def test_it_says_what_to_do_and_repeats_nothing_of_the_answer(
    workspace: Workspace, provider: Provider, status: int, text: str
) -> None:
    provider.status = status
    verdict = try_connection(credential(workspace, provider.url))
    assert (verdict.works, verdict.status) == (False, status)
    assert text in verdict.text
    assert "CANARY" not in verdict.text


def test_nothing_listens(workspace: Workspace, provider: Provider) -> None:
    provider.server_close()
    provider.shutdown()
    verdict = try_connection(credential(workspace, "http://127.0.0.1:1"))
    assert verdict == Verdict(works=False, text="Nothing answers at this address. Check the base URL.")


def test_a_private_address_is_refused_where_that_is_not_allowed(
    workspace: Workspace, provider: Provider, settings: Settings
) -> None:
    settings.ALLOW_PRIVATE_ADDRESSES = False
    verdict = try_connection(credential(workspace, provider.url))
    assert "not a host on the internet" in verdict.text
    assert provider.asked == []


def test_a_secret_that_cannot_be_read_is_asked_for_again(workspace: Workspace, provider: Provider) -> None:
    row = credential(workspace, provider.url)
    row.secret = b"damaged"
    assert try_connection(row).text == "The stored key cannot be read any more. Enter it again."
    assert provider.asked == []


def test_a_server_without_a_key_gets_none(workspace: Workspace, provider: Provider) -> None:
    row = ProviderCredentialFactory.create(workspace=workspace, slug="office-gpu", base_url=provider.url, plain="")
    assert try_connection(row).works
    assert "authorization" not in provider.asked[0][2]


# accounts whose key is more than a word

BEDROCK = {"region": "eu-central-1", "aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "CANARY"}
NO_MODEL = "/model/amazon.connection-test-v1%3A0/converse"


def account(workspace: Workspace, base_url: str, slug: str, secret: str) -> ProviderCredential:
    return ProviderCredentialFactory.create(workspace=workspace, slug=slug, base_url=base_url, plain=secret)


def test_bedrock_is_asked_for_a_model_that_does_not_exist(workspace: Workspace, provider: Provider) -> None:
    provider.status, provider.error_type = 400, "ValidationException"
    verdict = try_connection(account(workspace, provider.url, "bedrock", json.dumps(BEDROCK)))
    assert (verdict.works, verdict.text, verdict.status) == (True, "Works.", 400)
    [(method, path, headers)] = provider.asked
    assert (method, path) == ("POST", NO_MODEL)
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/")
    assert "/eu-central-1/bedrock/aws4_request" in headers["authorization"]


@pytest.mark.parametrize(
    ("status", "error_type", "text"),
    [
        (403, "UnrecognizedClientException", "rejects this key (HTTP 403)"),
        (403, "AccessDeniedException", "may not call models"),
        (500, "", "fails at the moment"),
    ],
)
def test_what_bedrock_says_to_a_key(
    workspace: Workspace, provider: Provider, status: int, error_type: str, text: str
) -> None:
    provider.status, provider.error_type = status, error_type
    verdict = try_connection(account(workspace, provider.url, "bedrock", "ABSK-0123456789"))
    assert (verdict.works, verdict.status) == (False, status)
    assert text in verdict.text
    assert provider.asked[0][2]["authorization"] == "Bearer ABSK-0123456789"


def test_a_service_account_gets_a_token_and_counts_tokens(workspace: Workspace, provider: Provider) -> None:
    secret = json.dumps(key_file(f"{provider.url}/token", location="europe-west4"))
    assert try_connection(account(workspace, provider.url, "vertex", secret)).works
    assert [path for _, path, _ in provider.asked] == [
        "/token",
        "/v1/projects/acme-123/locations/europe-west4/publishers/google/models/gemini-2.5-flash:countTokens",
    ]
    assert provider.asked[1][2]["authorization"] == "Bearer ya29.fresh"


def test_a_service_account_that_gets_no_token(workspace: Workspace, provider: Provider) -> None:
    provider.token_status = 400
    verdict = try_connection(account(workspace, provider.url, "vertex", json.dumps(key_file(f"{provider.url}/token"))))
    assert not verdict.works
    assert "no access token for this key" in verdict.text
    assert len(provider.asked) == 1


def test_an_api_key_of_vertex_goes_without_a_token(workspace: Workspace, provider: Provider) -> None:
    assert try_connection(account(workspace, provider.url, "vertex", "AIzaSyExample1")).works
    [(_, path, headers)] = provider.asked
    assert path == "/v1/publishers/google/models/gemini-2.5-flash:countTokens"
    assert headers["x-goog-api-key"] == "AIzaSyExample1"


def test_a_stored_account_that_cannot_be_read(workspace: Workspace, provider: Provider) -> None:
    verdict = try_connection(account(workspace, provider.url, "bedrock", "two words"))
    assert verdict.text == "The stored key cannot be read any more. Enter it again."
