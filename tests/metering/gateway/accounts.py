"""Another account for the key of a running gateway."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from metering.gateway.accounts import CredentialRow, credential_of
from tests.metering.gateway.conftest import KEY, KEYRING, WORKSPACE, Running
from tokonomics.crypto import digest


def connect(gateway: Running, slug: str, url: str, secret: str = "sk-stored-secret") -> None:
    """Have the key use this account at a provider, as if the directory had just heard of it; url '': its own."""
    row = uuid4()
    encrypted = KEYRING.encrypt(secret, workspace=WORKSPACE, row=row)
    credential = credential_of(CredentialRow(WORKSPACE, row, slug, slug, url, encrypted), KEYRING)
    keys = gateway.gateway.directory.keys
    key = keys[digest(KEY)]
    keys[digest(KEY)] = replace(key, credentials=key.credentials | {slug: credential})
