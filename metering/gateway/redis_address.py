"""Where Redis is, from the URL that Django's cache and Celery are given too."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where Redis is: a host and port, or the path of a Unix socket."""

    host: str = "localhost"
    port: int = 6379
    socket: str = ""
    username: str = ""
    password: str = ""
    database: int = 0
    tls: ssl.SSLContext | None = None


def read_url(url: str) -> RedisAddress:
    """Read `redis://`, `rediss://` or `unix://`; raises ValueError for another, OSError for a missing certificate.

    Parameters that count, as in redis-py: `db`, `username`, `password`, `ssl_cert_reqs`, `ssl_ca_certs`,
    `ssl_certfile`, `ssl_keyfile`.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise ValueError("The URL of Redis must start with redis://, rediss:// or unix://.")
    more = dict(parse_qsl(parts.query))
    local = parts.scheme == "unix"
    return RedisAddress(
        host=parts.hostname or "localhost",
        port=parts.port or 6379,
        socket=unquote(parts.path) if local else "",
        username=unquote(parts.username or "") or more.get("username", ""),
        password=unquote(parts.password or "") or more.get("password", ""),
        database=int(more.get("db") or ("" if local else parts.path.strip("/")) or 0),
        tls=_tls(more) if parts.scheme == "rediss" else None,
    )


def _tls(more: dict[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=more.get("ssl_ca_certs"))
    if more.get("ssl_cert_reqs", "").lower().removeprefix("cert_") == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if "ssl_certfile" in more:
        context.load_cert_chain(more["ssl_certfile"], more.get("ssl_keyfile"))
    return context
