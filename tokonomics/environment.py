"""Readers of environment variables, and the few values that are made once and kept below DATA_DIR. Pure: no Django."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

LONGEST_SOCKET_PATH = 100
"""A Unix socket's path holds 107 bytes on Linux and 103 on macOS; PostgreSQL adds `.lock` to its own."""

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})


class InvalidSetting(Exception):
    """An environment variable whose value cannot be used; the text names it and says what it may hold."""


def envbool(name: str, default: bool) -> bool:
    """1/0, true/false, yes/no or on/off in any case; raises InvalidSetting for anything else."""
    value = os.environ.get(name)
    if value is None:
        return default
    if value.strip().lower() in _TRUE | _FALSE:
        return value.strip().lower() in _TRUE
    raise InvalidSetting(f"{name} is {value!r}: set it to 1 or 0.")


def envint(name: str, default: int, minimum: int = 0, maximum: int = 2**63 - 1) -> int:
    """A whole number within bounds; raises InvalidSetting."""
    value = os.environ.get(name, "").strip()
    if not value:
        return default
    if not value.isascii() or not value.isdigit() or not minimum <= int(value) <= maximum:
        raise InvalidSetting(f"{name} is {value!r}: set it to a whole number from {minimum} to {maximum}.")
    return int(value)


def envchoice(name: str, default: str, choices: Collection[str]) -> str:
    """One of the choices, which are in lower case; raises InvalidSetting."""
    value = os.environ.get(name, "").strip() or default
    if value.lower() not in choices:
        raise InvalidSetting(f"{name} is {value!r}: set it to one of {', '.join(choices)}.")
    return value.lower()


def envlist(name: str) -> list[str]:
    """The parts of a comma-separated value, without blanks."""
    return [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]


def envsecret(name: str) -> str:
    """NAME, else the content of the file at NAME_FILE, else ''; raises InvalidSetting when that is unreadable."""
    path = os.environ.get(f"{name}_FILE", "")
    if not path:
        return os.environ.get(name, "")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"{name}_FILE is {path!r}, which cannot be read: {error}.") from error


def kept_secret(path: Path, make: Callable[[], str]) -> str:
    """The text kept in a file; made on first use, readable by its owner alone, the same for all who race to make it."""
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return path.read_text(encoding="utf-8").strip()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as draft:
            draft.write(make() + "\n")
        with contextlib.suppress(FileExistsError):
            os.link(draft.name, path)
        os.unlink(draft.name)
    except OSError as error:
        raise InvalidSetting(f"DATA_DIR cannot be used ({error}): set DATA_DIR to a folder of yours.") from error
    return path.read_text(encoding="utf-8").strip()


def socket_directory(data_dir: Path) -> Path:
    """Where the Unix sockets of a DATA_DIR live: below it, or in a short folder where its path is too long."""
    below = data_dir / "run"
    if len(os.fsencode(below / "postgres" / ".s.PGSQL.5432.lock")) <= LONGEST_SOCKET_PATH:
        return below
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]
    return Path("/tmp") / f"tokonomics-{os.geteuid()}-{digest}"  # noqa: S108 - its owner is checked when it is made


def database_settings(url: str) -> dict[str, Any]:
    """Django's keys for a `postgresql://` URL, with libpq's own parameters as OPTIONS; raises InvalidSetting."""
    if not url.startswith(("postgres://", "postgresql://")):
        raise InvalidSetting("DATABASE_URL is not a PostgreSQL URL: write postgresql://user@host:5432/name.")
    try:
        parts = dict(conninfo_to_dict(url))
    except ProgrammingError as error:
        raise InvalidSetting(f"DATABASE_URL is not a PostgreSQL URL: {error}") from error
    if not parts.get("dbname"):
        raise InvalidSetting("DATABASE_URL names no database: write postgresql://user@host:5432/name.")
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    found = {django: str(parts.pop(libpq, None) or "") for django, libpq in names.items()}
    return {**found, "OPTIONS": parts}


def email_settings(url: str) -> Mapping[str, Any]:
    """Django's EMAIL_* for `smtp://`, `smtp+tls://` (STARTTLS) or `smtps://`, with `user:password@` and `?from=`."""
    if not url:
        return {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    try:
        parts = urlsplit(url)
        port = parts.port or {"smtps": 465, "smtp+tls": 587}.get(parts.scheme, 25)
    except ValueError as error:
        raise InvalidSetting(f"EMAIL_URL is not a URL: {error}.") from error
    if parts.scheme not in {"smtp", "smtp+tls", "smtps"} or not parts.hostname:
        raise InvalidSetting("EMAIL_URL must be smtp://host:port, smtp+tls://… or smtps://….")
    found = {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": port,
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": parts.scheme == "smtp+tls",
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_TIMEOUT": 10,
    }
    sender = parse_qs(parts.query).get("from")
    return {**found, "DEFAULT_FROM_EMAIL": sender[0]} if sender else found
