"""The app of keys, calls and their usage."""

from __future__ import annotations

from django.apps import AppConfig


class MeteringConfig(AppConfig):
    """Calls, from the gateway to the ledger."""

    name = "metering"
