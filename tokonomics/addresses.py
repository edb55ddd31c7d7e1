"""Which addresses a URL named by a tenant may lead to, and how such a URL is written. Pure: no Django, no look-ups.

The tables follow the IANA special-purpose registries (https://www.iana.org/assignments/iana-ipv4-special-registry and
…/iana-ipv6-special-registry) instead of `is_private` and `is_global` of ipaddress, which let shared address
space (100.64.0.0/10), multicast and embedded IPv4 through. Clouds add their own: Azure's 168.63.129.16.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import SplitResult, urlsplit

import idna

LONGEST_URL = 2048
PUBLIC_PORTS = frozenset({443, 8443})
NOT_HTTP_PORTS = frozenset(
    {21, 22, 23, 25, 53, 110, 111, 119, 135, 139, 143, 389, 445, 465, 514, 587, 636, 873, 993, 995, 1433, 1521, 2049}
    | {2379, 3306, 3389, 5432, 5672, 5900, 5984, 6379, 6667, 9042, 9200, 11211, 27017}
)
"""Ports of mail, shells, files and databases: a request there can only be an attack."""

RESERVED_IPV4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared address space; Alibaba's metadata is 100.100.100.200
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's host
        "169.254.0.0/16",  # link-local; metadata of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata is 192.0.0.192
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
GLOBAL_IPV6 = IPv6Network("2000::/3")
"""All that is routed on the internet: loopback, local, multicast and IPv4-compatible addresses lie outside."""
RESERVED_IPV6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: carries an IPv4 address
        "3fff::/20",  # documentation
    )
)
IPV4_INSIDE = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))
"""Mapped addresses (RFC 4291) and the NAT64 prefix (RFC 6052): judged by the IPv4 address in their last 32 bits."""

PRIVATE = (
    IPv4Network("10.0.0.0/8"),
    IPv4Network("100.64.0.0/10"),
    IPv4Network("127.0.0.0/8"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv6Network("::1/128"),
    IPv6Network("fc00::/7"),
)
METADATA = frozenset(
    {IPv4Address("100.100.100.200"), IPv6Address("fd00:ec2::254"), IPv6Address("fd20:ce::254")}  # Alibaba, AWS, Google
)

_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~:@+=,-]+)*")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOCAL_NAMES = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "private")


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether the address belongs to a host on the internet."""
    plain = _plain(address)
    if isinstance(plain, IPv4Address):
        return not any(plain in network for network in RESERVED_IPV4)
    return plain in GLOBAL_IPV6 and not any(plain in network for network in RESERVED_IPV6)


def is_allowed(address: IPv4Address | IPv6Address, *, allow_private: bool) -> bool:
    """Whether a tenant's URL may lead here; `allow_private` adds private ones, never a cloud's metadata."""
    if is_public(address):
        return True
    plain = _plain(address)
    return allow_private and plain not in METADATA and any(plain in network for network in PRIVATE)


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv6Address):
        plain = IPv6Address(int(address))  # without a zone, which no network would contain
        return IPv4Address(int(plain) & 0xFFFFFFFF) if any(plain in network for network in IPV4_INSIDE) else plain
    return address


def check_base_url(url: str, allow_private: bool = False) -> str:
    """The URL as it will be called: lower case, punycode, no default port, no trailing slash.

    Raises ValueError with a sentence for the person who typed it. Where a name leads is checked at each connect.
    """
    parts = _split(url)
    host = _host(parts, allow_private)
    if parts.scheme != "https" and not (parts.scheme == "http" and allow_private):
        raise ValueError("The address must start with https://" + (" or http://." if allow_private else "."))
    port = _port(parts, allow_private)
    if not _PATH.fullmatch(parts.path.rstrip("/")):
        raise ValueError("The address has a path that cannot be used: write plain segments, such as /v1.")
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"


def _split(url: str) -> SplitResult:
    if len(url) > LONGEST_URL:
        raise ValueError(f"The address is longer than {LONGEST_URL} characters.")
    if any(character <= " " or character in "\\\x7f" for character in url):
        raise ValueError("The address contains a blank, a backslash or a control character.")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ValueError("The address is not a URL: write it like https://llm.example.com/v1.") from error
    if not parts.scheme or not parts.hostname:
        raise ValueError("The address is not complete: write it like https://llm.example.com/v1.")
    if "@" in parts.netloc:
        raise ValueError("The address must not contain a user name or password.")
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        raise ValueError("The address must end with its path, without ? or #.")
    return parts


def _host(parts: SplitResult, allow_private: bool) -> str:
    typed = (parts.hostname or "").removesuffix(".")
    if parts.netloc.startswith("["):
        return _numeric_host(IPv6Address, typed, allow_private)
    try:
        name = typed if typed.isascii() else idna.encode(typed, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise ValueError(f"{typed} is not a host name.") from error
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _numeric_host(IPv4Address, name, allow_private)
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{typed} is not a host name.")
    if not allow_private and (len(labels) == 1 or labels[-1] in _LOCAL_NAMES):
        raise ValueError(f"{name} is a name inside a private network, which cannot be called from here.")
    return name


def _numeric_host(kind: type[IPv4Address | IPv6Address], text: str, allow_private: bool) -> str:
    try:
        address = kind(text)
    except ValueError as error:
        raise ValueError(f"{text} is not an IP address in its usual form.") from error
    if getattr(address, "scope_id", None) or not is_allowed(address, allow_private=allow_private):
        raise ValueError(f"{text} is not an address on the internet, so it cannot be called from here.")
    return f"[{address}]" if isinstance(address, IPv6Address) else str(address)


def _port(parts: SplitResult, allow_private: bool) -> str:
    default = 443 if parts.scheme == "https" else 80
    port = parts.port or default
    if port in NOT_HTTP_PORTS or not (allow_private or port in PUBLIC_PORTS):
        raise ValueError(f"Port {port} cannot be used: leave it out, which means 443.")
    return "" if port == default else f":{port}"
