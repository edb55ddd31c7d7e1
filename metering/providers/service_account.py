"""Google's service accounts: the key file, and the assertion that is traded for an access token (RFC 7523). Pure.

https://developers.google.com/identity/protocols/oauth2/service-account#httprest
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 -- an address
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFETIME = 3600
"""Seconds, the most that Google allows."""
UNREADABLE = "The private key in this JSON cannot be read: paste the key file as it was downloaded."


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """What a key file says, as far as it is needed. A `Grant`."""

    email: str
    key_id: str
    private_key: str = field(repr=False)
    url: str = TOKEN_URL

    def form(self, moment: datetime) -> bytes:
        """The body of the token request; raises ValueError for a private key that cannot be read."""
        issued = int(moment.timestamp())
        claims = {"iss": self.email, "scope": SCOPE, "aud": self.url, "iat": issued, "exp": issued + LIFETIME}
        signed = b".".join(_part(part) for part in ({"alg": "RS256", "typ": "JWT", "kid": self.key_id}, claims))
        signature = self.key().sign(signed, padding.PKCS1v15(), hashes.SHA256())
        assertion = signed + b"." + _base64(signature)
        return urlencode({"grant_type": GRANT, "assertion": assertion.decode()}).encode()

    def key(self) -> RSAPrivateKey:
        """The private key; raises ValueError."""
        try:
            key = load_pem_private_key(self.private_key.encode(), password=None)
        except (ValueError, TypeError) as error:  # TypeError: it is encrypted
            raise ValueError(UNREADABLE) from error
        if not isinstance(key, RSAPrivateKey):
            raise ValueError(UNREADABLE)  # noqa: TRY004 -- the text is at fault
        return key


def read_key_file(document: dict[str, Any]) -> ServiceAccount:
    """A key file, parsed; raises ValueError with a sentence for who pasted it."""
    if document.get("type") != "service_account":
        raise ValueError("This JSON is no key of a service account: its type must be service_account.")
    missing = [name for name in ("client_email", "private_key") if not isinstance(document.get(name), str)]
    if missing:
        raise ValueError(f"This JSON has no {missing[0]}: paste the key file as it was downloaded.")
    url = document.get("token_uri") or TOKEN_URL
    if not isinstance(url, str) or urlsplit(url).scheme not in ("https", "http"):
        raise ValueError("The token_uri in this JSON is no address.")
    key_id = document.get("private_key_id")
    return ServiceAccount(
        document["client_email"], key_id if isinstance(key_id, str) else "", document["private_key"], url
    )


def _part(document: dict[str, Any]) -> bytes:
    return _base64(json.dumps(document, separators=(",", ":")).encode())


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
