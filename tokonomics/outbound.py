"""The one way in which the site and its tasks call a URL that a tenant gave.

The host is resolved here, every address of it is checked, and the connection goes to a checked address: what a name
server says a moment later changes nothing. Proxies named by the environment are not used, redirects are not followed,
and an answer is cut at a size and a total time.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpcore2
from django.conf import settings

from tokonomics.addresses import check_base_url, is_allowed

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 10.0
READ_LIMIT = 64 * 1024

_resolvers = ThreadPoolExecutor(max_workers=8, thread_name_prefix="resolver")


class OutboundError(Exception):
    """A call that got no answer; the text is a sentence for the person whose URL it was.

    OutboundError
    ├── Refused       the host leads to an address that may not be called
    ├── Unreachable   the name is unknown, or nothing listens there
    ├── TimedOut      no answer within the limits
    ├── Insecure      the certificate does not fit
    └── Malformed     what came back is not HTTP
    """


class Refused(OutboundError):
    """The host leads to an address that may not be called."""


class Unreachable(OutboundError):
    """The name is unknown, or nothing listens there."""


class TimedOut(OutboundError):
    """No answer within the limits."""


class Insecure(OutboundError):
    """The certificate does not fit."""


class Malformed(OutboundError):
    """What came back is not HTTP."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, at most READ_LIMIT bytes of body as they came, how long it took, and headers, names in lower case."""

    status: int
    body: bytes
    milliseconds: int
    headers: tuple[tuple[bytes, bytes], ...] = ()


def check_url(url: str) -> str:
    """A tenant's base URL, normalised; raises ValueError with a sentence, for one that leads back to this site too."""
    checked = check_base_url(url, settings.ALLOW_PRIVATE_ADDRESSES)
    if _endpoint(checked) == _endpoint(settings.PUBLIC_URL):
        raise ValueError("The address is this site's own: name the provider's server.")
    return checked


def resolve(host: str, port: int) -> list[str]:
    """The numeric addresses of a host, in the system's order of preference; raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True)
class Network:
    """What a call stands on: how names are resolved (raises OSError), and how long it may take in all."""

    resolve: Callable[[str, int], list[str]] = resolve
    total_seconds: float = TOTAL_SECONDS


INTERNET = Network()


def call(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    content: bytes = b"",
    network: Network = INTERNET,
) -> Answer:
    """Send one request and read its answer, whatever its status; raises OutboundError."""
    started = time.monotonic()
    guard = _Guard(network.resolve, started + network.total_seconds)
    sent = {"User-Agent": "Tokonomics", "Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})}
    try:
        with (
            httpcore2.ConnectionPool(ssl_context=httpcore2.default_ssl_context(), network_backend=guard) as pool,
            pool.stream(method, url, headers=list(sent.items()), content=content) as response,
        ):
            body = _read(response.iter_stream())
    except httpcore2.TimeoutException as error:
        raise TimedOut(f"No answer within {network.total_seconds:.0f} seconds.") from error
    except httpcore2.NetworkError as error:
        broken = not isinstance(error, httpcore2.ConnectError)
        raise Unreachable("The connection broke off." if broken else "Nothing answers at this address.") from error
    except (httpcore2.ProtocolError, httpcore2.UnsupportedProtocol) as error:
        raise Malformed("The answer is not HTTP.") from error
    told = tuple([(name.lower(), value) for name, value in response.headers])
    return Answer(response.status, body, round((time.monotonic() - started) * 1000), told)


def _read(chunks: Iterable[bytes]) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) >= READ_LIMIT:
            break
    return bytes(body[:READ_LIMIT])


def _endpoint(url: str) -> tuple[str | None, int]:
    parts = urlsplit(url)
    return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


class _Guard(httpcore2.SyncBackend):
    """Connects to checked addresses only, and gives every connection the call's deadline."""

    def __init__(self, resolve: Callable[[str, int], list[str]], deadline: float) -> None:
        self.resolve = resolve
        self.deadline = deadline

    def connect_tcp(self, host: str, port: int, *arguments: Any, **options: Any) -> httpcore2.NetworkStream:
        error: Exception = httpcore2.ConnectError("The name has no address.")
        for address in self.addresses(host, port):
            try:
                stream = super().connect_tcp(address, port, timeout=_left(self.deadline, CONNECT_SECONDS))
                return _Deadline(stream, self.deadline)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as failed:
                error = failed
        raise error

    def addresses(self, host: str, port: int) -> list[str]:
        """What the host resolves to now; raises Refused when one of it may not be called."""
        try:
            # A name server that does not answer must not hold the caller for longer than the call may take.
            found = _resolvers.submit(self.resolve, host, port).result(timeout=_left(self.deadline, CONNECT_SECONDS))
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout from error
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"The name {host} is not known.") from error
        for address in found:
            if not is_allowed(ip_address(address), allow_private=settings.ALLOW_PRIVATE_ADDRESSES):
                raise Refused(f"{host} is not a host on the internet, so it cannot be called from here.")
        return found


class _Deadline(httpcore2.NetworkStream):
    """A stream in which all reads and writes together end at a moment of the monotonic clock."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: float) -> None:
        self.stream = stream
        self.deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.stream.read(max_bytes, _left(self.deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.stream.write(buffer, _left(self.deadline))

    def close(self) -> None:
        self.stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        try:
            secured = self.stream.start_tls(ssl_context, server_hostname, _left(self.deadline))
        except httpcore2.ConnectError as error:
            raise Insecure(f"The secure connection failed: {error}.") from error
        return _Deadline(secured, self.deadline)

    def get_extra_info(self, info: str) -> Any:
        return self.stream.get_extra_info(info)


def _left(deadline: float, limit: float = TOTAL_SECONDS) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore2.ReadTimeout
    return min(left, limit)
