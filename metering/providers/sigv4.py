"""AWS Signature Version 4 in headers. Pure.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote

from metering.providers.account import Outgoing

ALGORITHM = "AWS4-HMAC-SHA256"
SAFE = "-_.~"

Header = tuple[str, str]
"""A name in lower case, and its value."""


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key of AWS; the session token comes with temporary ones."""

    id: str
    secret: str = field(repr=False)
    session_token: str = field(default="", repr=False)


def sign(request: Outgoing, key: AccessKey, *, region: str, service: str, moment: datetime) -> bytes:
    """The header lines that sign a request: its time, the session token if there is one, and the signature."""
    stamp = moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = [("host", request.authority.decode()), ("x-amz-date", stamp)]
    if key.session_token:
        headers.append(("x-amz-security-token", key.session_token))
    value = authorization(request, headers, key, region=region, service=service)
    lines = [*headers[1:], ("authorization", value)]
    return b"".join([f"{name}: {text}\r\n".encode() for name, text in lines])


def authorization(request: Outgoing, headers: list[Header], key: AccessKey, *, region: str, service: str) -> str:
    """The Authorization header of a request whose headers, `x-amz-date` among them, are all signed."""
    stamp = dict(headers)["x-amz-date"]
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical_request(request, headers).encode()).hexdigest()
    signing = _signing_key(key.secret, stamp[:8], region, service)
    signature = _hmac(signing, f"{ALGORITHM}\n{stamp}\n{scope}\n{digest}").hex()
    return f"{ALGORITHM} Credential={key.id}/{scope}, SignedHeaders={_names(headers)}, Signature={signature}"


def canonical_request(request: Outgoing, headers: list[Header]) -> str:
    """The text whose digest is signed."""
    path, _, query = request.target.decode().partition("?")
    lines = [f"{name}:{_values(name, headers)}" for name in sorted({name for name, _ in headers})]
    payload = hashlib.sha256(request.body).hexdigest()
    # Escapes in the path are escaped once more, as for every service but S3.
    parts = [request.method.decode(), quote(path or "/", safe=f"/{SAFE}"), _query(query), *lines, "", _names(headers)]
    return "\n".join([*parts, payload])


def _query(query: str) -> str:
    """Escaped as it already is; sorted by name, then by value."""
    pairs = [part.partition("=") for part in query.split("&") if part]
    return "&".join([f"{name}={value}" for name, value in sorted((name, value) for name, _, value in pairs)])


def _values(name: str, headers: Iterable[Header]) -> str:
    return ",".join([" ".join(value.split()) for other, value in headers if other == name])


def _names(headers: Iterable[Header]) -> str:
    return ";".join(sorted({name for name, _ in headers}))


@lru_cache(maxsize=256)
def _signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    key = _hmac(f"AWS4{secret}".encode(), day)
    for part in (region, service, "aws4_request"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
