"""A service account's key file, made once for all tests that need one."""

from __future__ import annotations

from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


@cache
def private_key() -> rsa.RSAPrivateKey:
    """Small, so that it is made fast."""
    return rsa.generate_private_key(65537, 1024)


def key_file(token_url: str = "https://oauth2.googleapis.com/token", **changes: Any) -> dict[str, Any]:
    """As Google's console hands it out."""
    pem = private_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {
        "type": "service_account",
        "project_id": "acme-123",
        "private_key_id": "0123456789abcdef",
        "private_key": pem,
        "client_email": "caller@acme-123.iam.gserviceaccount.com",
        "client_id": "1",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": token_url,
        **changes,
    }
