"""Every refusal of our own: its code, its status, and its body as the caller's SDK expects it. Pure.

Bodies and what makes an SDK try again: OpenAI's, Anthropic's and Google's error references, and how their SDKs behave.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import orjson


@dataclass(frozen=True, slots=True)
class Kind:
    """What one code means in each dialect. `anthropic` and `openai` are error types, `openai_code` empty: our code."""

    status: int
    advice: str
    openai: str = "invalid_request_error"
    anthropic: str = "invalid_request_error"
    openai_code: str = ""
    google: str = "INVALID_ARGUMENT"
    final: bool = False
    """Trying the same call again cannot help before something else changes: `x-should-retry: false`."""
    longest_wait: int = 0
    """Seconds: the most that Retry-After may ask for; 0: the header is never sent."""


def _spent(advice: str) -> Kind:
    return Kind(
        429, advice, "insufficient_quota", "billing_error", "insufficient_quota", "RESOURCE_EXHAUSTED", final=True
    )


def _busy(advice: str, longest_wait: int) -> Kind:
    return Kind(
        429,
        advice,
        "requests",
        "rate_limit_error",
        "rate_limit_exceeded",
        "RESOURCE_EXHAUSTED",
        longest_wait=longest_wait,
    )


def _forbidden(advice: str) -> Kind:
    return Kind(403, advice, anthropic="permission_error", google="PERMISSION_DENIED")


def _missing(advice: str) -> Kind:
    return Kind(404, advice, anthropic="not_found_error", google="NOT_FOUND")


def _broken(status: int, advice: str, google: str = "UNAVAILABLE", *, final: bool = False) -> Kind:
    return Kind(status, advice, "server_error", "api_error", google=google, final=final)


KINDS: Final[dict[str, Kind]] = {
    "invalid_tags": Kind(400, "The X-Metering-Tags header is not valid: correct it and send the call again."),
    "invalid_request": Kind(400, "The request is not valid: correct it and send it again."),
    "provider_not_connected": Kind(400, "This workspace has no key for that provider: connect it under Providers."),
    "model_not_priced": Kind(
        400, "The model has no price, so a hard cap cannot hold: price it under Billing, or use another one."
    ),
    "invalid_api_key": Kind(
        401,
        "Send an API key of this workspace (mk_…) as `Authorization: Bearer mk_…`, not the provider's own key.",
        anthropic="authentication_error",
        google="UNAUTHENTICATED",
    ),
    "key_disabled": _forbidden("This API key was revoked: ask the workspace's admin for a new one."),
    "workspace_suspended": _forbidden("The workspace is suspended: its owner can read why under Settings, Plan."),
    "model_not_allowed": _forbidden("This API key may not use that model: ask the workspace's admin to allow it."),
    "unknown_provider": _missing("No provider has this name: the path is /proxy/{provider}/…, as in /proxy/openai/…."),
    "unknown_endpoint": _missing("This endpoint is not metered and so not forwarded: see the list in the docs."),
    "body_too_large": Kind(
        413, "The body is larger than 25 MiB: send files by reference.", anthropic="request_too_large"
    ),
    "unsupported_encoding": Kind(415, "The body is compressed: send it without a Content-Encoding."),
    "budget_exhausted": _spent("The budget is used up: raise it under Budgets, or wait for its next period."),
    "request_exceeds_budget": _spent("This call may cost more than the budget has left: ask for less, or raise it."),
    "budget_reserved": _busy("Running calls hold the rest of the budget: try again in a moment.", longest_wait=5),
    "rate_limited": _busy("Too many calls: slow down and try again.", longest_wait=60),
    "plan_limit_reached": _spent("The workspace's plan has no calls left: its owner can upgrade under Settings, Plan."),
    "upstream_unreachable": _broken(502, "The provider could not be reached: try again, or look at its status page."),
    "upstream_auth": _broken(
        502, "The provider rejects the key stored for it: replace it under Providers.", final=True
    ),
    "upstream_timeout": _broken(504, "The provider did not answer in time: try later.", google="DEADLINE_EXCEEDED"),
    "budget_unavailable": _broken(503, "The budget cannot be checked now, and the key has a hard cap: try again soon."),
}
AMAZON: Final[dict[int, str]] = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    402: "ServiceQuotaExceededException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    413: "ValidationException",
    415: "ValidationException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
    504: "ModelTimeoutException",
}
"""The error types of Bedrock's runtime, by status."""
AMAZON_CODES: Final = dict.fromkeys(
    [code for code, kind in KINDS.items() if kind.final and kind.status == 429], "ServiceQuotaExceededException"
)
"""Those that its SDKs need not try again, unlike what is throttled."""
BUDGET_CODES: Final = frozenset({"budget_exhausted", "request_exceeds_budget", "budget_reserved"})
"""The codes for which a workspace may choose status 402."""


class Refusal(Exception):
    """A call that we answer ourselves. `message` says what to do; `retry_after`: seconds, cut to what is allowed."""

    def __init__(
        self, code: str, message: str = "", *, status: int | None = None, retry_after: int | None = None
    ) -> None:
        self.code = code
        self.kind = KINDS[code]
        self.message = message or self.kind.advice
        self.status = self.kind.status if status is None else status
        self.retry_after = retry_after
        super().__init__(code, self.message)

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """What belongs to this refusal besides the content type and length, names in lower case."""
        headers = [(b"x-metering-error", self.code.encode())]
        if self.kind.longest_wait:
            wait = min(max(1, self.retry_after or 1), self.kind.longest_wait)
            headers.append((b"retry-after", b"%d" % wait))
        elif self.kind.final:
            headers.append((b"x-should-retry", b"false"))
        return headers

    def heading(self, dialect: str) -> list[tuple[bytes, bytes]]:
        """The headers in which a dialect says a part of its error, names in lower case: Amazon's SDKs read its type."""
        if dialect != "aws":
            return []
        usual = AMAZON.get(self.status, "InternalServerException")
        return [(b"x-amzn-errortype", (AMAZON_CODES.get(self.code) or usual).encode())]

    def body(self, dialect: str, request_id: str = "") -> bytes:
        """JSON in the dialect `openai`, `anthropic`, `google`, `flat` or `aws`; any other is answered as `openai`."""
        return orjson.dumps(_BODIES.get(dialect, _openai)(self, request_id))


def _openai(refusal: Refusal, request_id: str) -> dict[str, object]:
    kind = refusal.kind
    code = kind.openai_code or refusal.code
    return {"error": {"message": refusal.message, "type": kind.openai, "param": None, "code": code}}


def _anthropic(refusal: Refusal, request_id: str) -> dict[str, object]:
    error = {"type": refusal.kind.anthropic, "message": refusal.message}
    return {"type": "error", "error": error, "request_id": request_id or None}


def _google(refusal: Refusal, request_id: str) -> dict[str, object]:
    kind = refusal.kind
    return {"error": {"code": refusal.status, "message": refusal.message, "status": kind.google, "details": []}}


def _flat(refusal: Refusal, request_id: str) -> dict[str, object]:
    return {"message": refusal.message}


_BODIES = {"openai": _openai, "anthropic": _anthropic, "google": _google, "flat": _flat, "aws": _flat}
