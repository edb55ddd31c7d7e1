"""What a call's head says: which provider and path, whose key, which tags. Read without body and database."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from metering import providers
from metering.errors import Refusal
from metering.gateway.headers import KEY_HEADERS

if TYPE_CHECKING:
    from metering.gateway.request import Head
    from metering.providers.base import Provider

PREFIX = b"/proxy/"
KEY_PREFIX = b"mk_"
KEY_LENGTH = 256
SIGNATURE = b"AWS4-HMAC-SHA256"
TAGS = b"x-metering-tags"
TOLD = frozenset((*KEY_HEADERS, TAGS, b"content-encoding"))


@dataclass(slots=True)
class Door:
    """The parts of a call's head. `provider` is None for a slug of the workspace's own, or an unknown one."""

    slug: str
    provider: Provider | None
    path: str
    query: str
    dialect: str
    digest: bytes = b""
    tags: bytes | None = None


def read_target(target: bytes) -> Door:
    """Split `/proxy/{provider}/{path}?{query}`; raises Refusal for bytes that no provider's path has."""
    return Door(*_parts(target))


def dialect_of(target: bytes) -> str:
    """How the provider that a target names writes its errors; `openai` where it names none."""
    try:
        return read_target(target).dialect if target.startswith(PREFIX) else "openai"
    except Refusal:
        return "openai"


@lru_cache(maxsize=1024)
def _parts(target: bytes) -> tuple[str, Provider | None, str, str, str]:
    raw, _, query = target[len(PREFIX) :].partition(b"?")
    try:
        slug, _, path = raw.decode("ascii").partition("/")
        provider = providers.find(slug)
        dialect = provider.dialect if provider else "openai"
        return provider.slug if provider else slug, provider, "/" + path, query.decode("ascii"), dialect
    except UnicodeDecodeError as error:
        raise Refusal("unknown_endpoint", "The path and the query must be percent-encoded ASCII.") from error


def read_headers(door: Door, head: Head) -> None:
    """Find the key and the tags; raises Refusal `invalid_api_key`, `invalid_tags` or `unsupported_encoding`."""
    keys: set[bytes] = set()
    for name, value in head.headers:
        if name not in TOLD:
            continue
        if name == TAGS:
            if door.tags is not None:
                raise Refusal("invalid_tags", "Send X-Metering-Tags once: two of these headers came with this call.")
            door.tags = value
        elif name == b"content-encoding":
            if value.lower() != b"identity":
                raise Refusal("unsupported_encoding", "Send the body uncompressed: Content-Encoding is not supported.")
        elif name == b"authorization":
            keys.update(_authorised(value))
        else:
            keys.add(value)
    if door.provider is not None and door.provider.key_in_query:
        keys.update(_take_key(door))
    door.digest = _digest(keys)


def _authorised(value: bytes) -> tuple[bytes, ...]:
    """The key in an Authorization header. An AWS signature holds one where it stands for the access key's id."""
    scheme, _, credentials = value.partition(b" ")
    if scheme == SIGNATURE:
        signer = credentials.partition(b"Credential=")[2].partition(b"/")[0]
        return (signer,) if signer.startswith(KEY_PREFIX) else ()
    return (credentials.strip() if scheme.lower() == b"bearer" else value,)


def _take_key(door: Door) -> list[bytes]:
    """Take `key=…` out of the query: it is ours, and the provider must not see it."""
    found = []
    kept = []
    for part in door.query.split("&"):
        name, _, value = part.partition("=")
        if name == "key":
            found.append(value.encode())
        elif part:
            kept.append(part)
    door.query = "&".join(kept)
    return found


def _digest(keys: set[bytes]) -> bytes:
    if len(keys) > 1:
        raise Refusal("invalid_api_key", "Two different keys came with this call: send the mk_… key alone.")
    key = keys.pop() if keys else b""
    if not key:
        raise Refusal("invalid_api_key", "No API key: send a Tokonomics key (mk_…) where the provider's key would go.")
    if not key.startswith(KEY_PREFIX) or len(key) > KEY_LENGTH:
        raise Refusal("invalid_api_key", "This is not a Tokonomics key: use a key that starts with mk_.")
    return hashlib.sha256(key).digest()
