"""Keys and tokens, their digests, and the encryption of provider secrets. Pure: no Django.

A key or token is 256 random bits, so a plain SHA-256 finds it and a stolen table gives nothing to guess from.
Secrets are AES-256-GCM with workspace and row as associated data: a ciphertext moved to another row does not open.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

KEY_PREFIX = "mk_"
TOKEN_PREFIX = "tk_"  # noqa: S105 - a prefix, no token
KEY_BYTES = 32
KEY_ID_BYTES = 8
NONCE_BYTES = 12
TAG_BYTES = 16


class Undecryptable(Exception):
    """The ciphertext is damaged, was made for another row, or its key is not in the keyring."""


def new_api_key() -> str:
    """A fresh API key: `mk_` and 43 URL-safe base64 characters, 256 random bits."""
    return KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)


def new_api_token() -> str:
    """A fresh REST API token: `tk_` and 43 URL-safe base64 characters, 256 random bits."""
    return TOKEN_PREFIX + secrets.token_urlsafe(KEY_BYTES)


def digest(key: str | bytes) -> bytes:
    """The 32 bytes of SHA-256 under which a key, token or invitation is stored and found."""
    return hashlib.sha256(key.encode() if isinstance(key, str) else key).digest()


def parse_keys(texts: Iterable[str]) -> list[bytes]:
    """Encryption keys from URL-safe base64; raises ValueError for one that is not 32 bytes, without repeating it."""
    keys = []
    for number, text in enumerate(texts, start=1):
        try:
            key = base64.b64decode(text, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != KEY_BYTES:
            raise ValueError(f"Encryption key {number} is not the URL-safe base64 of {KEY_BYTES} bytes.")
        keys.append(key)
    return keys


class Keyring:
    """AES-256-GCM under several keys: the first encrypts, all decrypt.

    Ciphertext: 8 bytes that name the key, 12 bytes of random nonce, the encrypted text with its 16-byte tag.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Keys of 32 bytes each, newest first; raises ValueError when there is none or one has another length."""
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"A keyring needs at least one key, each of {KEY_BYTES} bytes.")
        self._ciphers = {_key_id(key): AESGCM(key) for key in reversed(keys)}
        self._current = _key_id(keys[0])

    def __repr__(self) -> str:
        return f"<Keyring of {len(self._ciphers)}>"

    def encrypt(self, secret: str, *, workspace: UUID, row: UUID) -> bytes:
        """Encrypt under the first key, bound to this workspace and row."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        bound = workspace.bytes + row.bytes
        return self._current + nonce + self._ciphers[self._current].encrypt(nonce, secret.encode(), bound)

    def decrypt(self, ciphertext: bytes, *, workspace: UUID, row: UUID) -> str:
        """The secret; raises Undecryptable."""
        cipher = self._ciphers.get(ciphertext[:KEY_ID_BYTES])
        if cipher is None or len(ciphertext) < KEY_ID_BYTES + NONCE_BYTES + TAG_BYTES:
            raise Undecryptable("No key of the keyring made this ciphertext.")
        nonce = ciphertext[KEY_ID_BYTES : KEY_ID_BYTES + NONCE_BYTES]
        try:
            opened = cipher.decrypt(nonce, ciphertext[KEY_ID_BYTES + NONCE_BYTES :], workspace.bytes + row.bytes)
        except InvalidTag as error:
            raise Undecryptable("The ciphertext is damaged or was made for another row.") from error
        return opened.decode()

    def is_current(self, ciphertext: bytes) -> bool:
        """Whether the first key made this ciphertext, so that rotation may leave it."""
        return ciphertext[:KEY_ID_BYTES] == self._current


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"tokonomics key id" + key).digest()[:KEY_ID_BYTES]
