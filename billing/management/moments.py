"""Moments as arguments of commands."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import UTC, datetime


def moment(text: str) -> datetime:
    """`2026-12-01` or `2026-12-01T09:30`, in UTC unless it names another offset."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not a moment: write it as 2026-12-01 or 2026-12-01T09:30.") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
