"""Where a page of a list begins: opaque in an address, and refused when somebody has changed it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.core import signing

SALT = "metering.cursors"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class InvalidCursor(ValueError):
    """Not a cursor that we made."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The event at the edge of a page, and whether the next page goes on to newer ones or to older ones."""

    admitted_at: datetime
    id: UUID
    newer: bool = False

    def encode(self) -> str:
        """As text for an address: signed, so that only our own come back."""
        microseconds = (self.admitted_at - EPOCH) // MICROSECOND
        return signing.dumps([microseconds, self.id.hex, int(self.newer)], salt=SALT)


def decode(text: str) -> Cursor:
    """The cursor of an address; raises `InvalidCursor`."""
    try:
        microseconds, id_hex, newer = signing.loads(text, salt=SALT)
    except (signing.BadSignature, ValueError):
        raise InvalidCursor("This is not a cursor that a page of this list gave out.") from None
    return Cursor(EPOCH + MICROSECOND * microseconds, UUID(hex=id_hex), bool(newer))
