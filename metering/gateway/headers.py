"""Which headers pass the gateway, and in which direction (RFC 9110, section 7.6, and the providers' references)."""

from __future__ import annotations

from itertools import compress
from operator import itemgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metering.gateway.origin import Headers

MOST_NAMES = 1024
NONE: frozenset[bytes] = frozenset()
KEY_HEADERS = (b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key")

HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding "
    b"upgrade".split()
)
# What a client may tell the provider. Everything else stays here: keys, cookies, tags, addresses.
TO_PROVIDER = frozenset(
    b"accept accept-language content-type user-agent http-referer x-title idempotency-key openai-beta "
    b"x-client-request-id x-session-id x-conversation-id x-grok-conv-id".split()
)
TO_PROVIDER_PREFIXES = tuple(
    b"x-stainless- anthropic- x-goog-api-client x-goog-request- x-groq- openrouter- x-amzn-bedrock-"
    b" x-vertex-ai-".split()
)
# What a provider says about its account or its own front door, and what frames the body.
NOT_TO_CLIENT = HOP_BY_HOP | frozenset(
    b"content-length set-cookie set-cookie2 alt-svc server location via nel report-to refresh www-authenticate "
    b"openai-organization openai-project anthropic-organization-id anthropic-workspace-id x-api-key cf-ray "
    b"cf-cache-status server-timing x-powered-by expect-ct clear-site-data strict-transport-security "
    b"content-security-policy x-envoy-upstream-service-time".split()
)
NOT_TO_CLIENT_PREFIXES = tuple(b"access-control- x-metering- x-budget- x-frame- cross-origin-".split())


def to_provider(headers: Headers) -> bytes:
    """The header lines of a client's request that its provider may see."""
    named = _connection_names(headers)
    return b"".join(
        [b"%b: %b\r\n" % header for header in headers if _to_provider(header[0]) and header[0] not in named]
    )


def to_client(headers: Headers) -> bytes:
    """The header lines of a provider's answer that the client may see, without any that frame the body."""
    named = _connection_names(headers)
    if named:
        headers = [header for header in headers if header[0] not in named]
    return b"".join(map(_line, compress(headers, map(TO_CLIENT.__getitem__, map(_name, headers)))))


class _Passing(dict[bytes, bool]):
    """Whether a header passes to the client, by its name; names that were seen are remembered."""

    def __missing__(self, name: bytes) -> bool:
        passes = name not in NOT_TO_CLIENT and not name.startswith(NOT_TO_CLIENT_PREFIXES)
        if len(self) < MOST_NAMES:
            self[name] = passes
        return passes


TO_CLIENT = _Passing()
_name = itemgetter(0)
_line = b"%b: %b\r\n".__mod__


def _to_provider(name: bytes) -> bool:
    return name in TO_PROVIDER or name.startswith(TO_PROVIDER_PREFIXES)


def _connection_names(headers: Headers) -> frozenset[bytes]:
    """Header names that a Connection header declares to be for one hop only."""
    if b"connection" not in dict(headers):
        return NONE
    for name, value in headers:
        if name == b"connection" and value.lower() not in (b"keep-alive", b"close"):
            return frozenset(part.strip().lower() for part in value.split(b","))
    return NONE
