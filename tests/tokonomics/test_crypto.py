from __future__ import annotations

import base64
import hashlib
from uuid import UUID

import pytest

from tokonomics.crypto import Keyring, Undecryptable, digest, new_api_key, new_api_token, parse_keys

OLD = b"o" * 32
NEW = b"n" * 32
WORKSPACE = UUID(int=1)
ROW = UUID(int=2)


def test_an_api_key_is_256_url_safe_bits_behind_its_prefix() -> None:
    key = new_api_key()
    assert key.startswith("mk_")
    assert len(base64.urlsafe_b64decode(key[3:] + "=")) == 32
    assert new_api_key() != key


def test_an_api_token_has_its_own_prefix() -> None:
    token = new_api_token()
    assert token.startswith("tk_")
    assert len(token) == 46


def test_digest_is_the_sha256_of_text_and_bytes_alike() -> None:
    assert digest("mk_x") == digest(b"mk_x") == hashlib.sha256(b"mk_x").digest()


def test_a_secret_comes_back() -> None:
    keyring = Keyring([NEW])
    ciphertext = keyring.encrypt("sk-é", workspace=WORKSPACE, row=ROW)
    assert keyring.decrypt(ciphertext, workspace=WORKSPACE, row=ROW) == "sk-é"


def test_the_same_secret_is_never_encrypted_alike() -> None:
    keyring = Keyring([NEW])
    assert keyring.encrypt("sk", workspace=WORKSPACE, row=ROW) != keyring.encrypt("sk", workspace=WORKSPACE, row=ROW)


@pytest.mark.parametrize(("workspace", "row"), [(UUID(int=9), ROW), (WORKSPACE, UUID(int=9)), (ROW, WORKSPACE)])
def test_a_ciphertext_moved_to_another_row_does_not_open(workspace: UUID, row: UUID) -> None:
    keyring = Keyring([NEW])
    ciphertext = keyring.encrypt("sk", workspace=WORKSPACE, row=ROW)
    with pytest.raises(Undecryptable):
        keyring.decrypt(ciphertext, workspace=workspace, row=row)


def test_an_older_key_still_decrypts_and_the_first_encrypts() -> None:
    before = Keyring([OLD]).encrypt("sk", workspace=WORKSPACE, row=ROW)
    both = Keyring([NEW, OLD])
    assert both.decrypt(before, workspace=WORKSPACE, row=ROW) == "sk"
    assert not both.is_current(before)
    after = both.encrypt("sk", workspace=WORKSPACE, row=ROW)
    assert both.is_current(after)
    assert Keyring([NEW]).decrypt(after, workspace=WORKSPACE, row=ROW) == "sk"


def test_a_ciphertext_of_an_unknown_key_does_not_open() -> None:
    ciphertext = Keyring([OLD]).encrypt("sk", workspace=WORKSPACE, row=ROW)
    with pytest.raises(Undecryptable):
        Keyring([NEW]).decrypt(ciphertext, workspace=WORKSPACE, row=ROW)


@pytest.mark.parametrize("cut", [0, 5, 8, 20, 35, -1])
def test_a_damaged_ciphertext_does_not_open(cut: int) -> None:
    keyring = Keyring([NEW])
    with pytest.raises(Undecryptable):
        keyring.decrypt(keyring.encrypt("sk", workspace=WORKSPACE, row=ROW)[:cut], workspace=WORKSPACE, row=ROW)


def test_every_flipped_bit_is_noticed() -> None:
    keyring = Keyring([NEW])
    ciphertext = bytearray(keyring.encrypt("sk", workspace=WORKSPACE, row=ROW))
    for place in range(len(ciphertext)):
        ciphertext[place] ^= 1
        with pytest.raises(Undecryptable):
            keyring.decrypt(bytes(ciphertext), workspace=WORKSPACE, row=ROW)
        ciphertext[place] ^= 1


def test_a_keyring_does_not_show_its_keys() -> None:
    assert repr(Keyring([NEW, OLD])) == "<Keyring of 2>"


@pytest.mark.parametrize("keys", [[], [b"short"], [NEW, b""]])
def test_a_keyring_refuses_keys_of_a_wrong_length(keys: list[bytes]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Keyring(keys)


def test_parse_keys_reads_url_safe_base64() -> None:
    key = bytes(range(224, 256))
    assert parse_keys([base64.urlsafe_b64encode(key).decode()]) == [key]


@pytest.mark.parametrize("text", ["", "c2hvcnQ=", "not base64!", "A" * 44])
def test_parse_keys_names_the_place_of_a_bad_key_but_not_the_key(text: str) -> None:
    good = base64.urlsafe_b64encode(NEW).decode()
    with pytest.raises(ValueError, match="Encryption key 2 is not") as caught:
        parse_keys([good, text])
    assert not text or text not in str(caught.value)
