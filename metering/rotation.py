"""Moving every stored secret to the newest encryption key, so that an old one can be retired."""

from __future__ import annotations

from django.db import transaction

from metering.models import ProviderCredential
from tokonomics.crypto import Keyring
from tokonomics.secrets import keyring


def rotate_secrets(*, batch: int = 500) -> int:
    """Encrypt every secret under the first of settings.ENCRYPTION_KEYS; returns how many were under another.

    Each batch is a transaction, so that it can be stopped and started again while calls go on. Raises Undecryptable
    for a secret that no key opens.
    """
    ring, rotated, last = keyring(), 0, None
    while True:
        with transaction.atomic():
            rows = ProviderCredential.objects.select_for_update().order_by("id")
            found = list((rows.filter(id__gt=last) if last else rows)[:batch])
            rotated += sum(_rotate(row, ring) for row in found)
        if len(found) < batch:
            return rotated
        last = found[-1].pk


def _rotate(row: ProviderCredential, ring: Keyring) -> bool:
    ciphertext = bytes(row.secret)
    if ring.is_current(ciphertext):
        return False
    secret = ring.decrypt(ciphertext, workspace=row.workspace_id, row=row.pk)
    row.secret = ring.encrypt(secret, workspace=row.workspace_id, row=row.pk)
    row.save(update_fields=["secret"])
    return True
