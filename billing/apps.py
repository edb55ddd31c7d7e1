"""The app of prices and bills."""

from __future__ import annotations

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """What a call costs and what a client pays."""

    name = "billing"
