"""Moments as arguments of commands."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import UTC, datetime

FIRST_YEAR, LAST_YEAR = 2000, 2199


def moment(text: str) -> datetime:
    """`2026-12-01` or `2026-12-01T09:30`, in UTC unless it names another offset."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not a moment: write it as 2026-12-01 or 2026-12-01T09:30.") from error
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise ArgumentTypeError(f"Name a moment from {FIRST_YEAR} to {LAST_YEAR}.")
    return found if found.tzinfo else found.replace(tzinfo=UTC)
