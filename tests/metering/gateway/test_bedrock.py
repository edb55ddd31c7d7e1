"""Calls to Bedrock: how the client's key arrives, how the stored one signs, and what is said in Amazon's words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import uuid4

import pytest

from metering.gateway.accounts import Credential, CredentialRow, credential_of
from metering.providers.account import Outgoing
from metering.providers.bedrock_usage import STREAM_DAMAGED
from metering.providers.sigv4 import AccessKey, authorization
from tests.metering.gateway.accounts import connect
from tests.metering.gateway.conftest import KEY, KEYRING, WORKSPACE, Running, Start
from tests.metering.service_account import key_file
from tests.metering.test_eventstream import CONVERSATION
from tests.upstreams.provider import Answer, Provider

CONVERSE = "/proxy/bedrock/model/us.amazon.nova-lite-v1%3A0/converse"
ACCESS_KEY = AccessKey("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG")
SECRET = {
    "region": "eu-central-1",
    "aws_access_key_id": ACCESS_KEY.id,
    "aws_secret_access_key": ACCESS_KEY.secret,
}
JSON = {"content-type": "application/json"}
ANSWER = Answer(200, JSON, b'{"output":{},"usage":{"inputTokens":7,"outputTokens":10}}')
SIGNED = "AWS4-HMAC-SHA256 Credential={}/20261125/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=00"


@pytest.fixture
def bedrock() -> Iterator[Provider]:
    server = Provider(lambda received: ANSWER)
    yield server
    server.close()


@pytest.fixture
def gateway(start: Start, bedrock: Provider) -> Running:
    running = start({"bedrock": bedrock.url})
    connect(running, "bedrock", bedrock.url, json.dumps(SECRET))
    return running


@pytest.mark.parametrize("query", ["", "?b=2&a=1"])
def test_the_stored_key_signs_what_is_sent(gateway: Running, bedrock: Provider, query: str) -> None:
    answer = gateway.call(CONVERSE + query, b'{"messages":[]}', content_type="application/json")
    assert answer.status == 200
    [sent] = bedrock.received
    headers = [(name, sent.headers[name]) for name in ("host", "x-amz-date")]
    request = Outgoing(b"POST", sent.headers["host"].encode(), sent.path.encode(), sent.body)
    expected = authorization(request, headers, ACCESS_KEY, region="eu-central-1", service="bedrock")
    assert sent.headers["authorization"] == expected
    assert ACCESS_KEY.secret not in str(sent.headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": SIGNED.format(KEY)},
        {"authorization": SIGNED.format("AKIASOMEBODY"), "x-api-key": KEY},
        {"authorization": SIGNED.format("AKIASOMEBODY"), "api-key": KEY, "x-amz-security-token": "theirs"},
    ],
)
def test_the_clients_key_arrives_by_any_of_these(gateway: Running, bedrock: Provider, headers: dict[str, str]) -> None:
    answer = gateway.call(CONVERSE, b"{}", key=None, **headers)
    assert answer.status == 200
    [sent] = bedrock.received
    assert KEY not in str(sent.headers)
    assert "AKIASOMEBODY" not in str(sent.headers)
    assert "x-amz-security-token" not in sent.headers


@pytest.mark.parametrize("value", [SIGNED.format("AKIASOMEBODY"), "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential="])
def test_a_signature_alone_is_no_key(gateway: Running, bedrock: Provider, value: str) -> None:
    answer = gateway.call(CONVERSE, b"{}", key=None, authorization=value)
    assert (answer.status, answer.headers["x-metering-error"]) == (401, "invalid_api_key")
    assert answer.headers["x-amzn-errortype"] == "UnrecognizedClientException"
    assert json.loads(answer.read())["message"].startswith("No API key")
    assert not bedrock.received


def test_two_keys_are_one_too_many(gateway: Running) -> None:
    answer = gateway.call(CONVERSE, b"{}", key=None, authorization=SIGNED.format("mk_other"), x_api_key=KEY)
    assert (answer.status, answer.headers["x-metering-error"]) == (401, "invalid_api_key")


def test_what_bedrock_is_told_by_header_passes(gateway: Running, bedrock: Provider) -> None:
    gateway.call(CONVERSE, b"{}", x_amzn_bedrock_guardrailidentifier="g1", x_amz_date="theirs").read()
    [sent] = bedrock.received
    assert sent.headers["x-amzn-bedrock-guardrailidentifier"] == "g1"
    assert sent.headers["x-amz-date"] != "theirs"


@pytest.mark.parametrize(
    ("status", "error_type", "expected"),
    [
        (403, "UnrecognizedClientException:http://internal.amazon.com/", (502, "upstream_auth")),
        (403, "AccessDeniedException", (403, None)),
        (429, "ThrottlingException", (429, None)),
    ],
)
def test_a_refused_key_is_told_from_a_refused_call(
    gateway: Running, bedrock: Provider, status: int, error_type: str, expected: tuple[int, str | None]
) -> None:
    bedrock.answer = lambda received: Answer(status, JSON | {"x-amzn-errortype": error_type}, b'{"message":"no"}')
    answer = gateway.call(CONVERSE, b"{}")
    assert (answer.status, answer.headers["x-metering-error"]) == expected
    [event] = gateway.wait(lambda: gateway.records("result"))
    assert (event["status"], event["cost"]) == ("provider_error", 0)


def test_a_stream_that_breaks_off_is_flagged_and_estimated(gateway: Running, bedrock: Provider) -> None:
    kind = {"content-type": "application/vnd.amazon.eventstream"}
    bedrock.answer = lambda received: Answer(200, kind, chunks=[CONVERSATION[:-30]], cut=True)
    answer = gateway.call(CONVERSE + "-stream", b'{"messages":[]}')
    with pytest.raises(Exception, match=r"IncompleteRead|reset"):
        answer.read()
    [event] = gateway.wait(lambda: gateway.records("result"))
    assert (event["status"], event["estimated"], event["flags"]) == ("provider_error", True, [STREAM_DAMAGED])


# where calls go when the account names no address


def credential(slug: str, secret: str, base_url: str = "") -> Credential:
    row = uuid4()
    encrypted = KEYRING.encrypt(secret, workspace=WORKSPACE, row=row)
    return credential_of(CredentialRow(WORKSPACE, row, slug, slug, base_url, encrypted), KEYRING)


@pytest.mark.parametrize(
    ("slug", "secret", "path", "host", "target"),
    [
        (
            "bedrock",
            json.dumps(SECRET),
            "/model/a%3A0/converse",
            "bedrock-runtime.eu-central-1.amazonaws.com",
            b"/model/a%3A0/converse",
        ),
        ("bedrock", "ABSK1", "/v1/responses", "bedrock-mantle.us-east-1.api.aws", b"/v1/responses"),
        (
            "vertex",
            "AIzaSyExample1",
            "/v1/projects/p-1/locations/europe-west4/publishers/google/models/g:countTokens",
            "europe-west4-aiplatform.googleapis.com",
            b"/v1/projects/p-1/locations/europe-west4/publishers/google/models/g:countTokens",
        ),
        (
            "vertex",
            json.dumps(key_file(location="eu")),
            "/v1beta1/publishers/google/models/g:countTokens",
            "aiplatform.eu.rep.googleapis.com",
            b"/v1beta1/projects/acme-123/locations/eu/publishers/google/models/g:countTokens",
        ),
    ],
)
def test_the_key_and_the_path_decide_the_host(slug: str, secret: str, path: str, host: str, target: bytes) -> None:
    found = credential(slug, secret)
    route = found.provider.route("POST", path)
    assert route is not None
    origin = found.origin_of(route)
    assert (origin.host, origin.port, origin.tls, origin.guarded) == (host, 443, True, True)
    asked, lines = found.head(route)
    assert asked == target
    assert lines == b"host: %b\r\naccept-encoding: identity\r\n" % host.encode()


def test_an_address_of_its_own_is_used_for_every_route() -> None:
    found = credential("bedrock", json.dumps(SECRET), "https://gateway.example/llm")
    for path in ("/model/a/converse", "/v1/responses"):
        route = found.provider.route("POST", path)
        assert route is not None
        assert (found.origin_of(route).host, found.head(route)[0]) == ("gateway.example", f"/llm{path}".encode())


def test_a_stored_key_that_cannot_be_read_is_none() -> None:
    found = credential("bedrock", "two words")
    assert (found.secret, found.account) == (None, None)
