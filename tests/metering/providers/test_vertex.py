from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from billing.catalogue import Catalogue
from metering.providers.account import Outgoing
from metering.providers.base import Route
from metering.providers.vertex import VERTEX
from metering.providers.vertex_key import VertexKey, host_of, read_key
from metering.providers.vertex_usage import PredictReader, VertexReader
from tests.metering.service_account import key_file

MOMENT = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
SCOPE = "/projects/acme-123/locations/europe-west4"
GOOGLE = "/publishers/google/models"


def route(path: str) -> Route:
    found = VERTEX.route("POST", path)
    assert found is not None, path
    return found


def account(**changes: Any) -> VertexKey:
    return read_key(json.dumps(key_file(**changes)))


@pytest.mark.parametrize(
    ("path", "kind", "model", "stream", "dialect"),
    [
        (f"/v1{SCOPE}{GOOGLE}/gemini-2.5-pro:generateContent", "generateContent", "gemini-2.5-pro", False, ""),
        (f"/v1beta1{SCOPE}{GOOGLE}/g:streamGenerateContent", "streamGenerateContent", "g", True, ""),
        (f"/v1beta1{GOOGLE}/g:generateContent", "generateContent", "g", False, ""),
        (f"/v1{SCOPE}{GOOGLE}/g:countTokens", "countTokens", "g", False, ""),
        (f"/v1{SCOPE}{GOOGLE}/gemini-embedding-001:predict", "predict", "gemini-embedding-001", False, ""),
        (f"/v1{SCOPE}/endpoints/12345:generateContent", "generateContent", "endpoints/12345", False, ""),
        (
            f"/v1{SCOPE}/publishers/anthropic/models/claude-sonnet-4@20250514:rawPredict",
            "rawPredict",
            "claude-sonnet-4@20250514",
            None,
            "anthropic",
        ),
        (f"/v1{SCOPE}/publishers/anthropic/models/c:streamRawPredict", "streamRawPredict", "c", True, "anthropic"),
        (
            f"/v1{SCOPE}/publishers/anthropic/models/count-tokens:rawPredict",
            "count_tokens",
            "",
            False,
            "anthropic",
        ),
        (
            f"/v1{SCOPE}/publishers/mistralai/models/mistral-large-2411:rawPredict",
            "rawPredict",
            "mistral-large-2411",
            None,
            "openai",
        ),
        (f"/v1{SCOPE}/endpoints/openapi/chat/completions", "chat.completions", "", None, "openai"),
    ],
)
def test_the_calls(path: str, kind: str, model: str, stream: bool | None, dialect: str) -> None:
    found = route(path)
    assert (found.endpoint.kind, found.model, found.stream, found.path) == (kind, model, stream, path)
    assert found.endpoint.dialect == dialect
    assert found.endpoint.free is (kind in ("countTokens", "count_tokens"))


@pytest.mark.parametrize(
    ("path", "own"),
    [
        (f"{SCOPE}/publishers/anthropic/models/c:rawPredict", f"/v1{SCOPE}/publishers/anthropic/models/c:rawPredict"),
        (f"{SCOPE}{GOOGLE}/g:generateContent", f"/v1beta1{SCOPE}{GOOGLE}/g:generateContent"),
        ("/v1/v1beta1/models/g:generateContent", f"/v1beta1{GOOGLE}/g:generateContent"),
        ("/chat/completions", "/v1/endpoints/openapi/chat/completions"),
    ],
)
def test_shorter_paths_are_completed(path: str, own: str) -> None:
    assert route(path).path == own


@pytest.mark.parametrize(
    "path",
    [
        f"/v1{SCOPE}{GOOGLE}/veo-3:predictLongRunning",
        f"/v1{SCOPE}{GOOGLE}/g:rawPredict",
        f"/v1{SCOPE}/cachedContents",
        f"/v1{SCOPE}/batchPredictionJobs",
    ],
)
def test_what_cannot_be_metered_is_refused(path: str) -> None:
    assert route(path).endpoint.refusal.endswith(".")


# keys


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("global", "aiplatform.googleapis.com"),
        ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
    ],
)
def test_hosts(location: str, host: str) -> None:
    assert host_of(location) == host
    found = route(f"/v1/projects/acme-123/locations/{location}{GOOGLE}/g:generateContent")
    assert account().base_url(found) == f"https://{host}"


