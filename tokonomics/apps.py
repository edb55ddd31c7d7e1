"""The app of accounts and workspaces."""

from __future__ import annotations

from django.apps import AppConfig


class TokonomicsConfig(AppConfig):
    """Registers the system checks of the settings."""

    name = "tokonomics"

    def ready(self) -> None:
        """Load the checks, which register themselves."""
        from tokonomics import checks  # noqa: F401
