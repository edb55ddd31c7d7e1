"""System checks: a setting that would hurt in operation is named before anything starts, with what to do about it.

E001 encryption key · E002 public URL · E003 Redis URL · E004 socket path · W001 secrets left to chance ·
W002 no TLS · W003 nobody gets e-mail · W004 errors shown to visitors.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004 - Django's own name

from tokonomics.crypto import parse_keys
from tokonomics.environment import LONGEST_SOCKET_PATH, envsecret

REDIS_SCHEMES = ("redis://", "rediss://", "unix://")


@register()
def check_settings(**_: Any) -> list[CheckMessage]:
    """Everything that is wrong (errors) or risky (warnings) with the settings."""
    return [*_errors(), *_warnings()]


def _errors() -> Iterator[CheckMessage]:
    try:
        parse_keys(settings.ENCRYPTION_KEYS)
    except ValueError as error:
        hint = "Make one with: python -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'"
        yield Error(f"ENCRYPTION_KEYS: {error}", hint=hint, id="tokonomics.E001")
    url = urlsplit(settings.PUBLIC_URL)
    if url.scheme not in {"http", "https"} or not url.hostname or url.path or url.query:
        hint = "Write what visitors type, such as https://meter.example.com."
        yield Error(f"PUBLIC_URL is {settings.PUBLIC_URL!r}, no http(s)://host.", hint=hint, id="tokonomics.E002")
    if not settings.REDIS_URL.startswith(REDIS_SCHEMES):
        hint = "Write redis://host:6379/0, rediss://… for TLS or unix:///path?db=0."
        yield Error("REDIS_URL is not the URL of a Redis.", hint=hint, id="tokonomics.E003")
    if len(os.fsencode(settings.SITE_SOCKET)) > LONGEST_SOCKET_PATH:
        hint = f"Set SITE_SOCKET to a path of at most {LONGEST_SOCKET_PATH} bytes."
        yield Error("SITE_SOCKET is too long for a Unix socket.", hint=hint, id="tokonomics.E004")


def _warnings() -> Iterator[CheckMessage]:
    if settings.EMBEDDED_DATABASE:
        return
    missing = [name for name in ("SECRET_KEY", "ENCRYPTION_KEYS") if not envsecret(name)]
    if missing:
        text = f"{' and '.join(missing)} not set: made here and kept in {settings.DATA_DIR / 'secrets'}."
        hint = "A second machine would make its own and could not read what this one stored: set both, back them up."
        yield Warning(text, hint=hint, id="tokonomics.W001")
    if not settings.SECURE and not _is_local(urlsplit(settings.PUBLIC_URL).hostname or ""):
        hint = "Put a TLS terminator in front and set PUBLIC_URL to its https:// address."
        yield Warning(
            "PUBLIC_URL is not https: passwords and keys travel in the clear.", hint=hint, id="tokonomics.W002"
        )
    if not settings.EMAIL_URL:
        hint = "Set EMAIL_URL to smtp://host:port."
        yield Warning("EMAIL_URL is not set: e-mails are only printed to the log.", hint=hint, id="tokonomics.W003")
    if settings.DEBUG:
        hint = "Unset TOKONOMICS_DEBUG."
        yield Warning("TOKONOMICS_DEBUG is on: errors show code to visitors.", hint=hint, id="tokonomics.W004")


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