def test_a_service_account_completes_a_path_without_project() -> None:
    key = account(location="europe-west4")
    found = route(f"/v1beta1{GOOGLE}/g:generateContent")
    assert key.path(found) == f"/v1beta1{SCOPE}{GOOGLE}/g:generateContent"
    assert key.base_url(found) == "https://europe-west4-aiplatform.googleapis.com"
    assert key.path(route("/chat/completions")) == f"/v1{SCOPE}/endpoints/openapi/chat/completions"
    elsewhere = route("/v1/projects/other-1/locations/us/publishers/google/models/g:generateContent")
    assert key.path(elsewhere) == elsewhere.path


def test_a_service_account_is_kept_without_what_is_not_needed() -> None:
    key = account(location="eu")
    assert key.stored.isascii()
    assert key.stored.isprintable()
    assert "auth_uri" not in key.stored
    assert read_key(key.stored) == key
    assert (key.shown, key.project, key.location) == ("cdef", "acme-123", "eu")
    assert "PRIVATE" not in repr(key)


def test_an_api_key_goes_as_it_is() -> None:
    key = read_key(" AIzaSyExample1 ")
    found = route(f"/v1beta1{GOOGLE}/g:generateContent")
    assert key.path(found) == found.path
    assert key.base_url(found) == "https://aiplatform.googleapis.com"
    assert key.sign(Outgoing(b"POST", b"h", b"/", b""), found, MOMENT) == b"x-goog-api-key: AIzaSyExample1\r\n"
    assert (key.grant, key.shown, read_key(key.stored)) == (None, "ple1", key)


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        ("two words", "no API key"),
        ("{", "cannot be read"),
        ("{}", "service_account"),
        (json.dumps({"type": "service_account"}), "client_email"),
    ],
)
def test_what_is_no_key_is_said(secret: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_key(secret)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"project_id": ""}, "project"),
        ({"project_id": "../x"}, "project"),
        ({"project_id": 5}, "project"),
        ({"location": "evil.example/"}, "location"),
    ],
)
def test_project_and_location_are_checked(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        account(**changes)


def test_which_answers_refuse_the_key() -> None:
    key = account()
    assert key.rejected(401, [], b"")
    assert key.rejected(400, [], b'{"error":{"details":[{"reason":"API_KEY_INVALID"}]}}')
    assert not key.rejected(403, [], b"PERMISSION_DENIED")


@pytest.mark.parametrize("secret", ["AIzaSyExample1", json.dumps(key_file())])
def test_the_probe_is_a_free_call(secret: str) -> None:
    probe = read_key(secret).probe()
    found = VERTEX.route(probe.method, probe.path)
    assert found is not None
    assert found.endpoint.free


# answers


@pytest.mark.parametrize(
    ("traffic", "tier"),
    [(1, "ON_DEMAND"), (4, "ON_DEMAND_FLEX"), (99, ""), ("ON_DEMAND_PRIORITY", "ON_DEMAND_PRIORITY")],
)
def test_traffic_by_name_or_number(traffic: Any, tier: str) -> None:
    reader = VertexReader()
    reader.read({"usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2, "trafficType": traffic}})
    assert reader.reading().service_tier == tier


def test_embeddings_count_each_text() -> None:
    reader = PredictReader()
    texts = [{"embeddings": {"statistics": {"token_count": count}, "values": [0.1]}} for count in (6, 4)]
    reader.read({"predictions": texts, "metadata": {"billableCharacterCount": 40}})
    found = reader.reading().usage
    assert found is not None
    assert found.counts() == {"input_tokens": 10}
    pictures = PredictReader()
    pictures.read({"predictions": [{"bytesBase64Encoded": "aaaa", "mimeType": "image/png"}]})
    assert pictures.reading().usage is None


def test_openais_endpoint_hides_the_thinking_and_names_the_maker() -> None:
    reader = route("/chat/completions").endpoint.reader()
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 27}
    reader.read({"model": "google/gemini-2.5-flash", "choices": [], "usage": usage})
    found = reader.reading()
    assert found.model == "google/gemini-2.5-flash"
    assert found.usage is not None
    assert found.usage.counts() == {"input_tokens": 5, "output_tokens": 22}
    card = Catalogue().rate_card(VERTEX.catalogue, found.model, MOMENT)
    assert card is not None
    assert card.listed_as == "gemini-2.5-flash"
