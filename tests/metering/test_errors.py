from __future__ import annotations

import json

import pytest

from metering.errors import BUDGET_CODES, KINDS, Refusal

# The contract's table.
STATUSES = {
    400: "invalid_tags invalid_request provider_not_connected model_not_priced",
    401: "invalid_api_key",
    403: "key_disabled workspace_suspended model_not_allowed",
    404: "unknown_provider unknown_endpoint",
    413: "body_too_large",
    415: "unsupported_encoding",
    429: "budget_exhausted request_exceeds_budget budget_reserved rate_limited plan_limit_reached",
    502: "upstream_unreachable upstream_auth",
    503: "budget_unavailable",
    504: "upstream_timeout",
}
TABLE = {code: status for status, codes in STATUSES.items() for code in codes.split()}


def test_the_table_is_the_contract() -> None:
    assert {code: kind.status for code, kind in KINDS.items()} == TABLE


@pytest.mark.parametrize("code", KINDS)
@pytest.mark.parametrize("dialect", ["openai", "anthropic", "google", "flat", "aws", "unheard-of"])
def test_every_refusal_has_a_body_that_says_what_to_do(code: str, dialect: str) -> None:
    body = json.loads(Refusal(code).body(dialect))
    message = body["message"] if dialect in ("flat", "aws") else body["error"]["message"]
    assert message == KINDS[code].advice
    assert ":" in message
    assert message.endswith(".")


@pytest.mark.parametrize("code", KINDS)
def test_every_refusal_carries_its_code(code: str) -> None:
    assert (b"x-metering-error", code.encode()) in Refusal(code).headers


def test_openai() -> None:
    assert json.loads(Refusal("budget_exhausted", "Spent.").body("openai")) == {
        "error": {"message": "Spent.", "type": "insufficient_quota", "param": None, "code": "insufficient_quota"}
    }
    assert json.loads(Refusal("invalid_api_key", "No.").body("openai")) == {
        "error": {"message": "No.", "type": "invalid_request_error", "param": None, "code": "invalid_api_key"}
    }


def test_anthropic() -> None:
    assert json.loads(Refusal("request_exceeds_budget", "Too much.").body("anthropic", "evt-1")) == {
        "type": "error",
        "error": {"type": "billing_error", "message": "Too much."},
        "request_id": "evt-1",
    }
    assert json.loads(Refusal("rate_limited").body("anthropic"))["error"]["type"] == "rate_limit_error"
    assert json.loads(Refusal("invalid_api_key").body("anthropic"))["error"]["type"] == "authentication_error"


def test_google() -> None:
    assert json.loads(Refusal("budget_exhausted", "Spent.").body("google")) == {
        "error": {"code": 429, "message": "Spent.", "status": "RESOURCE_EXHAUSTED", "details": []}
    }
    assert json.loads(Refusal("key_disabled").body("google"))["error"]["status"] == "PERMISSION_DENIED"


def test_flat() -> None:
    assert json.loads(Refusal("unknown_endpoint", "Not here.").body("flat")) == {"message": "Not here."}


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("invalid_tags", b"ValidationException"),
        ("invalid_api_key", b"UnrecognizedClientException"),
        ("key_disabled", b"AccessDeniedException"),
        ("unknown_endpoint", b"ResourceNotFoundException"),
        ("budget_exhausted", b"ServiceQuotaExceededException"),
        ("rate_limited", b"ThrottlingException"),
        ("budget_unavailable", b"ServiceUnavailableException"),
        ("upstream_timeout", b"ModelTimeoutException"),
        ("upstream_auth", b"InternalServerException"),
    ],
)
def test_amazon(code: str, error: bytes) -> None:
    assert Refusal(code).heading("aws") == [(b"x-amzn-errortype", error)]
    assert Refusal(code).heading("flat") == []


def test_amazon_has_its_own_word_for_a_budget_that_is_used_up() -> None:
    assert Refusal("budget_exhausted", status=402).heading("aws") == Refusal("budget_exhausted").heading("aws")


@pytest.mark.parametrize("code", ["budget_exhausted", "request_exceeds_budget", "plan_limit_reached", "upstream_auth"])
def test_what_cannot_help_is_not_to_be_retried(code: str) -> None:
    headers = dict(Refusal(code, retry_after=3600).headers)
    assert headers[b"x-should-retry"] == b"false"
    assert b"retry-after" not in headers


@pytest.mark.parametrize(
    ("code", "asked", "sent"),
    [
        ("budget_reserved", 2, b"2"),
        ("budget_reserved", 900, b"5"),
        ("budget_reserved", None, b"1"),
        ("budget_reserved", -4, b"1"),
        ("rate_limited", 30, b"30"),
        ("rate_limited", 3600, b"60"),
    ],
)
def test_a_wait_is_never_longer_than_promised(code: str, asked: int | None, sent: bytes) -> None:
    headers = dict(Refusal(code, retry_after=asked).headers)
    assert headers[b"retry-after"] == sent
    assert b"x-should-retry" not in headers


@pytest.mark.parametrize("code", sorted(set(KINDS) - {"budget_reserved", "rate_limited"}))
def test_no_other_refusal_asks_to_wait(code: str) -> None:
    assert b"retry-after" not in dict(Refusal(code, retry_after=10).headers)


@pytest.mark.parametrize("code", sorted(BUDGET_CODES))
def test_a_workspace_may_choose_402_for_its_budgets(code: str) -> None:
    refusal = Refusal(code, status=402)
    assert refusal.status == 402
    assert json.loads(refusal.body("google"))["error"]["code"] == 402


def test_an_unknown_code_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        Refusal("no_such_code")
