"""The head of a proxied answer: the provider's headers, and ours."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from billing.money import usd_text
from metering.gateway.headers import to_client

if TYPE_CHECKING:
    from metering.gateway.call import Call
    from metering.gateway.origin import Headers

STREAM_TYPES = (
    b"text/event-stream",
    b"application/x-ndjson",
    b"application/stream+json",
    b"application/vnd.amazon.eventstream",
)
UNATTRIBUTED = b"Unattributed"


def is_stream(headers: Headers) -> bool:
    """Whether an answer comes in events, by its content type."""
    return dict(headers).get(b"content-type", b"").lower().startswith(STREAM_TYPES)


def answer_head(call: Call, headers: Headers, *, streamed: bool = False) -> bytes:
    """The header lines of an answer; the cost is on an unstreamed one only, where it is known by now."""
    ours = b"x-metering-event-id: %b\r\nx-metering-client: %b\r\n" % (call.id.encode(), client_header(call.way.client))
    if streamed:
        ours += b"x-accel-buffering: no\r\n"
    elif call.cost is not None:
        ours += b"x-metering-cost-usd: %b\r\n" % usd_text(call.cost).encode()
    return to_client(headers) + ours + call.budget_head


def client_header(client: str) -> bytes:
    """A client's slug as a header value: percent-encoded where it is not plain ASCII."""
    if not client:
        return UNATTRIBUTED
    return (client if client.isascii() and client.isprintable() else quote(client)).encode()
