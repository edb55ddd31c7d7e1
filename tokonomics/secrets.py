"""The keyring of this installation, from the settings."""

from __future__ import annotations

from django.conf import settings

from tokonomics.crypto import Keyring, parse_keys


def keyring() -> Keyring:
    """The keys of settings.ENCRYPTION_KEYS; raises ValueError when one of them is malformed."""
    return Keyring(parse_keys(settings.ENCRYPTION_KEYS))
