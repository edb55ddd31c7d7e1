"""Our own errors on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metering.errors import Refusal
    from metering.gateway.server import Downstream


def respond_refusal(client: Downstream, refusal: Refusal, dialect: str, more: bytes = b"") -> None:
    """Answer with an error of our own, in the dialect of the SDK that asked."""
    lines = b"".join([b"%b: %b\r\n" % header for header in (*refusal.headers, *refusal.heading(dialect))])
    client.respond(refusal.status, more + lines + b"content-type: application/json\r\n", refusal.body(dialect))
