from __future__ import annotations

import base64
import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.catalogue import Catalogue
from metering.answers import read_body
from metering.providers.account import Outgoing
from metering.providers.base import Route
from metering.providers.bedrock import BEDROCK
from metering.providers.bedrock_key import read_key
from metering.providers.bedrock_usage import STREAM_DAMAGED, ConverseReader, InvokeReader
from metering.usage import ANOMALY, Reading

MOMENT = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
ACCESS_KEY = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG"}
NAMES = st.sampled_from(
    "type usage message chunk bytes metadata output contentBlockDelta delta inputTokens outputTokens cacheDetails ttl"
    " serviceTier trace promptRouter invokedModelId results tokenCount inputTextTokenCount generation choices"
    " amazon-bedrock-invocationMetrics inputTokenCount throttlingException :damaged".split()
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


def route(path: str) -> Route:
    found = BEDROCK.route("POST", path)
    assert found is not None, path
    return found


def chunk(document: Any) -> dict[str, Any]:
    return {"chunk": {"bytes": base64.b64encode(json.dumps(document).encode()).decode(), "p": "abc"}}


def reading_of(reader: ConverseReader | InvokeReader, *documents: Any) -> Reading:
    for document in documents:
        reader.read(document)
    return reader.reading()


def counts(reading: Reading) -> dict[str, int]:
    assert reading.usage is not None
    return reading.usage.counts()


# paths


@pytest.mark.parametrize(
    ("path", "kind", "model", "stream"),
    [
        ("/model/us.amazon.nova-lite-v1%3A0/converse", "converse", "us.amazon.nova-lite-v1:0", False),
        ("/model/us.amazon.nova-lite-v1:0/converse", "converse", "us.amazon.nova-lite-v1:0", False),
        ("/model/amazon.titan-text-lite-v1/converse-stream", "converse-stream", "amazon.titan-text-lite-v1", True),
        ("/model/meta.llama3-8b-instruct-v1%3a0/invoke", "invoke", "meta.llama3-8b-instruct-v1:0", False),
        (
            "/model/anthropic.claude-v2/invoke-with-response-stream",
            "invoke-with-response-stream",
            "anthropic.claude-v2",
            True,
        ),
        (
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.amazon.nova-lite-v1%3A0/converse",
            "converse",
            "arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-lite-v1:0",
            False,
        ),
        ("/model/amazon.nova-lite-v1%3A0/count-tokens", "count_tokens", "amazon.nova-lite-v1:0", False),
    ],
)
def test_the_runtimes_calls(path: str, kind: str, model: str, stream: bool) -> None:
    found = route(path)
    assert (found.endpoint.kind, found.model, found.stream, found.path) == (kind, model, stream, path)


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("/chat/completions", "/openai/v1/chat/completions"),
        ("/openai/v1/chat/completions", "/openai/v1/chat/completions"),
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/responses", "/openai/v1/responses"),
        ("/v1/responses", "/v1/responses"),
        ("/v1/messages", "/anthropic/v1/messages"),
        ("/anthropic/v1/messages", "/anthropic/v1/messages"),
    ],
)
def test_what_the_sdks_of_others_ask_for(path: str, own: str) -> None:
    found = route(path)
    assert found.path == own
    assert found.endpoint.dialect == ("anthropic" if "messages" in own else "openai")


@pytest.mark.parametrize(
    "path",
    [
        "/model/amazon.nova-sonic-v1%3A0/invoke-with-bidirectional-stream",
        "/async-invoke",
        "/guardrail/g1/version/1/apply",
        "/v1/batches",
    ],
)
def test_what_cannot_be_metered_is_refused(path: str) -> None:
    assert route(path).endpoint.refusal.endswith(".")


@pytest.mark.parametrize("path", ["/model//converse", "/model/a/b/converse", "/model/a%2e%2e/converse", "/model/../x"])
def test_what_is_no_model_is_not_known(path: str) -> None:
    assert BEDROCK.route("POST", path) is None


