"""`manage.py rotate_keys`: encrypt every stored secret under the newest key."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from metering.rotation import rotate_secrets
from tokonomics.crypto import Undecryptable


class Command(BaseCommand):
    """Can be stopped and started again, and calls go on meanwhile."""

    help = "Run it after putting a new key first in ENCRYPTION_KEYS; then the old key may be taken out."

    def handle(self, *args: Any, **options: Any) -> None:
        """Rotate all, and say how many."""
        try:
            rotated = rotate_secrets()
        except Undecryptable as error:
            raise CommandError(
                "A secret was encrypted with a key that is not in ENCRYPTION_KEYS: put it back, then run this again."
            ) from error
        self.stdout.write(f"{rotated} secrets are now under the newest key.")
