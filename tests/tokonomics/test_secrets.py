from __future__ import annotations

import base64

import pytest
from pytest_django import Settings

from tokonomics.ids import new_id
from tokonomics.secrets import keyring


def test_the_first_key_of_the_settings_encrypts_and_all_decrypt(settings: Settings) -> None:
    old, new = (base64.urlsafe_b64encode(letter * 32).decode() for letter in (b"o", b"n"))
    workspace, row = new_id(), new_id()
    settings.ENCRYPTION_KEYS = [old]
    ciphertext = keyring().encrypt("sk", workspace=workspace, row=row)
    settings.ENCRYPTION_KEYS = [new, old]
    assert keyring().decrypt(ciphertext, workspace=workspace, row=row) == "sk"
    assert not keyring().is_current(ciphertext)


def test_a_malformed_key_is_named_by_its_place(settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = ["nonsense"]
    with pytest.raises(ValueError, match="Encryption key 1"):
        keyring()