@pytest.mark.parametrize(
    ("model", "priced"),
    [
        ("us.amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0"),
        ("apac.amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0"),
        ("eu.anthropic.claude-haiku-4-5-20251001-v1:0", "regional.anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("global.anthropic.claude-haiku-4-5-20251001-v1:0", "global.anthropic.claude-haiku-4-5-20251001-v1:0"),
        (
            "arn:aws:bedrock:us-east-1:1:inference-profile/global.anthropic.claude-haiku-4-5-20251001-v1:0",
            "global.anthropic.claude-haiku-4-5-20251001-v1:0",
        ),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/mi1dadi0g15f", None),
    ],
)
def test_the_price_is_that_of_the_profile(model: str, priced: str | None) -> None:
    card = Catalogue().rate_card(BEDROCK.catalogue, model, MOMENT)
    assert (card and card.listed_as) == priced


# keys


def test_an_api_key_is_sent_as_it_is() -> None:
    key = read_key(" ABSKabcdef== \n")
    found = route("/model/amazon.nova-lite-v1%3A0/converse")
    assert key.base_url(found) == "https://bedrock-runtime.us-east-1.amazonaws.com"
    assert key.sign(Outgoing(b"POST", b"h", b"/", b""), found, MOMENT) == b"authorization: Bearer ABSKabcdef==\r\n"
    assert key.shown == "ef=="
    assert read_key(key.stored) == key


@pytest.mark.parametrize(
    ("path", "host", "service"),
    [
        ("/model/a/converse", "bedrock-runtime.eu-central-1.amazonaws.com", "bedrock"),
        ("/openai/v1/chat/completions", "bedrock-runtime.eu-central-1.amazonaws.com", "bedrock"),
        ("/v1/responses", "bedrock-mantle.eu-central-1.api.aws", "bedrock-mantle"),
        ("/anthropic/v1/messages", "bedrock-mantle.eu-central-1.api.aws", "bedrock-mantle"),
    ],
)
def test_an_access_key_signs_for_its_region(path: str, host: str, service: str) -> None:
    key = read_key(json.dumps({"region": "eu-central-1", **ACCESS_KEY, "aws_session_token": "token"}))
    found = route(path)
    assert key.base_url(found) == f"https://{host}"
    lines = key.sign(Outgoing(b"POST", host.encode(), path.encode(), b"{}"), found, MOMENT).decode()
    assert f"Credential=AKIAIOSFODNN7EXAMPLE/20261125/eu-central-1/{service}/aws4_request" in lines
    assert "x-amz-security-token: token\r\n" in lines
    assert "wJalr" not in lines
    assert key.shown == "MPLE"
    assert read_key(key.stored) == key
    assert "wJalr" not in repr(key)


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        ("two words", "blanks"),
        ("{", "cannot be read"),
        ('{"region": 1}', "texts"),
        ('{"region": "mars"}', "no region"),
        ('{"region": "us-east-1"}', "access key's id"),
        ('{"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE"}', "its secret"),
        ('{"aws_access_key_id": "me", "aws_secret_access_key": "s"}', "capital letters"),
        ('{"aws_access_key_id": "ASIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "s"}', "session token"),
        ('{"api_key": "a b"}', "blanks"),
    ],
)
def test_what_is_no_key_is_said(secret: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_key(secret)


@pytest.mark.parametrize(
    ("status", "error", "body", "rejected"),
    [
        (403, b"UnrecognizedClientException:http://internal.amazon.com/coral/com.amazon.coral.service/", b"", True),
        (403, b"InvalidSignatureException", b"", True),
        (403, b"ExpiredTokenException", b"", True),
        (403, b"", b'{"Message":"Authentication failed: Please make sure your API Key is valid."}', True),
        (401, b"", b"", True),
        (403, b"AccessDeniedException", b'{"message":"You may not invoke this model"}', False),
        (400, b"ValidationException", b'{"message":"The provided model identifier is invalid."}', False),
        (429, b"ThrottlingException", b"", False),
    ],
)
def test_only_a_refused_key_is_a_refused_key(status: int, error: bytes, body: bytes, rejected: bool) -> None:
    headers = [(b"x-amzn-errortype", error)] if error else []
    assert read_key("ABSK").rejected(status, headers, body) is rejected


def test_the_probe_is_a_call_that_we_know() -> None:
    probe = read_key("ABSK").probe()
    assert BEDROCK.route(probe.method, probe.path) is not None
    assert json.loads(probe.body)["messages"]


# answers


def test_the_cache_is_a_part_of_the_input() -> None:
    usage = {
        "inputTokens": 3,
        "outputTokens": 121,
        "cacheReadInputTokens": 1712,
        "cacheReadInputTokenCount": 1712,
        "cacheWriteInputTokens": 300,
        "cacheDetails": [{"ttl": "5m", "inputTokens": 200}, {"ttl": "1h", "inputTokens": 100}],
    }
    found = reading_of(ConverseReader(), {"output": {}, "usage": usage, "serviceTier": {"type": "priority"}})
    assert counts(found) == {
        "input_tokens": 2015,
        "output_tokens": 121,
        "cache_read_tokens": 1712,
        "cache_write_tokens": 300,
        "cache_write_5m": 200,
        "cache_write_1h": 100,
    }
    assert found.service_tier == "priority"


def test_a_prompt_router_tells_which_model_answered() -> None:
    invoked = "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0"
    trace = {"promptRouter": {"invokedModelId": invoked}}
    found = reading_of(ConverseReader(), {"metadata": {"usage": {"inputTokens": 1, "outputTokens": 2}, "trace": trace}})
    assert found.model == "us.anthropic.claude-haiku-4-5-20251001-v1:0"


def test_an_error_within_a_stream() -> None:
    word = {"contentBlockDelta": {"delta": {"text": "Hel"}}}
    found = reading_of(ConverseReader(), word, {"modelStreamErrorException": {"message": "of the prompt"}})
    assert (found.error, found.usage, found.output_characters) == ("modelStreamErrorException", None, 3)
    found = reading_of(InvokeReader(), chunk({"outputText": "Hel"}), {"throttlingException": {"message": "x"}})
    assert (found.error, found.usage, found.output_characters) == ("throttlingException", None, 3)


METRICS = {"inputTokenCount": 5, "outputTokenCount": 9, "cacheReadInputTokenCount": 4, "cacheWriteInputTokenCount": 0}


@pytest.mark.parametrize(
    ("documents", "expected", "characters"),
    [
        ([{"inputTextTokenCount": 9, "results": [{"tokenCount": 17, "outputText": "abc"}]}], (9, 17), 3),
        ([{"embedding": [0.1], "inputTextTokenCount": 4}], (4, 0), 0),
        ([{"generation": "abc", "prompt_token_count": 8, "generation_token_count": 35}], (8, 35), 3),
        (
            [{"choices": [{"message": {"content": "abc"}}], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}],
            (7, 2),
            0,
        ),
        (
            [{"output": {"message": {"content": [{"text": "abc"}]}}, "usage": {"inputTokens": 1, "outputTokens": 2}}],
            (1, 2),
            3,
        ),
        (
            [{"type": "message", "content": [{"text": "abc"}], "usage": {"input_tokens": 3, "output_tokens": 4}}],
            (3, 4),
            3,
        ),
        (
            [
                chunk({"generation": "a", "prompt_token_count": 8, "generation_token_count": 1}),
                chunk({"generation": "bc", "prompt_token_count": None, "generation_token_count": 2}),
            ],
            (8, 2),
            3,
        ),
        (
            [
                chunk({"outputs": [{"text": "abc"}]}),
                chunk({"outputs": [], "amazon-bedrock-invocationMetrics": METRICS}),
            ],
            (9, 9),
            3,
        ),
    ],
)
def test_every_makers_answer(documents: list[Any], expected: tuple[int, int], characters: int) -> None:
    found = reading_of(InvokeReader(), *documents)
    assert found.usage is not None
    assert (found.usage.input_tokens, found.usage.output_tokens) == expected
    assert (found.output_characters, found.flags) == (characters, ())


def test_headers_tell_what_a_body_does_not() -> None:
    headers = [
        (b"x-amzn-bedrock-input-token-count", b"12"),
        (b"x-amzn-bedrock-output-token-count", b"0"),
        (b"x-amzn-bedrock-cache-read-input-token-count", b"5"),
    ]
    found = read_body(InvokeReader(), b'{"embeddings":[[0.1]],"response_type":"embeddings_floats"}', headers)
    assert counts(found) == {"input_tokens": 17, "cache_read_tokens": 5}
    told = read_body(InvokeReader(), b'{"generation":"","prompt_token_count":8,"generation_token_count":1}', headers)
    assert counts(told) == {"input_tokens": 8, "output_tokens": 1}


def test_what_a_guardrail_says_itself_is_not_counted() -> None:
    blocked = {"outputText": "No.", "inputTextTokenCount": 6.0, "amazon-bedrock-guardrailAction": "INTERVENED"}
    assert reading_of(InvokeReader(), chunk(blocked)).usage is None


def test_a_chunk_that_cannot_be_read_is_damage() -> None:
    for data in ("?", "bm90IEpTT04=", 5, None):
        assert reading_of(InvokeReader(), {"chunk": {"bytes": data}}).flags == (STREAM_DAMAGED,)


def test_the_end_of_an_invoked_stream_is_known() -> None:
    reader = InvokeReader()
    reader.read(chunk({"outputText": "Hi"}))
    assert not reader.terminal
    reader.read(chunk({"outputText": "", "amazon-bedrock-invocationMetrics": METRICS}))
    assert reader.terminal


def test_counts_that_are_none_are_flagged() -> None:
    found = reading_of(InvokeReader(), {"amazon-bedrock-invocationMetrics": {"inputTokenCount": -3}})
    assert counts(found) == {}
    assert found.flags == (ANOMALY,)


@given(st.lists(JSON, max_size=4))
def test_no_json_raises(documents: list[Any]) -> None:
    for reader in (ConverseReader(), InvokeReader()):
        reading_of(reader, *documents, *(chunk(json.loads(json.dumps(one))) for one in documents))
