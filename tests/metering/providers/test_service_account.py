from __future__ import annotations

import base64
import datetime as dt
import json
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from metering.providers.service_account import read_key_file
from tests.metering.service_account import key_file, private_key

MOMENT = dt.datetime(2026, 11, 25, 8, 0, tzinfo=dt.UTC)


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_the_assertion_is_what_google_asks_for() -> None:
    form = parse_qs(read_key_file(key_file()).form(MOMENT).decode())
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    head, claims, signature = form["assertion"][0].split(".")
    assert json.loads(decoded(head)) == {"alg": "RS256", "typ": "JWT", "kid": "0123456789abcdef"}
    assert json.loads(decoded(claims)) == {
        "iss": "caller@acme-123.iam.gserviceaccount.com",
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "aud": "https://oauth2.googleapis.com/token",
        "iat": 1795593600,
        "exp": 1795597200,
    }
    signed = f"{head}.{claims}".encode()
    private_key().public_key().verify(decoded(signature), signed, padding.PKCS1v15(), hashes.SHA256())


def test_two_readings_of_a_file_are_one_grant() -> None:
    first, again = read_key_file(key_file()), read_key_file(key_file())
    assert first == again
    assert hash(first) == hash(again)
    assert "PRIVATE" not in repr(first)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"type": "authorized_user"}, "service_account"),
        ({"client_email": None}, "no client_email"),
        ({"private_key": 5}, "no private_key"),
        ({"token_uri": "ftp://x"}, "no address"),
    ],
)
def test_what_is_no_key_file_is_said(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_key_file(key_file(**changes))


def test_a_private_key_that_cannot_be_read_is_said() -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    elliptic = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    for text in ("no key", "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n", elliptic):
        with pytest.raises(ValueError, match="cannot be read"):
            read_key_file(key_file(private_key=text)).form(MOMENT)
