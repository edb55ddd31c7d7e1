"""Identifiers: UUIDv7 everywhere, so that ids sort by the moment they were made (RFC 9562, section 5.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uuid_utils.compat

if TYPE_CHECKING:
    from uuid import UUID


def new_id() -> UUID:
    """A fresh UUIDv7 as a standard library UUID."""
    return uuid_utils.compat.uuid7()
