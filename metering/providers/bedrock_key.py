"""The two kinds of key for Amazon Bedrock: an API key, sent as it is, and an access key that signs each request. Pure.

https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from metering.providers.account import Grant, Headers, Outgoing, Probe
from metering.providers.base import Route
from metering.providers.sigv4 import AccessKey, sign

USUAL_REGION = "us-east-1"
REGION = re.compile(r"[a-z]{2}(?:-[a-z]+){1,3}-[0-9]{1,2}")
ACCESS_KEY_ID = re.compile(r"[A-Z0-9]{16,128}")
PRINTABLE = re.compile(r"[!-~]+")
MANTLE_PATHS = ("/v1/", "/anthropic/")
KEY_ERRORS = frozenset(
    "UnrecognizedClientException InvalidSignatureException ExpiredTokenException ExpiredToken InvalidClientTokenId"
    " IncompleteSignatureException MissingAuthenticationTokenException SignatureDoesNotMatch".split()
)
"""https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html"""
BAD_API_KEY = b"make sure your API Key is valid"
PROBE = Probe(
    "POST",
    "/model/amazon.connection-test-v1%3A0/converse",
    b'{"messages":[{"role":"user","content":[{"text":"test"}]}]}',
    frozenset({400, 404}),
)
"""There is no such model, which Bedrock says to those alone whose key it takes."""


@dataclass(frozen=True, slots=True)
class BedrockKey:
    """An account at Bedrock in one region: with an `api_key`, else with an access key. An `Account`."""

    region: str
    api_key: str = ""
    access_key: AccessKey | None = None
    grant: Grant | None = None

    @property
    def shown(self) -> str:
        return (self.access_key.id if self.access_key else self.api_key)[-4:]

    @property
    def stored(self) -> str:
        told = {"region": self.region, "api_key": self.api_key}
        if self.access_key is not None:
            told |= {
                "aws_access_key_id": self.access_key.id,
                "aws_secret_access_key": self.access_key.secret,
                "aws_session_token": self.access_key.session_token,
            }
        return json.dumps({name: value for name, value in told.items() if value})

    def base_url(self, route: Route) -> str:
        if route.path.startswith(MANTLE_PATHS):
            return f"https://bedrock-mantle.{self.region}.api.aws"
        return f"https://bedrock-runtime.{self.region}.amazonaws.com"

    def path(self, route: Route) -> str:
        return route.path

    def sign(self, request: Outgoing, route: Route, moment: datetime) -> bytes:
        if self.access_key is None:
            return b"authorization: Bearer %b\r\n" % self.api_key.encode()
        service = "bedrock-mantle" if route.path.startswith(MANTLE_PATHS) else "bedrock"
        return sign(request, self.access_key, region=self.region, service=service, moment=moment)

    def rejected(self, status: int, headers: Headers, body: bytes) -> bool:
        if status == 401:
            return True
        named = next((value for name, value in headers if name == b"x-amzn-errortype"), b"")
        code = named.partition(b":")[0].decode(errors="replace")
        return status in (400, 403) and (code in KEY_ERRORS or BAD_API_KEY in body)

    def probe(self) -> Probe:
        return PROBE


def read_key(secret: str) -> BedrockKey:
    """A stored or pasted key: JSON in the names of AWS's own configuration files, or an API key alone.

    Raises ValueError with a sentence for who pasted it.
    """
    if not secret.lstrip().startswith("{"):
        return BedrockKey(USUAL_REGION, api_key=_plain(secret.strip(), "This is no API key of Bedrock"))
    told = _read(secret)
    region = told.get("region") or USUAL_REGION
    if not REGION.fullmatch(region):
        raise ValueError(f"{region} is no region of AWS: write it like us-east-1.")
    if told.get("api_key"):
        return BedrockKey(region, api_key=_plain(told["api_key"], "This is no API key of Bedrock"))
    return BedrockKey(region, access_key=_access_key(told))


def _access_key(told: dict[str, str]) -> AccessKey:
    identifier, secret = told.get("aws_access_key_id", ""), told.get("aws_secret_access_key", "")
    if not identifier or not secret:
        raise ValueError("Give an access key's id and its secret, or an API key of Bedrock.")
    if not ACCESS_KEY_ID.fullmatch(identifier):
        raise ValueError("An access key's id has capital letters and digits only, such as AKIAIOSFODNN7EXAMPLE.")
    token = told.get("aws_session_token", "")
    if identifier.startswith("ASIA") and not token:
        raise ValueError("An access key that begins with ASIA is temporary: it needs its session token too.")
    secret = _plain(secret, "This is no secret access key")
    return AccessKey(identifier, secret, _plain(token, "This is no session token") if token else "")


def _read(secret: str) -> dict[str, str]:
    try:
        told: Any = json.loads(secret)
    except (ValueError, RecursionError) as error:
        raise ValueError("This JSON cannot be read: paste all of it.") from error
    if not isinstance(told, dict) or not all(isinstance(value, str) for value in told.values()):
        raise ValueError("This JSON is no key for Bedrock: its members must be texts.")
    return {name: value.strip() for name, value in told.items()}


def _plain(text: str, problem: str) -> str:
    if not PRINTABLE.fullmatch(text):
        raise ValueError(f"{problem}: it is empty, or has blanks or other characters that no key has.")
    return text
