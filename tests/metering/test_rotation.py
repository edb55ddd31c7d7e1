from __future__ import annotations

import base64
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from metering.credentials import secret_of
from metering.models import ProviderCredential
from metering.rotation import rotate_secrets
from tests.factories import ProviderCredentialFactory
from tokonomics.crypto import Undecryptable

pytestmark = pytest.mark.django_db
OLD, NEW = (base64.urlsafe_b64encode(letter * 32).decode() for letter in (b"o", b"n"))


@pytest.fixture
def rows(settings: Settings) -> list[ProviderCredential]:
    """Five secrets under the old key, of five workspaces."""
    settings.ENCRYPTION_KEYS = [OLD]
    return [ProviderCredentialFactory.create(plain=f"sk-number-{number}-xxxxx") for number in range(5)]


def secrets() -> list[str]:
    return sorted(secret_of(row) for row in ProviderCredential.objects.all())


def test_every_secret_moves_to_the_newest_key(rows: list[ProviderCredential], settings: Settings) -> None:
    before = secrets()
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert rotate_secrets(batch=2) == 5
    settings.ENCRYPTION_KEYS = [NEW]
    assert secrets() == before


def test_it_goes_on_where_it_was_stopped(rows: list[ProviderCredential], settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    last = ProviderCredential.objects.latest("id")
    good, last.secret = last.secret, b"damaged"
    last.save()
    with pytest.raises(Undecryptable):
        rotate_secrets(batch=2)
    last.secret = good
    last.save()
    assert rotate_secrets(batch=2) == 1
    assert rotate_secrets(batch=2) == 0


def test_the_command_counts(rows: list[ProviderCredential], settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    out = StringIO()
    call_command("rotate_keys", stdout=out)
    assert out.getvalue() == "5 secrets are now under the newest key.\n"


def test_the_command_asks_for_a_key_that_is_missing(rows: list[ProviderCredential], settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = [NEW]
    with pytest.raises(CommandError, match="put it back"):
        call_command("rotate_keys")
